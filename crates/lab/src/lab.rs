//! The handle to a running lab.

use crate::{
    admission::FabricSettings,
    agents::{AgentTimings, Simulation},
    api::{
        self, ApiError, App,
        registry::{Registry, Resource},
        store::Store,
        write::{FieldValidation, Preconditions, WriteOptions, Writes},
    },
    faults::Faults,
    identity::{Identity, IdentityError},
    journal::Journal,
    kinds, profiles,
    serve::Server,
};
use serde_json::{Value, json};
use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::net::TcpListener;

/// The field manager of what the fabric controller writes.
const CONTROLLER: &str = "manager";

/// How a lab is started.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Holds nothing but the built-in switch profiles; otherwise the fabric `east` of the demo as well.
    pub empty: bool,
    /// The bearer token; random when absent. An identity brings its own.
    pub token: Option<String>,
    /// Come back as this lab: same authority, same token, same cluster.
    pub identity: Option<Identity>,
    /// How fast the simulated agents are.
    pub agents: AgentTimings,
    /// CustomResourceDefinitions to serve instead of the lab's own.
    pub crds: Option<Vec<Value>>,
    /// Address plan and limits that the admission rules use.
    pub settings: FabricSettings,
    /// Keep a journal of what clients write.
    pub journal: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret, the definitions are long.
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("empty", &self.empty)
            .field("identity", &self.identity)
            .field("agents", &self.agents)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            empty: true,
            token: None,
            identity: None,
            agents: AgentTimings::default(),
            crds: None,
            settings: FabricSettings::default(),
            journal: false,
        }
    }
}

/// Why a lab did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Keys or certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A seed was refused.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// An object that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("load {object}: {source}")]
pub struct LoadError {
    /// Kind and name.
    pub object: String,
    /// What the API said.
    pub source: ApiError,
}

/// A running lab. Dropping it stops it.
#[derive(Debug)]
pub struct Lab {
    store: Arc<Store>,
    faults: Arc<Faults>,
    journal: Arc<Journal>,
    identity: Identity,
    address: SocketAddr,
    server: Option<Server>,
    simulation: Option<Simulation>,
}

