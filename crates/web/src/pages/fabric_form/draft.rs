//! The form's contents as they were typed: read, checked, and turned into what the store takes. Everything but secrets
//! goes back into the form when something is refused.

mod automatic;
mod cluster;

use super::Fields;
use crate::extract::Fields as Given;
use crate::parts::field::{Field, FieldKind};
use crate::state::WebSettings;
use automatic::AutomaticDraft;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use store::fabrics::{SecretChange, SecretChanges};
use store::{Cluster, CredentialKind, EndpointLogin, Fabric, FabricSecrets, FabricSpec, Source};

/// What is wrong, by field.
#[derive(Debug, Default)]
pub struct Errors(pub BTreeMap<&'static str, String>);

impl Errors {
    /// Notes what is wrong with a field; the first word on a field stands.
    pub fn set(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.entry(field).or_insert_with(|| message.into());
    }

    /// For the list on top of the form: field, and label with message.
    pub fn list(&self) -> Vec<(String, String)> {
        let line = |(name, message): (&&str, &String)| ((*name).to_owned(), format!("{}: {message}", label(name)));
        self.0.iter().map(line).collect()
    }
}

/// The form's contents.
#[derive(Debug, Default)]
pub struct Draft {
    pub name: String,
    pub description: String,
    pub sync_enabled: bool,
    pub deadline_minutes: String,
    pub cluster_kind: String,
    pub kubeconfig: Option<SecretString>,
    pub server: String,
    pub token: Option<SecretString>,
    pub client_certificate: String,
    pub client_key: Option<SecretString>,
    pub ca_pem: String,
    pub verify_tls: bool,
    pub namespace: String,
    pub source_url: String,
    pub branch: String,
    pub path: String,
    pub credential_kind: String,
    pub source_username: String,
    pub source_token: Option<SecretString>,
    pub ssh_key: Option<SecretString>,
    pub known_hosts: String,
    pub automatic: AutomaticDraft,
    pub version: String,
    pub errors: Errors,
}

fn label(name: &str) -> &'static str {
    match name {
        "name" => "Name",
        "description" => "Description",
        "deadline_minutes" => "Time limit in minutes",
        "cluster_kind" => "How the cluster is reached",
        "kubeconfig" => "Kubeconfig",
        "server" => "API server",
        "token" => "Token",
        "client_certificate" => "Client certificate",
        "client_key" => "Client key",
        "ca_pem" => "CA certificate",
        "verify_tls" => "Verify the cluster's certificate",
        "namespace" => "Namespace",
        "source_url" => "Repository",
        "branch" => "Branch",
        "path" => "Path",
        "credential_kind" => "How to log in to it",
        "source_username" => "User name",
        "source_token" => "Token or password",
        "ssh_key" => "SSH key",
        "known_hosts" => "Known hosts",
        name => automatic::label(name).unwrap_or("Sync is on"),
    }
}

/// The field that a check of the schema is about.
pub fn field_of_check(check: &str) -> &'static str {
    match check {
        "fabrics_namespace_given" => "namespace",
        "fabrics_branch_given" => "branch",
        "fabrics_deadline_positive" => "deadline_minutes",
        "fabrics_endpoint_has_server" => "server",
        "fabrics_ca_needs_endpoint" => "ca_pem",
        "fabrics_kubeconfig_given" => "kubeconfig",
        "fabrics_token_given" => "token",
        "fabrics_certificate_needs_endpoint" => "client_certificate",
        "fabrics_key_follows_certificate" => "client_key",
        "fabrics_remote_has_url" => "source_url",
        "fabrics_username_needs_credential" => "source_username",
        "fabrics_known_hosts_needs_ssh" => "known_hosts",
        "fabrics_source_token_given" => "source_token",
        "fabrics_ssh_key_given" => "ssh_key",
        "fabrics_local_has_no_credential" => "credential_kind",
        check if check.contains("server") => "token",
        check if check.contains("source") => "credential_kind",
        _ => "name",
    }
}

impl Draft {
    /// The form for a new fabric.
    pub fn new() -> Self {
        let spec = FabricSpec::default();
        Self { cluster_kind: "kubeconfig".into(), ..Self::of_spec(&spec) }
    }

    /// The form for a fabric's settings.
    pub fn of(fabric: &Fabric) -> Self {
        Self { version: fabric.version.to_string(), ..Self::of_spec(&fabric.spec()) }
    }

