//! Kubeconfigs: which of their many ways to say something can be used from a server, and which cannot.

use super::{ConfigError, Parts, certificate, clean_token};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};
use secrecy::{ExposeSecret, SecretString};

const FIELD: &str = "kubeconfig";
const LARGEST: usize = 1024 * 1024;
/// The command that turns paths into inline data.
const FLATTEN: &str = "run 'kubectl config view --raw --flatten --minify' and paste its output";

fn refuse<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::new(FIELD, message))
}

/// Reads the current-context of a kubeconfig.
pub(super) fn parts(text: &str, verify_tls: bool) -> Result<Parts, ConfigError> {
    if text.trim().is_empty() {
        return refuse("The kubeconfig is empty.");
    }
    if text.len() > LARGEST {
        return refuse("The kubeconfig is larger than 1 MiB.");
    }
    let config = Kubeconfig::from_yaml(text).map_err(|e| ConfigError::new(FIELD, unreadable(&e)))?;
    let (cluster_name, user_name) = context(&config)?;
    let cluster = config.clusters.iter().find(|c| c.name == cluster_name).and_then(|c| c.cluster.as_ref());
    let Some(cluster) = cluster else {
        return refuse(format!(
            "The current-context uses the cluster '{cluster_name}', which the kubeconfig does not describe."
        ));
    };
    let user = config.auth_infos.iter().find(|u| u.name == user_name).and_then(|u| u.auth_info.as_ref());
    let Some(user) = user else {
        return refuse(format!(
            "The current-context uses the user '{user_name}', which the kubeconfig does not describe."
        ));
    };
    let Some(server) = cluster.server.clone().filter(|s| !s.trim().is_empty()) else {
        return refuse(format!("The cluster '{cluster_name}' has no server."));
    };
    let ca = authority(cluster, &cluster_name, verify_tls)?;
    let identity = identity(user, &user_name)?;
    let auth = credentials(user, &user_name, identity.is_some())?;
    Ok(Parts {
        field: FIELD,
        server,
        auth,
        ca: ca.map(|pem| (pem, FIELD)),
        identity,
        tls_name: cluster.tls_server_name.clone().filter(|n| !n.is_empty()),
    })
}

/// Where the YAML is wrong. Not the parser's own words: they quote the text, and the text holds secrets.
fn unreadable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(e) => match e.location() {
            Some(at) => format!(
                "The kubeconfig cannot be read: line {}, column {} is no YAML, or not what a kubeconfig has there.",
                at.line(),
                at.column()
            ),
            None => "The kubeconfig cannot be read: it is no YAML, or not a kubeconfig.".to_owned(),
        },
        _ => "The kubeconfig cannot be read: its documents do not fit together.".to_owned(),
    }
}

fn context(config: &Kubeconfig) -> Result<(String, String), ConfigError> {
    let known = || {
        let names: Vec<&str> = config.contexts.iter().map(|c| c.name.as_str()).collect();
        if names.is_empty() { "it describes none".to_owned() } else { format!("it describes {}", names.join(", ")) }
    };
    let Some(current) = config.current_context.as_deref().filter(|c| !c.is_empty()) else {
        return refuse(format!(
            "The kubeconfig names no current-context ({}); choose one with 'kubectl config use-context'.",
            known()
        ));
    };
    let context = config.contexts.iter().find(|c| c.name == current).and_then(|c| c.context.as_ref());
    let Some(context) = context else {
        return refuse(format!(
            "The current-context is '{current}', which the kubeconfig does not describe ({}).",
            known()
        ));
    };
    match context.user.clone().filter(|u| !u.is_empty()) {
        Some(user) => Ok((context.cluster.clone(), user)),
        None => refuse(format!("The current-context '{current}' names no user, so that nobody would be logged in.")),
    }
}

fn authority(cluster: &Cluster, name: &str, verify_tls: bool) -> Result<Option<Vec<u8>>, ConfigError> {
    if cluster.proxy_url.as_deref().is_some_and(|p| !p.is_empty()) {
        return refuse(format!(
            "The cluster '{name}' is reached through a proxy (proxy-url). Hedgerow connects directly; remove proxy-url, and let the server reach the cluster."
        ));
    }
    if cluster.insecure_skip_tls_verify == Some(true) && verify_tls {
        return refuse(format!(
            "The cluster '{name}' says insecure-skip-tls-verify. Put certificate-authority-data there instead, or switch TLS verification off for this fabric."
        ));
    }
    match (&cluster.certificate_authority_data, &cluster.certificate_authority) {
        (Some(data), _) if !data.is_empty() => decode(data, "certificate-authority-data").map(Some),
        (_, Some(path)) if !path.is_empty() => refuse(format!(
            "The cluster '{name}' names its CA by a file (certificate-authority), which this server does not have; {FLATTEN}."
        )),
        _ => Ok(None),
    }
}

