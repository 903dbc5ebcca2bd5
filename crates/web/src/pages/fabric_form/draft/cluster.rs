//! The part of the form that says how the cluster is reached: a kubeconfig, or an address with a token or a client
//! certificate. What is stored was checked when it was entered; an empty secret keeps it.

use super::Draft;
use jiff::Timestamp;
use secrecy::SecretString;
use store::{Cluster, EndpointLogin, Fabric};

impl Draft {
    /// The secret that was typed for such a login.
    pub fn of_login(&self, login: &EndpointLogin) -> &Option<SecretString> {
        match login {
            EndpointLogin::Token => &self.token,
            EndpointLogin::Certificate { .. } => &self.client_key,
        }
    }

    /// How the cluster is reached, as far as it can be meant; what is wrong is noted at its field.
    pub(super) fn check_cluster(&mut self, before: Option<&Fabric>) -> Option<Cluster> {
        match self.cluster_kind.as_str() {
            "none" => Some(Cluster::None),
            "kubeconfig" => {
                match &self.kubeconfig {
                    Some(text) => self.check_credentials(&cluster::Credentials::Kubeconfig(text.clone())),
                    None if before.is_some_and(|fabric| fabric.cluster == Cluster::Kubeconfig) => {}
                    None => {
                        self.errors.set("kubeconfig", "Paste the kubeconfig, or choose to enter the cluster later.")
                    }
                }
                Some(Cluster::Kubeconfig)
            }
            "endpoint" => Some(self.check_endpoint(before)),
            _ => {
                self.errors.set("cluster_kind", "Choose one of the ways.");
                None
            }
        }
    }

    fn check_endpoint(&mut self, before: Option<&Fabric>) -> Cluster {
        let stored = before.and_then(|fabric| fabric.cluster.login()).cloned();
        let (server, ca_pem) = (self.server.clone(), Some(self.ca_pem.clone()).filter(|pem| !pem.is_empty()));
        let login = if self.client_certificate.is_empty() {
            EndpointLogin::Token
        } else {
            EndpointLogin::Certificate { pem: self.client_certificate.clone() }
        };
        match &login {
            EndpointLogin::Token => self.check_token(stored.as_ref(), &server, ca_pem.as_deref()),
            EndpointLogin::Certificate { .. } => {
                self.check_certificate(stored.as_ref() == Some(&login), &server, ca_pem.as_deref());
            }
        }
        Cluster::Endpoint { server, ca_pem, login }
    }

    fn check_token(&mut self, stored: Option<&EndpointLogin>, server: &str, ca_pem: Option<&str>) {
        if self.client_key.is_some() {
            self.errors.set("client_certificate", "Paste the certificate that belongs to the key.");
        } else if self.token.is_none() && stored != Some(&EndpointLogin::Token) {
            self.errors.set("token", "Enter the token of the ServiceAccount, or a client certificate with its key.");
        }
        let token = self.token.clone();
        self.check_with(token, server, ca_pem);
    }

    fn check_certificate(&mut self, is_stored: bool, server: &str, ca_pem: Option<&str>) {
        if self.token.is_some() {
            self.errors.set("token", "Enter a token or a client certificate, not both.");
        }
        let certificate = self.client_certificate.clone();
        if let Some(key) = self.client_key.clone() {
            let (server, ca_pem) = (server.to_owned(), ca_pem.map(str::to_owned));
            self.check_credentials(&cluster::Credentials::Certificate { server, certificate, key, ca_pem });
            return;
        }
        if !is_stored {
            self.errors.set("client_key", "Paste the private key of the certificate.");
        }
        if let Err(error) = cluster::check_client_certificate(&certificate, Timestamp::now()) {
            self.errors.set(error.field, error.message);
        }
        self.check_with(None, server, ca_pem);
    }

    /// The address and the CA are checked in any case; a stored secret has been checked before.
    fn check_with(&mut self, token: Option<SecretString>, server: &str, ca_pem: Option<&str>) {
        let token = token.unwrap_or_else(|| SecretString::from("stored"));
        let (server, ca_pem) = (server.to_owned(), ca_pem.map(str::to_owned));
        self.check_credentials(&cluster::Credentials::Endpoint { server, token, ca_pem });
    }

    fn check_credentials(&mut self, credentials: &cluster::Credentials) {
        if let Err(error) = cluster::Access::new(credentials, self.verify_tls) {
            self.errors.set(error.field, error.message);
        }
    }
}