    fn of_spec(spec: &FabricSpec) -> Self {
        let (server, ca_pem) = match &spec.cluster {
            Cluster::Endpoint { server, ca_pem, .. } => (server.clone(), ca_pem.clone().unwrap_or_default()),
            Cluster::None | Cluster::Kubeconfig => Default::default(),
        };
        let client_certificate = match spec.cluster.login() {
            Some(EndpointLogin::Certificate { pem }) => pem.clone(),
            Some(EndpointLogin::Token) | None => String::new(),
        };
        let (source_url, source_username, known_hosts) = match &spec.source {
            Source::Local => Default::default(),
            Source::Remote { url, username, known_hosts, .. } => {
                (url.clone(), username.clone().unwrap_or_default(), known_hosts.clone().unwrap_or_default())
            }
        };
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            sync_enabled: spec.sync_enabled,
            deadline_minutes: minutes(spec.deadline_seconds),
            cluster_kind: spec.cluster.kind().to_owned(),
            server,
            client_certificate,
            ca_pem,
            verify_tls: spec.verify_tls,
            namespace: spec.namespace.clone(),
            source_url,
            branch: spec.branch.clone(),
            path: spec.path.clone(),
            credential_kind: spec.source.credential_kind().as_str().to_owned(),
            source_username,
            known_hosts,
            automatic: AutomaticDraft::of(&spec.policy),
            ..Self::default()
        }
    }

    /// What was typed.
    pub fn read(given: &Given) -> Self {
        let text = |name: &str| given.text(name).to_owned();
        let lines = |name: &str| given.get(name).unwrap_or_default().replace("\r\n", "\n").trim().to_owned();
        let secret = |name: &str| {
            let value = lines(name);
            (!value.is_empty()).then(|| SecretString::from(value))
        };
        let mut errors = Errors::default();
        let mut ticked = |name: &'static str| {
            given.ticked(name).unwrap_or_else(|problem| {
                errors.set(name, problem.message.clone());
                false
            })
        };
        let (sync_enabled, verify_tls) = (ticked("sync_enabled"), ticked("verify_tls"));
        let (self_heal, prune) = (ticked("self_heal"), ticked("prune"));
        let mut draft = Self {
            name: text("name"),
            description: text("description"),
            sync_enabled,
            deadline_minutes: text("deadline_minutes"),
            cluster_kind: text("cluster_kind"),
            kubeconfig: secret("kubeconfig"),
            server: text("server"),
            token: secret("token"),
            client_certificate: lines("client_certificate"),
            client_key: secret("client_key"),
            ca_pem: lines("ca_pem"),
            verify_tls,
            namespace: text("namespace"),
            source_url: text("source_url"),
            branch: text("branch"),
            path: text("path"),
            credential_kind: text("credential_kind"),
            source_username: text("source_username"),
            source_token: secret("source_token"),
            // Keys end with a line break; some programs refuse one that does not.
            ssh_key: secret("ssh_key").map(|key| SecretString::from(format!("{}\n", key.expose_secret()))),
            known_hosts: lines("known_hosts"),
            automatic: AutomaticDraft::read(given, self_heal, prune),
            version: text("version"),
            errors,
        };
        if draft.credential_kind.is_empty() {
            draft.credential_kind = "none".into();
        }
        draft
    }

    /// Turns the draft into what the store takes, or notes what is wrong. `before` is the fabric as it is stored, whose
    /// secrets stay where a field is empty.
    pub fn check(&mut self, before: Option<&Fabric>, settings: &WebSettings) -> Option<FabricSpec> {
        let allow_file = settings.allow_file;
        if self.name.is_empty() {
            self.errors.set("name", "A fabric needs a name.");
        } else if self.name.chars().count() > 100 || self.name.chars().any(char::is_control) {
            self.errors.set("name", "The name must have at most 100 characters, all of them printable.");
        }
        if !is_namespace(&self.namespace) {
            self.errors.set("namespace", "A namespace has lower-case letters, digits and hyphens, at most 63 of them.");
        }
        let deadline_seconds = match self.deadline_minutes.parse::<u32>() {
            Ok(minutes @ 1..=1_440) => minutes * 60,
            _ => {
                self.errors.set("deadline_minutes", "Give whole minutes, from 1 to 1440.");
                0
            }
        };
        let cluster = self.check_cluster(before);
        let source = self.check_source(before, allow_file);
        let windows = before.map_or(0, |fabric| fabric.policy.windows.len());
        let policy = self.check_automatic(windows, settings.shortest_interval);
        let (Some(cluster), Some(source), Some(policy), true) = (cluster, source, policy, self.errors.0.is_empty())
        else {
            return None;
        };
        Some(FabricSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            cluster,
            verify_tls: self.verify_tls,
            namespace: self.namespace.clone(),
            source,
            branch: self.branch.clone(),
            path: self.path.clone(),
            sync_enabled: self.sync_enabled,
            deadline_seconds,
            policy,
        })
    }

    fn check_source(&mut self, before: Option<&Fabric>, allow_file: bool) -> Option<Source> {
        if self.branch.is_empty() {
            self.errors.set("branch", "A source needs a branch, for example main.");
        }
        let Ok(kind) = self.credential_kind.parse::<CredentialKind>() else {
            self.errors.set("credential_kind", "Choose one of the ways.");
            return None;
        };
        let stored = before.map_or(CredentialKind::None, |fabric| fabric.source.credential_kind());
        if self.source_url.is_empty() {
            if kind != CredentialKind::None {
                self.errors.set("credential_kind", "Without a repository's address there is nothing to log in to.");
            }
            self.check_config(None, allow_file);
            return Some(Source::Local);
        }
        let username = (!self.source_username.is_empty()).then(|| self.source_username.clone());
        let known_hosts = (!self.known_hosts.is_empty()).then(|| self.known_hosts.clone());
        let credentials = match kind {
            CredentialKind::None => source::Credentials::None,
            CredentialKind::Token => {
                if self.source_token.is_none() && stored != kind {
                    self.errors.set("source_token", "Enter the token.");
                }
                let token = self.source_token.clone().unwrap_or_else(|| SecretString::from("stored"));
                source::Credentials::Token { username: username.clone(), token }
            }
            CredentialKind::Ssh => match &self.ssh_key {
                Some(key) => source::Credentials::SshKey { private_key: key.clone(), known_hosts: known_hosts.clone() },
                None => {
                    if stored != kind {
                        self.errors.set("ssh_key", "Paste the private key.");
                    }
                    // A stored key has been checked before; the address is checked without it.
                    source::Credentials::None
                }
            },
        };
        self.check_config(Some(source::Remote { url: self.source_url.clone(), credentials }), allow_file);
        Some(Source::Remote {
            url: self.source_url.clone(),
            credential_kind: kind,
            username: username.filter(|_| kind != CredentialKind::None),
            known_hosts: known_hosts.filter(|_| kind == CredentialKind::Ssh),
        })
    }

    fn check_config(&mut self, remote: Option<source::Remote>, allow_file: bool) {
        let config = source::Config { remote, branch: self.branch.clone(), path: self.path.clone(), allow_file };
        if let Err(error) = config.validate() {
            let field = match error.field {
                "branch" => "branch",
                "path" => "path",
                "username" => "source_username",
                "token" => "source_token",
                "private_key" => "ssh_key",
                "known_hosts" => "known_hosts",
                "credentials" => "credential_kind",
                _ => "source_url",
            };
            self.errors.set(field, error.message);
        }
    }

    /// The fields as the page shows them; `login` is what the stored secret of an endpoint is.
    pub fn fields(&self, stored: &FabricSecrets, login: Option<&EndpointLogin>) -> Fields {
        let by_certificate = matches!(login, Some(EndpointLogin::Certificate { .. }));
        let field = |kind, name: &'static str, value: &str| {
            let mut field = Field::new(kind, name, label(name), value);
            field.error = self.errors.0.get(name).cloned();
            field
        };
        let text = |name, value: &str| field(FieldKind::Text, name, value);
        let area = |name, value: &str| field(FieldKind::Area, name, value);
        let check = |name, on: bool| field(FieldKind::Check, name, if on { "on" } else { "" });
        let secret = |kind, name, stored: bool| {
            let mut field = field(kind, name, "");
            field.stored = stored;
            field
        };
        Fields {
            name: text("name", &self.name).required(),
            description: text("description", &self.description),
            sync_enabled: check("sync_enabled", self.sync_enabled).help("When off, nothing is written to the cluster."),
            deadline_minutes: text("deadline_minutes", &self.deadline_minutes)
                .help("An operation that takes longer is ended, with what was done until then."),
            cluster_kind: field(FieldKind::Select, "cluster_kind", &self.cluster_kind).options(&[
                ("kubeconfig", "By kubeconfig"),
                ("endpoint", "By address, with a token or a client certificate"),
                ("none", "Later: no cluster yet"),
            ]),
            kubeconfig: secret(FieldKind::SecretArea, "kubeconfig", stored.kubeconfig.is_some())
                .placeholder("apiVersion: v1\nkind: Config")
                .help(
                    "With token or client certificate inside. Files and exec plugins are refused: they would be read \
                       and run on this server.",
                ),
            server: text("server", &self.server).placeholder("https://10.0.12.4:6443"),
            token: secret(FieldKind::Secret, "token", stored.endpoint.is_some() && !by_certificate).help(
                "Of the ServiceAccount beside this form; or leave it empty and give a client certificate. To another \
                 address it is not sent: enter it again there.",
            ),
            client_certificate: area("client_certificate", &self.client_certificate)
                .placeholder("-----BEGIN CERTIFICATE-----")
                .help("In place of a token. The certificate in PEM, with those between it and its authority."),
            client_key: secret(FieldKind::SecretArea, "client_key", stored.endpoint.is_some() && by_certificate)
                .placeholder("-----BEGIN PRIVATE KEY-----")
                .help("The certificate's private key in PEM, without a passphrase."),
            ca_pem: area("ca_pem", &self.ca_pem)
                .placeholder("-----BEGIN CERTIFICATE-----")
                .help("The authority that signed the API server's certificate. Empty for the system's authorities."),
            verify_tls: check("verify_tls", self.verify_tls).help(
                "Without it, whoever sits between can read the token, and answer in the cluster's name. The fabric's pages say so while it is off.",
            ),
            namespace: text("namespace", &self.namespace).required(),
            source_url: text("source_url", &self.source_url)
                .placeholder("https://git.example.net/fabrics/lab-1.git")
                .help("https or ssh. Empty: Hedgerow keeps a local repository for this fabric."),
            branch: text("branch", &self.branch).required(),
            path: text("path", &self.path).help("The folder with the manifests. Empty for all of the repository."),
            credential_kind: field(FieldKind::Select, "credential_kind", &self.credential_kind).options(&[
                ("none", "Without credentials"),
                ("token", "With a token over https"),
                ("ssh", "With an SSH key"),
            ]),
            source_username: text("source_username", &self.source_username)
                .help("Most servers take any name beside a token."),
            source_token: secret(FieldKind::Secret, "source_token", stored.source_token.is_some()),
            ssh_key: secret(FieldKind::SecretArea, "ssh_key", stored.ssh_key.is_some()).help("Without a passphrase."),
            known_hosts: area("known_hosts", &self.known_hosts)
                .help("The server's host keys. Empty: the key that is seen first is remembered."),
            automatic: self.automatic_fields(),
        }
    }
}