fn identity(user: &AuthInfo, name: &str) -> Result<Option<certificate::Identity>, ConfigError> {
    for (path, data, what) in [
        (&user.client_certificate, user.client_certificate_data.is_some(), "client-certificate"),
        (&user.client_key, user.client_key_data.is_some(), "client-key"),
    ] {
        if path.as_deref().is_some_and(|p| !p.is_empty()) && !data {
            return refuse(format!(
                "The user '{name}' names a file ({what}), which this server does not have; {FLATTEN}."
            ));
        }
    }
    match (&user.client_certificate_data, &user.client_key_data) {
        (None, None) => Ok(None),
        (Some(_), None) => refuse(format!("The user '{name}' has client-certificate-data without client-key-data.")),
        (None, Some(_)) => refuse(format!("The user '{name}' has client-key-data without client-certificate-data.")),
        (Some(certificate), Some(key)) => {
            let certificate = decode(certificate, "client-certificate-data")?;
            let key = decode(key.expose_secret(), "client-key-data")?;
            certificate::Identity::from_pem(&certificate, &key, &certificate::KUBECONFIG).map(Some)
        }
    }
}

/// What is sent with each request. Programs, providers and files are refused.
fn credentials(user: &AuthInfo, name: &str, has_certificate: bool) -> Result<AuthInfo, ConfigError> {
    if let Some(exec) = &user.exec {
        let program = exec.command.as_deref().unwrap_or("a program");
        return refuse(format!(
            "The user '{name}' gets its credentials by running '{program}' (exec plugin). Hedgerow runs no programs that a kubeconfig names, and the login behind it would expire; create a ServiceAccount with a token in the cluster instead."
        ));
    }
    if let Some(provider) = &user.auth_provider {
        return refuse(format!(
            "The user '{name}' logs in through the auth-provider '{}', which Kubernetes itself has given up; create a ServiceAccount with a token instead.",
            provider.name
        ));
    }
    let token = user.token.as_ref().filter(|t| !t.expose_secret().trim().is_empty());
    if token.is_none() && user.token_file.as_deref().is_some_and(|f| !f.is_empty()) {
        return refuse(format!(
            "The user '{name}' reads its token from a file (tokenFile), which this server does not have; write the token itself as 'token'."
        ));
    }
    let token = token
        .map(clean_token)
        .transpose()
        .map_err(|message| ConfigError::new(FIELD, format!("User '{name}': {message}")))?;
    let password = (&user.username, &user.password);
    if token.is_none() && !has_certificate {
        match password {
            (Some(u), Some(p)) if !u.is_empty() && !p.expose_secret().is_empty() => {}
            (Some(_), _) | (_, Some(_)) => {
                return refuse(format!("The user '{name}' has a username or a password, but not both."));
            }
            (None, None) => return refuse(format!("The user '{name}' has no token, client certificate or password.")),
        }
    }
    if user.impersonate.is_none() && (user.impersonate_groups.is_some() || user.impersonate_uid.is_some()) {
        return refuse(format!("The user '{name}' impersonates groups or a uid (as-groups, as-uid) without 'as'."));
    }
    let (username, password) = match token.is_none() && !has_certificate {
        true => (user.username.clone(), user.password.clone()),
        false => (None, None),
    };
    Ok(AuthInfo {
        username,
        password,
        token,
        impersonate: user.impersonate.clone(),
        impersonate_uid: user.impersonate_uid.clone(),
        impersonate_groups: user.impersonate_groups.clone(),
        impersonate_user_extra: user.impersonate_user_extra.clone(),
        ..AuthInfo::default()
    })
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, ConfigError> {
    let compact = SecretString::from(text.split_whitespace().collect::<String>());
    STANDARD
        .decode(compact.expose_secret())
        .or_else(|_| refuse(format!("{what} is not base64; copy the kubeconfig again as it is.")))
}
