//! The settings of a fabric that admission depends on. In a real cluster they come from the Fabricator object.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

/// Address plan, numbers and limits of one fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FabricSettings {
    /// Networks that the fabric itself uses; VPCs must stay clear of them.
    pub reserved_subnets: Vec<Ipv4Net>,
    /// VLANs that the fabric itself uses, first and last of each range.
    pub reserved_vlans: Vec<(u16, u16)>,
    /// Where the management addresses of switches are.
    pub management_subnet: Ipv4Net,
    /// From here on management addresses are handed out by DHCP.
    pub management_dhcp_start: Ipv4Addr,
    /// Address of the control cluster.
    pub control_vip: Ipv4Addr,
    /// Where protocol addresses are.
    pub protocol_subnet: Ipv4Net,
    /// Where tunnel addresses are.
    pub vtep_subnet: Ipv4Net,
    /// Where the addresses of links are.
    pub fabric_subnet: Ipv4Net,
    /// Autonomous system of all spines.
    pub spine_asn: u32,
    /// First and last autonomous system of leaves.
    pub leaf_asns: (u32, u32),
    /// Autonomous system of gateways.
    pub gateway_asn: u32,
    /// Largest MTU on links inside the fabric.
    pub fabric_mtu: u16,
    /// What encapsulation takes of it.
    pub server_facing_mtu_offset: u16,
    /// Whether gateways may be used.
    pub enable_gateway: bool,
    /// How many communities tell the gateways of a group apart.
    pub gateway_communities: usize,
}

fn net(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

impl Default for FabricSettings {
    fn default() -> Self {
        Self {
            reserved_subnets: vec![
                net(172, 30, 0, 0, 21),
                net(172, 30, 128, 0, 17),
                net(172, 30, 8, 0, 22),
                net(172, 30, 12, 0, 22),
                net(172, 30, 16, 0, 22),
                net(172, 30, 96, 0, 19),
                net(172, 30, 95, 0, 31),
            ],
            reserved_vlans: vec![(3000, 3899), (3900, 3999)],
            management_subnet: net(172, 30, 0, 0, 21),
            management_dhcp_start: Ipv4Addr::new(172, 30, 4, 0),
            control_vip: Ipv4Addr::new(172, 30, 0, 1),
            protocol_subnet: net(172, 30, 8, 0, 22),
            vtep_subnet: net(172, 30, 12, 0, 22),
            fabric_subnet: net(172, 30, 128, 0, 17),
            spine_asn: 65100,
            leaf_asns: (65101, 65533),
            gateway_asn: 65534,
            fabric_mtu: 9100,
            server_facing_mtu_offset: 64,
            enable_gateway: true,
            gateway_communities: 10,
        }
    }
}

impl FabricSettings {
    /// The settings of a fabric that nobody changed.
    pub fn standard() -> &'static Self {
        static STANDARD: LazyLock<FabricSettings> = LazyLock::new(FabricSettings::default);
        &STANDARD
    }

    /// The first reserved network that shares an address with this one.
    pub(super) fn reserved(&self, wanted: Ipv4Net) -> Option<Ipv4Net> {
        self.reserved_subnets.iter().copied().find(|r| super::net::overlap(*r, wanted))
    }
}