fn minutes(seconds: u32) -> String {
    seconds.div_ceil(60).to_string()
}

/// What Kubernetes takes as the name of a namespace.
fn is_namespace(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Without the secrets that the chosen ways do not use: a kubeconfig that was pasted before another way was chosen.
pub fn only_used(spec: &FabricSpec, secrets: FabricSecrets) -> FabricSecrets {
    let credential = spec.source.credential_kind();
    FabricSecrets {
        kubeconfig: secrets.kubeconfig.filter(|_| spec.cluster == Cluster::Kubeconfig),
        endpoint: secrets.endpoint.filter(|_| spec.cluster.login().is_some()),
        source_token: secrets.source_token.filter(|_| credential == CredentialKind::Token),
        ssh_key: secrets.ssh_key.filter(|_| credential == CredentialKind::Ssh),
    }
}

/// The same for changes.
pub fn keep_unused(spec: &FabricSpec, secrets: &mut SecretChanges) {
    let credential = spec.source.credential_kind();
    let keep = |used: bool, change: &mut SecretChange| {
        if !used {
            *change = SecretChange::Keep;
        }
    };
    keep(spec.cluster == Cluster::Kubeconfig, &mut secrets.kubeconfig);
    keep(spec.cluster.login().is_some(), &mut secrets.endpoint);
    keep(credential == CredentialKind::Token, &mut secrets.source_token);
    keep(credential == CredentialKind::Ssh, &mut secrets.ssh_key);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Draft {
        let mut form: BTreeMap<&str, &str> = [
            ("name", "lab-1"),
            ("cluster_kind", "none"),
            ("namespace", "default"),
            ("branch", "main"),
            ("deadline_minutes", "15"),
            ("verify_tls", "on"),
        ]
        .into();
        form.extend(pairs.iter().copied());
        let encoded: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Draft::read(&Given::of_form(encoded.as_bytes()))
    }

    #[test]
    fn lesson_24_every_field_round_trips() {
        let mut draft = typed(&[
            ("description", "Two spines & four leaves"),
            ("sync_enabled", "on"),
            ("source_url", "https://git.example.net/fabrics/lab-1.git"),
            ("credential_kind", "token"),
            ("source_username", "hedgerow"),
            ("source_token", "s3cret"),
            ("path", "fabric/a"),
            ("branch", "release/1"),
            ("deadline_minutes", "30"),
        ]);
        let spec = draft.check(None, &WebSettings::default()).unwrap_or_else(|| panic!("{:?}", draft.errors));
        let again = Draft::of_spec(&spec);
        assert_eq!(Draft { cluster_kind: draft.cluster_kind.clone(), ..again }.check_again(), draft.check_again());
        let html: String = draft.fields(&FabricSecrets::default(), None).source_token.to_string();
        assert!(!html.contains("s3cret"), "{html}");
    }

    impl Draft {
        fn check_again(&self) -> String {
            let Self { name, description, sync_enabled, deadline_minutes, cluster_kind, server, ca_pem, .. } = self;
            let Self { verify_tls, namespace, source_url, branch, path, credential_kind, source_username, .. } = self;
            format!(
                "{name}|{description}|{sync_enabled}|{deadline_minutes}|{cluster_kind}|{server}|{ca_pem}|{verify_tls}|{namespace}|\
                     {source_url}|{branch}|{path}|{credential_kind}|{source_username}|{}",
                self.known_hosts
            )
        }
    }

    #[test]
    fn lesson_12_what_cannot_be_meant_is_refused_at_its_field() {
        let wrong = |pairs: &[(&str, &str)]| {
            let mut draft = typed(pairs);
            assert!(draft.check(None, &WebSettings::default()).is_none(), "{pairs:?}");
            draft.errors.0.keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(wrong(&[("name", " ")]), ["name"]);
        assert_eq!(wrong(&[("namespace", "Default")]), ["namespace"]);
        assert_eq!(wrong(&[("deadline_minutes", "0")]), ["deadline_minutes"]);
        assert_eq!(wrong(&[("cluster_kind", "kubeconfig")]), ["kubeconfig"]);
        assert_eq!(wrong(&[("cluster_kind", "magic")]), ["cluster_kind"]);
        assert_eq!(wrong(&[("cluster_kind", "endpoint"), ("server", "https://10.0.0.1:6443")]), ["token"]);
        assert_eq!(wrong(&[("cluster_kind", "endpoint"), ("server", "nonsense"), ("token", "t")]), ["server"]);
        assert_eq!(wrong(&[("branch", "")]), ["branch"]);
        assert_eq!(wrong(&[("path", "../x")]), ["path"]);
        assert_eq!(wrong(&[("credential_kind", "token")]), ["credential_kind"]);
        assert_eq!(wrong(&[("source_url", "https://x.example/r.git"), ("credential_kind", "token")]), ["source_token"]);
        assert_eq!(wrong(&[("source_url", "https://x.example/r.git"), ("credential_kind", "ssh")]), ["ssh_key"]);
        assert_eq!(wrong(&[("source_url", "file:///etc")]), ["source_url"]);
    }

    #[test]
    fn an_exec_plugin_is_refused_with_its_reason() {
        let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {server: 'https://10.0.0.1:6443'}\n\
                          contexts:\n- name: c\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user:\n    exec:\n      apiVersion: \
                          client.authentication.k8s.io/v1\n      command: aws\n";
        let mut draft = typed(&[("cluster_kind", "kubeconfig"), ("kubeconfig", kubeconfig)]);
        assert!(draft.check(None, &WebSettings::default()).is_none());
        assert!(draft.errors.0["kubeconfig"].contains("exec"), "{:?}", draft.errors);
    }
}
