//! What a cell has to write, and the fabric around it: the files of the repository, and whether the cluster holds them.

use anyhow::Result;
use serde_json::{Value, json};

/// What a cell has to write: a server's description changes, a VPC comes, and an attachment of it.
#[derive(Debug, Clone)]
pub struct Plan {
    number: u16,
}

impl Plan {
    /// The plan of this number.
    pub const fn new(number: u16) -> Self {
        Self { number }
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// The VPC's name.
    pub fn vpc(&self) -> String {
        format!("vpc-new-{}", self.number)
    }

    /// The attachment's name.
    pub fn attachment(&self) -> String {
        format!("{}--server-02", self.vpc())
    }

    /// The objects by kind and name, in the order in which they are written.
    pub fn objects(&self) -> [(&'static str, String); 3] {
        [("Server", "server-01".to_owned()), ("VPC", self.vpc()), ("VPCAttachment", self.attachment())]
    }

    fn vlan(&self) -> u16 {
        1100 + self.number % 800
    }

    fn description(&self) -> String {
        format!("moved {} times", self.number)
    }

    /// The VPC, as Git holds it or with another VLAN.
    pub fn vpc_object(&self, other_vlan: Option<u16>) -> Value {
        let octet = 10 + self.number % 200;
        json!({
            "apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
            "metadata": {"name": self.vpc(), "namespace": "default"},
            "spec": {"ipv4Namespace": "default", "vlanNamespace": "default", "subnets": {"default": {
                "subnet": format!("10.0.{octet}.0/24"), "gateway": format!("10.0.{octet}.1"),
                "vlan": other_vlan.unwrap_or_else(|| self.vlan()),
            }}},
        })
    }

    /// Whether the cluster holds an object of the plan as Git does.
    pub fn is_equal(&self, kind: &str, live: &Value) -> bool {
        match kind {
            "Server" => live["spec"]["description"] == self.description(),
            "VPC" => live["spec"]["subnets"]["default"]["vlan"] == self.vlan(),
            _ => live["spec"]["subnet"] == format!("{}/default", self.vpc()),
        }
    }

    /// The files of the repository.
    pub fn files(&self) -> Result<Vec<(&'static str, String)>> {
        let server = |name: &str, description: &str| {
            format!(
                "apiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata:\n  name: {name}\nspec:\n  \
                 description: {description}\n"
            )
        };
        let spares = ["spare-01", "spare-02", "spare-03"].map(|name| server(name, "not wired yet"));
        let first = [server("server-01", &self.description()), server("server-02", "on the switch of rack 2")];
        let attachment = format!(
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCAttachment\nmetadata:\n  name: {}\nspec:\n  subnet: \
             {}/default\n  connection: server-02--unbundled--leaf-03\n",
            self.attachment(),
            self.vpc()
        );
        Ok(vec![
            ("namespaces.yaml", include_str!("../fabric/namespaces.yaml").to_owned()),
            ("wiring/switches.yaml", include_str!("../fabric/switches.yaml").to_owned()),
            ("wiring/servers.yaml", [&first[..], &spares[..]].concat().join("---\n")),
            ("wiring/connections.yaml", include_str!("../fabric/connections.yaml").to_owned()),
            ("wiring/gateways.yaml", include_str!("../fabric/gateways.yaml").to_owned()),
            ("vpcs.yaml", include_str!("../fabric/vpcs.yaml").to_owned()),
            ("new.yaml", format!("{}---\n{attachment}", serde_saphyr::to_string(&self.vpc_object(None))?)),
        ])
    }
}
