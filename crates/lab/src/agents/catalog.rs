//! Numbers that the controller gives out: each once, and never again while the lab lives. They stand in Catalogs, which
//! are not cleaned up when what they number is deleted.

use crate::admission::Lookup;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The numbers of one fabric, as far as they are given out.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    vpc_vnis: BTreeMap<String, i64>,
    subnet_vnis: BTreeMap<String, BTreeMap<String, i64>>,
    irb_vlans: BTreeMap<String, i64>,
    internal_ids: BTreeMap<String, i64>,
    connections: BTreeMap<String, i64>,
}

/// VNIs of VPCs are this far apart; those of their subnets lie in between.
const VNI_STEP: i64 = 100;
const FIRST_IRB_VLAN: i64 = 3000;

fn read(value: &Value) -> BTreeMap<String, i64> {
    value.as_object().into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_i64()?))).collect()
}

fn next(taken: &mut BTreeMap<String, i64>, key: &str, first: i64, step: i64) -> i64 {
    if let Some(number) = taken.get(key) {
        return *number;
    }
    let number = taken.values().max().map_or(first, |max| max + step);
    taken.insert(key.to_owned(), number);
    number
}

impl Numbers {
    /// What the Catalogs hold.
    pub fn read(lookup: &dyn Lookup) -> Self {
        let spec = |name: &str| lookup.get("Catalog", name).map_or(Value::Null, |c| c["spec"].clone());
        let vpcs = spec("vpcs");
        let subnets = vpcs["vpcSubnetVNIs"].as_object().into_iter().flatten();
        Self {
            vpc_vnis: read(&vpcs["vpcVNIs"]),
            subnet_vnis: subnets.map(|(vpc, subnets)| (vpc.clone(), read(subnets))).collect(),
            irb_vlans: read(&vpcs["irbVLANs"]),
            internal_ids: read(&spec("vpcinfos")["vpcInfoIDs"]),
            connections: read(&spec("connections")["connectionIDs"]),
        }
    }

    /// VNI of a VPC, or of an External under `ext@<name>`.
    pub fn vni(&mut self, vpc: &str) -> i64 {
        next(&mut self.vpc_vnis, vpc, VNI_STEP, VNI_STEP)
    }

    pub fn subnet_vni(&mut self, vpc: &str, subnet: &str) -> i64 {
        let base = self.vni(vpc);
        next(self.subnet_vnis.entry(vpc.to_owned()).or_default(), subnet, base + 1, 1)
    }

    pub fn irb_vlan(&mut self, vpc: &str) -> i64 {
        next(&mut self.irb_vlans, vpc, FIRST_IRB_VLAN, 1)
    }

    pub fn connection(&mut self, name: &str) -> i64 {
        next(&mut self.connections, name, 1, 1)
    }

    /// The five characters by which gateways know a VPC or External.
    pub fn internal_id(&mut self, name: &str) -> String {
        format!("{:05}", next(&mut self.internal_ids, name, 1, 1))
    }

    /// The Catalogs that hold all of it.
    pub fn catalogs(&self) -> Vec<Value> {
        let catalog = |name: &str, spec: Value| {
            json!({"apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Catalog",
                "metadata": {"name": name, "namespace": "default"}, "spec": spec})
        };
        let subnets: Map<String, Value> = self.subnet_vnis.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        vec![
            catalog("connections", json!({"connectionIDs": self.connections})),
            catalog("vpcs", json!({"vpcVNIs": self.vpc_vnis, "vpcSubnetVNIs": subnets, "irbVLANs": self.irb_vlans})),
            catalog("vpcinfos", json!({"vpcInfoIDs": self.internal_ids})),
        ]
    }
}
