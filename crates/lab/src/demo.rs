//! Two fabrics of our own to look at: `east`, where something is to sync, something drifted and something is wrong, and
//! `west`, where all is well. Each is a tree of manifests, as a user keeps it in Git, and the objects of its cluster.

use crate::lab::{Lab, LoadError};
use serde_json::Value;

/// A file of the desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoFile {
    /// Path in the repository.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Objects of the cluster, by who wrote them there.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Field manager.
    pub manager: &'static str,
    /// The objects, to be written in this order of seeds.
    pub objects: Vec<Value>,
}

/// A fabric of the demo.
#[derive(Debug, Clone)]
pub struct DemoFabric {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// The desired state.
    pub files: &'static [DemoFile],
    /// The cluster.
    pub seeds: Vec<Seed>,
}

macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(DemoFile { path: $path, text: include_str!(concat!("../assets/demo/", $folder, "/", $path)) }),*]
    };
}

const EAST: &[DemoFile] = files!(
    "east":
    "README.md",
    "attachments/analytics.yaml",
    "attachments/bench.yaml",
    "attachments/ci.yaml",
    "attachments/db.yaml",
    "attachments/shared.yaml",
    "attachments/storage.yaml",
    "attachments/web.yaml",
    "externals/isp.yaml",
    "peerings/gateway.yaml",
    "peerings/isp.yaml",
    "peerings/vpcs.yaml",
    "vpcs/analytics.yaml",
    "vpcs/ci.yaml",
    "vpcs/db.yaml",
    "vpcs/guest.yaml",
    "vpcs/shared.yaml",
    "vpcs/storage.yaml",
    "vpcs/web.yaml",
    "wiring/connections/external.yaml",
    "wiring/connections/fabric.yaml",
    "wiring/connections/gateway.yaml",
    "wiring/connections/servers.yaml",
    "wiring/gateways.yaml",
    "wiring/groups.yaml",
    "wiring/namespaces.yaml",
    "wiring/servers.yaml",
    "wiring/switches/leaf-01.yaml",
    "wiring/switches/leaf-02.yaml",
    "wiring/switches/leaf-03.yaml",
    "wiring/switches/leaf-04.yaml",
    "wiring/switches/spine-01.yaml",
    "wiring/switches/spine-02.yaml",
);
const WEST: &[DemoFile] = files!(
    "west":
    "README.md",
    "vpcs/attachments.yaml",
    "vpcs/backup.yaml",
    "vpcs/peerings.yaml",
    "vpcs/web.yaml",
    "wiring/connections.yaml",
    "wiring/groups.yaml",
    "wiring/namespaces.yaml",
    "wiring/servers.yaml",
    "wiring/switches.yaml",
);

/// Who put the first state into the cluster.
const INSTALLER: &str = "hhfab";

/// Kind and name of what is in the files of `east`, and not in its cluster: new, deleted by somebody, or wrong.
const ABSENT: &[(&str, &str)] = &[
    ("VPC", "analytics"),
    ("VPCAttachment", "analytics-ingest--server-15"),
    ("VPCAttachment", "analytics-query--server-16"),
    ("VPCAttachment", "ci-runners--server-10"),
    ("VPC", "guest"),
    ("VPCAttachment", "shared-default--server-19"),
];

/// Two spines, four leaves, a gateway, twenty servers. To sync: a new VPC and two changed objects. Drifted: two objects
/// that somebody edited, one that somebody deleted, two that exist in the cluster only. Wrong: a misspelt field in
/// `vpcs/guest.yaml`, and a connection that is attached already in `attachments/bench.yaml`.
pub fn east() -> DemoFabric {
    let mut first = objects(EAST.iter().map(|f| (f.path, f.text)));
    first.retain(|o| !ABSENT.iter().any(|(kind, name)| o["kind"] == *kind && o["metadata"]["name"] == *name));
    for before in objects([("before.yaml", include_str!("../assets/demo/east-live/before.yaml"))]) {
        let same = |o: &&mut Value| o["kind"] == before["kind"] && o["metadata"]["name"] == before["metadata"]["name"];
        if let Some(object) = first.iter_mut().find(same) {
            *object = before;
        }
    }
    let edited = objects([("edited.yaml", include_str!("../assets/demo/east-live/edited.yaml"))]);
    let extra = objects([("extra.yaml", include_str!("../assets/demo/east-live/extra.yaml"))]);
    DemoFabric {
        name: "east",
        description: "Two spines, four leaves, a gateway, twenty servers; somebody has been at it.",
        files: EAST,
        seeds: vec![
            platform(),
            Seed { manager: INSTALLER, objects: first },
            Seed { manager: "kubectl-edit", objects: edited },
            Seed { manager: "kubectl-create", objects: extra },
        ],
    }
}

/// One spine, two leaves, six servers; files and cluster agree.
pub fn west() -> DemoFabric {
    DemoFabric {
        name: "west",
        description: "One spine, two leaves, six servers; as it should be.",
        files: WEST,
        seeds: vec![platform(), Seed { manager: INSTALLER, objects: objects(WEST.iter().map(|f| (f.path, f.text))) }],
    }
}

/// What the installer keeps of itself in every cluster.
fn platform() -> Seed {
    let text = include_str!("../assets/demo/platform.yaml");
    Seed { manager: "fabricator", objects: objects([("platform.yaml", text)]) }
}

impl DemoFabric {
    /// Puts the objects of the cluster into a lab.
    pub fn load(&self, lab: &Lab) -> Result<(), LoadError> {
        self.seeds.iter().try_for_each(|seed| lab.load(seed.objects.iter().cloned(), seed.manager))
    }
}

/// The objects of manifests; what is no YAML file is passed over.
fn objects<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Value> {
    let mut all = Vec::new();
    for (path, text) in files.into_iter().filter(|(path, _)| path.ends_with(".yaml")) {
        match serde_saphyr::from_multiple::<Value>(text) {
            Ok(documents) => all.extend(documents.into_iter().filter(Value::is_object)),
            // The files are part of the program; the tests below read all of them.
            Err(error) => unreachable!("assets/demo: {path}: {error}"),
        }
    }
    all
}