impl Lab {
    /// Starts a lab.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let identity = match options.identity {
            Some(identity) => identity,
            None => Identity::generate(options.token)?,
        };
        let failed = |source| StartError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let tls = identity.server_config(address.ip())?;
        let crds = options.crds.unwrap_or_else(kinds::crds);
        let store = Arc::new(Store::new(Registry::new(&crds), options.settings));
        seed(&store, &identity, &crds);
        let faults = Arc::new(Faults::default());
        let journal = Arc::new(Journal::default());
        let app = App {
            store: store.clone(),
            faults: faults.clone(),
            journal: options.journal.then(|| journal.clone()),
            token: identity.token().into(),
            address: address.to_string().into(),
            openapi_index: Arc::default(),
        };
        let mut lab = Self { store, faults, journal, identity, address, server: None, simulation: None };
        if !options.empty {
            crate::demo::east().load(&lab)?;
        }
        lab.simulation = Some(Simulation::start(&lab.store, &lab.faults, options.agents));
        lab.server = Some(Server::start(listener, tls, api::router(app), lab.faults.cuts()));
        Ok(lab)
    }

    /// `https://address:port`, with the loopback address when it listens on all.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("https://{address}")
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bearer token.
    pub fn token(&self) -> &str {
        self.identity.token()
    }

    /// Certificate of the authority, PEM.
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// What to keep in order to come back as the same lab.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A kubeconfig for kubectl and for every other client.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&self.url(), self.ca_pem(), self.token())
    }

    /// The faults, to be switched at any time.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What clients have written, if the lab was started to keep that.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Creates objects, or replaces those that exist, in the order in which they depend on each other, through the
    /// same rules as requests but for faults. A status goes to where statuses go.
    pub fn load(&self, objects: impl IntoIterator<Item = Value>, manager: &str) -> Result<(), LoadError> {
        let mut objects: Vec<Value> = objects.into_iter().collect();
        let word = |o: &Value, key: &str| o[key].as_str().unwrap_or_default().to_owned();
        objects.sort_by_key(|o| {
            let group = word(o, "apiVersion").split('/').next().unwrap_or_default().to_owned();
            model::kind::rank(&group, &word(o, "kind"))
        });
        let faults = Faults::default();
        let writes = Writes { store: &self.store, faults: &faults };
        let options = WriteOptions {
            manager: manager.to_owned(),
            field_validation: FieldValidation::Strict,
            ..WriteOptions::default()
        };
        for object in objects {
            let name = format!("{} {}", word(&object, "kind"), object["metadata"]["name"]);
            self.load_one(writes, object, &options).map_err(|source| LoadError { object: name, source })?;
        }
        Ok(())
    }

    fn load_one(&self, writes: Writes, object: Value, options: &WriteOptions) -> Result<(), ApiError> {
        let resource = self.store.registry.of_object(&object).ok_or_else(ApiError::no_such_path)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let found = self.store.lock().get(resource, &namespace, &name);
        let status = object.get("status").filter(|_| resource.status).cloned();
        if found.is_none() {
            writes.create(resource, &namespace, object, options)?;
        } else {
            self.replace_one(writes, resource, &object, options)?;
        }
        let Some(status) = status else { return Ok(()) };
        let mut report = |old: &Value| {
            let mut new = old.clone();
            new["status"] = status.clone();
            Ok(new)
        };
        let options = WriteOptions { subresource: Some("status"), ..options.clone() };
        writes.update(resource, &namespace, &name, &mut report, &options).map(drop)
    }

    fn replace_one(
        &self,
        writes: Writes,
        resource: &Resource,
        object: &Value,
        options: &WriteOptions,
    ) -> Result<(), ApiError> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut replace = |old: &Value| {
            let mut new = object.clone();
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            Ok(new)
        };
        writes.update(resource, namespace, name, &mut replace, options).map(drop)
    }

    /// Deletes an object as a request would.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<(), ApiError> {
        let resource = self.store.registry.by_kind(kind).ok_or_else(ApiError::no_such_path)?;
        let writes = Writes { store: &self.store, faults: &self.faults };
        writes.delete(resource, namespace, name, &Preconditions::default(), false).map(drop)
    }

    /// All objects of a kind, as they are stored.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.store.list_kind(kind).iter().map(|o| (**o).clone()).collect()
    }

    /// One object of namespace `default`.
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.store.get_kind(kind, name).map(|o| (*o).clone())
    }

    /// Forgets what happened, as a compaction of etcd does: watches from older versions and lists that are being read
    /// get 410.
    pub fn compact(&self) {
        self.store.lock().compact();
    }

    /// Stops the lab and waits until its port is free.
    pub async fn stop(mut self) {
        self.simulation = None;
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

/// What is there before the first request: namespaces, definitions, the built-in switch profiles.
fn seed(store: &Store, identity: &Identity, crds: &[Value]) {
    let time = api::write::now();
    for name in ["default", "fab", "kube-system"] {
        let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        if name == "kube-system" {
            namespace["metadata"]["uid"] = json!(identity.cluster_uid());
        }
        api::write::seed(store, namespace, "kube-apiserver");
    }
    for crd in crds {
        let mut crd = crd.clone();
        let versions: Vec<Value> =
            crd["spec"]["versions"].as_array().into_iter().flatten().map(|v| v["name"].clone()).collect();
        let condition = |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": time});
        crd["status"] = json!({"acceptedNames": crd["spec"]["names"], "storedVersions": versions,
            "conditions": [condition("NamesAccepted", "NoConflicts"), condition("Established", "InitialNamesAccepted")]});
        api::write::seed(store, crd, "kube-apiserver");
    }
    for profile in profiles::built_in() {
        api::write::seed(store, profile.clone(), CONTROLLER);
    }
}

/// A kubeconfig with one cluster, one user and one context.
fn kubeconfig(url: &str, ca_pem: &str, token: &str) -> String {
    use base64::Engine;
    let ca = base64::engine::general_purpose::STANDARD.encode(ca_pem);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\nclusters:\n- name: lab\n  cluster:\n    server: {url}\n    \
         certificate-authority-data: {ca}\ncontexts:\n- name: lab\n  context:\n    cluster: lab\n    namespace: default\n    \
         user: lab-admin\nusers:\n- name: lab-admin\n  user:\n    token: {token}\n"
    )
}
