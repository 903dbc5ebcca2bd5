//! Registry of the kinds that Hedgerow knows by name: rank in apply order, who writes them, what they refer to.
//!
//! Kinds that are not listed here work too: they are discovered in the cluster, applied after all known ones, and
//! judged by their schema alone.

use crate::object::Gvk;

/// Who writes objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// People, by manifests.
    User,
    /// The fabric controller, at start; users only read them (SwitchProfile).
    BuiltIn,
    /// The fabric controller and the agents (Agent, Catalog, VPCInfo, ...).
    Controller,
    /// The installer (Fabricator, ControlNode, FabNode).
    Installer,
}

/// What is known of one kind in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKind {
    /// API group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Plural, as in URLs and CRD names.
    pub plural: &'static str,
    /// Place in apply order; objects of one rank are applied at once. Deletion runs in reverse.
    pub rank: u8,
    /// Who writes it.
    pub author: Author,
}

pub(crate) const WIRING: &str = "wiring.githedgehog.com";
pub(crate) const VPC: &str = "vpc.githedgehog.com";
pub(crate) const GATEWAY: &str = "gateway.githedgehog.com";

const fn known(group: &'static str, kind: &'static str, plural: &'static str, rank: u8, author: Author) -> KnownKind {
    KnownKind { group, kind, plural, rank, author }
}

/// Rank of kinds that are not in the registry: after all known ones.
pub const UNKNOWN_RANK: u8 = 200;

/// Every known kind, in apply order.
pub const KNOWN: &[KnownKind] = &[
    known(WIRING, "SwitchProfile", "switchprofiles", 0, Author::BuiltIn),
    known(WIRING, "VLANNamespace", "vlannamespaces", 10, Author::User),
    known(VPC, "IPv4Namespace", "ipv4namespaces", 10, Author::User),
    known(WIRING, "SwitchGroup", "switchgroups", 10, Author::User),
    known(WIRING, "ServerProfile", "serverprofiles", 10, Author::User),
    known(WIRING, "Switch", "switches", 20, Author::User),
    known(WIRING, "Server", "servers", 20, Author::User),
    known(VPC, "VPC", "vpcs", 30, Author::User),
    known(WIRING, "Connection", "connections", 40, Author::User),
    known(VPC, "VPCAttachment", "vpcattachments", 50, Author::User),
    known(VPC, "VPCPeering", "vpcpeerings", 50, Author::User),
    known(VPC, "External", "externals", 60, Author::User),
    known(VPC, "ExternalAttachment", "externalattachments", 70, Author::User),
    known(VPC, "ExternalPeering", "externalpeerings", 70, Author::User),
    known(GATEWAY, "GatewayGroup", "gatewaygroups", 80, Author::User),
    known(GATEWAY, "Gateway", "gateways", 90, Author::User),
    known(GATEWAY, "GatewayPeering", "gatewaypeerings", 100, Author::User),
    known(GATEWAY, "Peering", "peerings", 100, Author::User),
    known(GATEWAY, "VPCInfo", "vpcinfos", 210, Author::Controller),
    known("gwint.githedgehog.com", "GatewayAgent", "gatewayagents", 210, Author::Controller),
    known("agent.githedgehog.com", "Agent", "agents", 210, Author::Controller),
    known("agent.githedgehog.com", "Catalog", "catalogs", 210, Author::Controller),
    known("dhcp.githedgehog.com", "DHCPSubnet", "dhcpsubnets", 210, Author::Controller),
    known("fcint.githedgehog.com", "FabricController", "fabriccontrollers", 210, Author::Controller),
    known("fabricator.githedgehog.com", "ControlNode", "controlnodes", 220, Author::Installer),
    known("fabricator.githedgehog.com", "FabNode", "fabnodes", 220, Author::Installer),
    known("fabricator.githedgehog.com", "Fabricator", "fabricators", 220, Author::Installer),
];

/// Looks a kind up by group and kind.
pub fn find(group: &str, kind: &str) -> Option<&'static KnownKind> {
    KNOWN.iter().find(|k| k.group == group && k.kind == kind)
}

/// The one version in which a known group has been served by every release so far. What a cluster serves is discovered
/// there; this is for telling a mistake in a manifest before any cluster is asked.
pub fn served_version(group: &str) -> Option<&'static str> {
    match group {
        WIRING | VPC | "agent.githedgehog.com" | "dhcp.githedgehog.com" | "fabricator.githedgehog.com" => {
            Some("v1beta1")
        }
        GATEWAY | "gwint.githedgehog.com" | "fcint.githedgehog.com" => Some("v1alpha1"),
        _ => None,
    }
}

/// Place in apply order; [`UNKNOWN_RANK`] for kinds that nobody has heard of.
pub fn rank(group: &str, kind: &str) -> u8 {
    find(group, kind).map_or(UNKNOWN_RANK, |k| k.rank)
}

/// Whether users may keep objects of this kind in Git: everything of Hedgehog's but what controllers, agents and the
/// installer write.
pub fn is_user_authored(gvk: &Gvk) -> bool {
    gvk.is_hedgehog() && find(&gvk.group, &gvk.kind).is_none_or(|k| k.author == Author::User)
}

/// Kinds that carry password hashes or keys: only an allow-list of their fields may be read into memory.
pub fn carries_secrets(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("agent.githedgehog.com", "Agent")
            | ("gwint.githedgehog.com", "GatewayAgent")
            | ("fabricator.githedgehog.com", "Fabricator" | "ControlNode")
    )
}
