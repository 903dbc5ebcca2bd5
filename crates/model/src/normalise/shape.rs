//! Shapes: what is special about the fields of a kind, said once as data.
//!
//! An *ordinary* field follows Go's `omitempty`: absent, null, `{}`, `[]`, `false`, `0` and `""` are one value. A
//! [`Shape`] names the exceptions, field by field; whatever it does not name is ordinary, so that a field of a
//! newer release needs no new code.

/// How a text is brought to its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// As written.
    Plain,
    /// A Go duration: `5m`, `300s` and `5m0s` are one.
    Duration,
    /// A port speed, with or without `SPEED_` in front.
    Speed,
    /// `vpc` or `vpc/subnet`; without a subnet, `default` is meant.
    SubnetRef,
}

/// What is special about one field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Named fields that are special.
    pub fields: &'static [(&'static str, &'static Shape)],
    /// Every other field.
    pub rest: &'static Shape,
    /// Items, when the field is a list.
    pub items: &'static Shape,
    /// The keys are the user's: an entry counts even when its value is empty.
    pub keyed: bool,
    /// The keys are MAC addresses, in any form.
    pub mac_keys: bool,
    /// `{}` is not absent.
    pub present: bool,
    /// `false`, `0` and `""` are not absent.
    pub keep_zero: bool,
    /// The order of the list means nothing: the server sorts it.
    pub set: bool,
    /// Left to the cluster when Git does not name it (`hhfab` fills it in at install time).
    pub hydrated: bool,
    /// Never compared.
    pub ignored: bool,
    /// The list holds links: their items are recognised by the ports at both ends.
    pub links: bool,
    /// How texts are read.
    pub text: Text,
}

impl Shape {
    /// An ordinary field.
    pub const fn ordinary() -> Self {
        Self {
            fields: &[],
            rest: &ORDINARY,
            items: &ORDINARY,
            keyed: false,
            mac_keys: false,
            present: false,
            keep_zero: false,
            set: false,
            hydrated: false,
            ignored: false,
            links: false,
            text: Text::Plain,
        }
    }

    /// With these fields being special.
    pub const fn with(mut self, fields: &'static [(&'static str, &'static Shape)]) -> Self {
        self.fields = fields;
        self
    }

    /// A map whose keys are the user's, with entries of one shape.
    pub const fn map_of(entry: &'static Shape) -> Self {
        let mut shape = Self::ordinary();
        shape.keyed = true;
        shape.rest = entry;
        shape
    }

    /// A list with items of one shape.
    pub const fn list_of(item: &'static Shape) -> Self {
        let mut shape = Self::ordinary();
        shape.items = item;
        shape
    }

    /// A list that the server sorts.
    pub const fn set_of(item: &'static Shape) -> Self {
        let mut shape = Self::list_of(item);
        shape.set = true;
        shape
    }

    /// A list of links, recognised by their ports.
    pub const fn links_of(item: &'static Shape) -> Self {
        let mut shape = Self::list_of(item);
        shape.links = true;
        shape
    }

    /// A text of a special form.
    pub const fn text(text: Text) -> Self {
        let mut shape = Self::ordinary();
        shape.text = text;
        shape
    }

    /// And `{}` is not absent.
    pub const fn present(mut self) -> Self {
        self.present = true;
        self
    }

    /// And left to the cluster when Git does not name it.
    pub const fn hydrated(mut self) -> Self {
        self.hydrated = true;
        self
    }

    /// And its keys are MAC addresses.
    pub const fn mac_keys(mut self) -> Self {
        self.mac_keys = true;
        self
    }

    /// The shape of a field by its key.
    pub fn field(&self, key: &str) -> &'static Shape {
        self.fields.iter().find(|(name, _)| *name == key).map_or(self.rest, |(_, shape)| shape)
    }
}

/// Nothing special.
pub(crate) static ORDINARY: Shape = Shape::ordinary();

/// A field whose `false` or `0` is a value of its own.
static ZERO_IS_REAL: Shape = {
    let mut shape = Shape::ordinary();
    shape.keep_zero = true;
    shape
};

/// A field whose `{}` is a value of its own.
static PRESENT: Shape = Shape::ordinary().present();

/// Time-dependent: never compared.
static IGNORED: Shape = {
    let mut shape = Shape::ordinary();
    shape.ignored = true;
    shape
};

static HYDRATED: Shape = Shape::ordinary().hydrated();
static KEYED: Shape = Shape::map_of(&ORDINARY);
static SET: Shape = Shape::set_of(&ORDINARY);
static DURATION: Shape = Shape::text(Text::Duration);

/// Kinds that nobody has heard of: `{}` and `[]` are the Go marshaller's noise, but a zero that somebody wrote may
/// well override a default that is not zero, and the server keeps it as written.
pub(crate) static UNKNOWN: Shape = Shape { rest: &UNKNOWN, items: &UNKNOWN, keep_zero: true, ..Shape::ordinary() };

pub(crate) static VPC: Shape = Shape::ordinary().with(&[("subnets", &VPC_SUBNETS)]);
static VPC_SUBNETS: Shape = Shape::map_of(&VPC_SUBNET);
static VPC_SUBNET: Shape = Shape::ordinary().with(&[
    ("isolated", &ZERO_IS_REAL),
    ("restricted", &ZERO_IS_REAL),
    ("dhcp", &DHCP),
    ("hostBGPExtraPrefixes", &KEYED),
]);
static DHCP: Shape = Shape::ordinary().with(&[("options", &DHCP_OPTIONS), ("static", &DHCP_STATIC)]);
static DHCP_OPTIONS: Shape =
    Shape::ordinary().with(&[("dnsServers", &SET), ("timeServers", &SET), ("advertisedRoutes", &SET)]).present();
