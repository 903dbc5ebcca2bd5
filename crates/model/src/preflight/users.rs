//! Which objects use which subnet of a VPC: attachments and peerings of every sort. Read once for all VPCs, because a
//! search for each subnet by itself would take the square of the fabric's size.

use super::read::{entries, list, text, texts};
use super::world::World;
use crate::kind::{GATEWAY, VPC};
use std::collections::{BTreeSet, HashMap};

/// The users of subnets, by VPC and subnet.
#[derive(Default)]
pub(super) struct SubnetUsers<'w>(HashMap<&'w str, HashMap<&'w str, Vec<String>>>);

impl<'w> SubnetUsers<'w> {
    /// Reads them out of the world: attachments first, then peerings, each in the order of their names.
    pub fn of(world: &'w World<'_>) -> Self {
        let mut users = Self::default();
        for attachment in world.all((VPC, "VPCAttachment")) {
            if let Some(reference) = text(&attachment.value, "/spec/subnet") {
                // A VPC named alone means its subnet `default`.
                let used = reference.split_once('/').unwrap_or((reference, "default"));
                users.add([used].into(), || attachment.title());
            }
        }
        for peering in world.all((VPC, "VPCPeering")) {
            let permits = list(&peering.value, "/spec/permit").iter().flat_map(|permit| entries(permit, ""));
            let used =
                permits.flat_map(|(vpc, side)| texts(side, "/subnets").map(move |(_, name)| (vpc.as_str(), name)));
            users.add(used.collect(), || peering.title());
        }
        for peering in world.all((VPC, "ExternalPeering")) {
            if let Some(vpc) = text(&peering.value, "/spec/permit/vpc/name") {
                let used = texts(&peering.value, "/spec/permit/vpc/subnets").map(|(_, name)| (vpc, name));
                users.add(used.collect(), || peering.title());
            }
        }
        for peering in world.all((GATEWAY, "GatewayPeering")) {
            let exposes = entries(&peering.value, "/spec/peering")
                .flat_map(|(vpc, side)| list(side, "/expose").iter().map(move |expose| (vpc.as_str(), expose)));
            let used = exposes.flat_map(|(vpc, expose)| {
                list(expose, "/ips").iter().filter_map(move |ip| Some((vpc, text(ip, "/vpcSubnet")?)))
            });
            users.add(used.collect(), || peering.title());
        }
        users
    }

    /// One user, of each of its subnets once.
    fn add(&mut self, used: BTreeSet<(&'w str, &'w str)>, title: impl Fn() -> String) {
        for (vpc, subnet) in used {
            self.0.entry(vpc).or_default().entry(subnet).or_default().push(title());
        }
    }

    /// Who uses a subnet, each as `Kind name`.
    pub fn of_subnet(&self, vpc: &str, subnet: &str) -> &[String] {
        self.0.get(vpc).and_then(|of_vpc| of_vpc.get(subnet)).map_or(&[], Vec::as_slice)
    }
}