static DHCP_STATIC: Shape = Shape::map_of(&ORDINARY).mac_keys();

pub(crate) static VPC_ATTACHMENT: Shape = Shape::ordinary().with(&[("subnet", &SUBNET_REF)]);
static SUBNET_REF: Shape = Shape::text(Text::SubnetRef);

pub(crate) static VPC_PEERING: Shape = Shape::ordinary().with(&[("permit", &PERMIT)]);
static PERMIT: Shape = Shape::list_of(&KEYED);

pub(crate) static EXTERNAL: Shape = Shape::ordinary().with(&[("static", &PRESENT)]);

pub(crate) static EXTERNAL_ATTACHMENT: Shape =
    Shape::ordinary().with(&[("static", &PRESENT), ("inboundACL", &INBOUND_ACL)]);
static INBOUND_ACL: Shape = Shape::ordinary().with(&[("statements", &ACL_STATEMENTS)]);
static ACL_STATEMENTS: Shape = Shape::list_of(&ACL_STATEMENT);
static ACL_STATEMENT: Shape = Shape::ordinary().with(&[("icmpType", &ZERO_IS_REAL), ("icmpCode", &ZERO_IS_REAL)]);

pub(crate) static EXTERNAL_PEERING: Shape = Shape::ordinary().with(&[("permit", &EXTERNAL_PERMIT)]);
static EXTERNAL_PERMIT: Shape =
    Shape::ordinary().with(&[("vpc", &EXTERNAL_PERMIT_VPC), ("external", &EXTERNAL_PERMIT_EXTERNAL)]);
static EXTERNAL_PERMIT_VPC: Shape = Shape::ordinary().with(&[("subnets", &SET)]);
static EXTERNAL_PERMIT_EXTERNAL: Shape = Shape::ordinary().with(&[("prefixes", &SET)]);

pub(crate) static IPV4_NAMESPACE: Shape = Shape::ordinary().with(&[("subnets", &SET)]);
pub(crate) static VLAN_NAMESPACE: Shape = Shape::ordinary().with(&[("ranges", &SET)]);

pub(crate) static SWITCH: Shape = Shape::ordinary().with(&[
    ("groups", &SET),
    ("vlanNamespaces", &SET),
    ("portSpeeds", &SPEEDS),
    ("portGroupSpeeds", &SPEEDS),
    ("portBreakouts", &KEYED),
    ("portFECs", &KEYED),
    ("portAutoNegs", &PORT_FLAGS),
    ("portLocators", &IGNORED),
    ("linkFlapErrDisable", &LINK_FLAP),
    ("asn", &HYDRATED),
    ("ip", &HYDRATED),
    ("protocolIP", &HYDRATED),
    ("vtepIP", &HYDRATED),
]);
static SPEEDS: Shape = Shape::map_of(&SPEED);
static SPEED: Shape = Shape::text(Text::Speed);
static PORT_FLAGS: Shape = Shape::map_of(&ZERO_IS_REAL);
static LINK_FLAP: Shape = Shape::ordinary().with(&[("recoveryInterval", &ZERO_IS_REAL)]).present();

pub(crate) static CONNECTION: Shape = Shape::ordinary().with(&[
    ("unbundled", &PRESENT),
    ("bundled", &PRESENT),
    ("eslag", &PRESENT),
    ("mclag", &PRESENT),
    ("mclagDomain", &PRESENT),
    ("fabric", &ADDRESSED),
    ("mesh", &ADDRESSED),
    ("gateway", &ADDRESSED),
    ("vpcLoopback", &PRESENT),
    ("external", &PRESENT),
    ("staticExternal", &PRESENT),
]);
static ADDRESSED: Shape = Shape::ordinary().with(&[("links", &ADDRESSED_LINKS)]).present();
static ADDRESSED_LINKS: Shape = Shape::links_of(&ADDRESSED_LINK);
static ADDRESSED_LINK: Shape = Shape { rest: &ADDRESSED_END, ..Shape::ordinary() };
static ADDRESSED_END: Shape = Shape::ordinary().with(&[("ip", &HYDRATED)]);

pub(crate) static GATEWAY: Shape = Shape::ordinary().with(&[
    ("groups", &SET),
    ("logs", &LOGS),
    ("interfaces", &INTERFACES),
    ("asn", &HYDRATED),
    ("protocolIP", &HYDRATED),
    ("vtepIP", &HYDRATED),
    ("vtepMAC", &HYDRATED),
    ("vtepMTU", &HYDRATED),
    ("neighbors", &HYDRATED),
]);
static LOGS: Shape = Shape::ordinary().with(&[("tags", &KEYED)]);
static INTERFACES: Shape = Shape::map_of(&INTERFACE);
static INTERFACE: Shape = Shape::ordinary().with(&[("ips", &HYDRATED), ("mtu", &HYDRATED)]);

pub(crate) static GATEWAY_PEERING: Shape = Shape::ordinary().with(&[("peering", &PEERING_SIDES), ("acl", &PRESENT)]);
static PEERING_SIDES: Shape = Shape::map_of(&PEERING_SIDE);
static PEERING_SIDE: Shape = Shape::ordinary().with(&[("expose", &EXPOSES)]);
static EXPOSES: Shape = Shape::list_of(&EXPOSE);
static EXPOSE: Shape = Shape::ordinary().with(&[("nat", &NAT)]);
static NAT: Shape =
    Shape::ordinary().with(&[("static", &PRESENT), ("masquerade", &TIMED_NAT), ("portForward", &TIMED_NAT)]);
static TIMED_NAT: Shape = Shape::ordinary().with(&[("idleTimeout", &DURATION)]).present();
