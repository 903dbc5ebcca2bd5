//! The rules of Hedgehog's admission webhooks, as pure functions: what the mutating ones make of an object, and what
//! the validating ones refuse, in words of the same meaning.
//!
//! Used by the lab's own API, and beside a real kube-apiserver through [`webhook_router`]. They play release v0.126,
//! the one whose answers were recorded; what it accepts though it is wrong is accepted here too.

mod attachments;
mod connection;
mod defaults;
mod externals;
mod fields;
mod gateway;
mod gateway_peering;
mod labels;
mod namespaces;
mod net;
mod ports;
mod remarshal;
mod settings;
mod snapshot;
mod switch;
mod vpc;
mod vpc_dhcp;
mod webhook;

pub use connection::ConnectionEnds;
pub use ports::PortMap;
pub use settings::FabricSettings;
pub use snapshot::{Objects, SharedObjects};
pub use webhook::{Source, webhook_configurations, webhook_router};

use serde_json::Value;
use std::{fmt, sync::Arc};

/// What is being done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an object that exists.
    Update,
    /// The removal of an object.
    Delete,
}

/// The other objects, as far as the rules ask for them. All of Hedgehog's objects live in one namespace, so kind and
/// name are enough.
pub trait Lookup {
    /// One object.
    fn get(&self, kind: &str, name: &str) -> Option<Arc<Value>>;

    /// All objects of a kind, by name.
    fn list(&self, kind: &str) -> Vec<Arc<Value>>;

    /// All objects of a kind with a label of that value.
    fn labelled(&self, kind: &str, key: &str, value: &str) -> Vec<Arc<Value>> {
        let mut all = self.list(kind);
        all.retain(|o| o["metadata"]["labels"].get(key).and_then(Value::as_str) == Some(value));
        all
    }

    /// The settings of the fabric that the rules depend on.
    fn settings(&self) -> &FabricSettings {
        FabricSettings::standard()
    }
}

/// A warning that goes along with an accepted object.
pub type Warning = String;

/// The answer "no" of one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the webhook, e.g. `vvpc.kb.io`.
    pub webhook: String,
    /// Its words.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "admission webhook \"{}\" denied the request: {}", self.webhook, self.message)
    }
}

impl std::error::Error for Refusal {}

/// The kinds that have a mutating and a validating webhook, with their group, version and plural.
pub const WEBHOOK_KINDS: &[(&str, &str, &str, &str)] = &[
    ("wiring.githedgehog.com", "v1beta1", "Connection", "connections"),
    ("wiring.githedgehog.com", "v1beta1", "Server", "servers"),
    ("wiring.githedgehog.com", "v1beta1", "Switch", "switches"),
    ("wiring.githedgehog.com", "v1beta1", "SwitchProfile", "switchprofiles"),
    ("wiring.githedgehog.com", "v1beta1", "VLANNamespace", "vlannamespaces"),
    ("vpc.githedgehog.com", "v1beta1", "External", "externals"),
    ("vpc.githedgehog.com", "v1beta1", "ExternalAttachment", "externalattachments"),
    ("vpc.githedgehog.com", "v1beta1", "ExternalPeering", "externalpeerings"),
    ("vpc.githedgehog.com", "v1beta1", "IPv4Namespace", "ipv4namespaces"),
    ("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs"),
    ("vpc.githedgehog.com", "v1beta1", "VPCAttachment", "vpcattachments"),
    ("vpc.githedgehog.com", "v1beta1", "VPCPeering", "vpcpeerings"),
    ("gateway.githedgehog.com", "v1alpha1", "Gateway", "gateways"),
    ("gateway.githedgehog.com", "v1alpha1", "GatewayGroup", "gatewaygroups"),
    ("gateway.githedgehog.com", "v1alpha1", "GatewayPeering", "gatewaypeerings"),
    ("gateway.githedgehog.com", "v1alpha1", "VPCInfo", "vpcinfos"),
];

/// Whether a kind has webhooks: without them nothing is defaulted, refused, or stopped when they are down.
pub fn has_webhooks(group: &str, kind: &str) -> bool {
    WEBHOOK_KINDS.iter().any(|(g, _, k, _)| *g == group && *k == kind)
}

/// Name of a kind's webhook: `mvpc.kb.io` mutates, `vvpc.kb.io` validates.
pub fn webhook_name(mutating: bool, kind: &str) -> String {
    format!("{}{}.kb.io", if mutating { 'm' } else { 'v' }, kind.to_lowercase())
}

/// The object as the mutating webhook of its kind hands it back. Kinds without a webhook come back as they are.
pub fn default(object: &Value, lookup: &dyn Lookup) -> Value {
    let mut object = object.clone();
    let group = object["apiVersion"].as_str().and_then(|v| v.split_once('/')).map_or("", |(g, _)| g);
    let kind = fields::text(&object, "/kind").to_owned();
    if has_webhooks(group, &kind) {
        defaults::apply(&kind, &mut object, lookup.settings());
        labels::rebuild(&kind, &mut object);
        remarshal::add_empty_structs(&kind, &mut object);
    }
    object
}

/// Whether the validating webhook lets the object pass. `old` is given for updates and deletions, `new` for creations
/// and updates (already defaulted).
pub fn validate(
    operation: Operation,
    old: Option<&Value>,
    new: Option<&Value>,
    lookup: &dyn Lookup,
) -> Result<Vec<Warning>, Refusal> {
    let Some(object) = new.or(old) else { return Ok(Vec::new()) };
    let group = object["apiVersion"].as_str().and_then(|v| v.split_once('/')).map_or("", |(g, _)| g);
    let kind = fields::text(object, "/kind");
    if !has_webhooks(group, kind) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    let verdict = match operation {
        Operation::Delete => delete(kind, object, lookup),
        Operation::Create => write(kind, None, object, lookup, &mut warnings),
        Operation::Update => write(kind, old, object, lookup, &mut warnings),
    };
    match verdict {
        Ok(()) => Ok(warnings),
        Err(message) => Err(Refusal { webhook: webhook_name(false, kind), message }),
    }
}

/// The words of a refusal.
type Verdict = Result<(), String>;

fn write(kind: &str, old: Option<&Value>, new: &Value, lookup: &dyn Lookup, warnings: &mut Vec<Warning>) -> Verdict {
    let named = |what: &'static str| move |e: String| format!("{what}: {e}");
    match kind {
        "VPC" => vpc::check(new, lookup).map_err(named("failed to validate vpc")),
        "VPCAttachment" => {
            attachments::check_attachment(new, lookup).map_err(named("failed to validate vpc attachment"))
        }
        "VPCPeering" => attachments::check_peering(new, lookup).map_err(named("failed to validate vpc peering")),
        "External" => externals::check_external(new, lookup).map_err(named("error validating external")),
        "ExternalAttachment" => {
            externals::check_attachment(new, lookup).map_err(named("failed to validate external attachment"))
        }
        "ExternalPeering" => {
            externals::check_peering(new, lookup).map_err(named("failed to validate external peering"))
        }
        "IPv4Namespace" => {
            namespaces::check_ipv4(new, lookup).map_err(named("failed to validate ipv4namespace"))?;
            namespaces::still_fits_ipv4(old, new, lookup)
        }
        "VLANNamespace" => {
            namespaces::check_vlan(new, lookup).map_err(named("failed to validate vlannamespace"))?;
            namespaces::still_fits_vlan(old, new, lookup)
        }
        "Switch" => switch::check(old, new, lookup, warnings).map_err(named("error validating switch")),
        "Server" => net::common(new).map_err(named("error validating server")),
        "SwitchProfile" => switch::check_profile(old, new),
        "Connection" => {
            connection::immutable(old, new)?;
            connection::check(new, lookup, warnings).map_err(named("error validating connection"))
        }
        "Gateway" => gateway::check(new, lookup),
        "GatewayGroup" => gateway::check_group(new, lookup),
        "GatewayPeering" => gateway_peering::check(new, lookup),
        _ => Ok(()),
    }
}

/// Who would be left with a dangling reference. What is not asked here is not protected by Hedgehog either.
fn delete(kind: &str, object: &Value, lookup: &dyn Lookup) -> Verdict {
    let name = fields::text(object, "/metadata/name");
    let any = |kind: &str, key: &str, value: &str| !lookup.labelled(kind, key, value).is_empty();
    let refuse = |used: bool, words: &str| if used { Err(words.to_owned()) } else { Ok(()) };
    let fabric = |word: &str| format!("{}{word}", labels::FABRIC);
    match kind {
        "VLANNamespace" => {
            refuse(any("Switch", &format!("vlanns.{}{name}", labels::FABRIC), "true"), "VLANNamespace has switches")?;
            refuse(any("VPC", &fabric("vlanns"), name), "VLANNamespace has VPCs")
        }
        "IPv4Namespace" => {
            refuse(any("VPC", &fabric("ipv4ns"), name), "IPv4Namespace has VPCs")?;
            refuse(any("External", &fabric("ipv4ns"), name), "IPv4Namespace has externals")
        }
        "Switch" => {
            refuse(any("Connection", &format!("switch.{}{name}", labels::FABRIC), "true"), "switch has connections")
        }
        "Server" => {
            refuse(any("Connection", &format!("server.{}{name}", labels::FABRIC), "true"), "server has connections")
        }
        "Connection" => {
            refuse(any("VPCAttachment", &fabric("connection"), name), "connection has VPC attachments")?;
            refuse(any("ExternalAttachment", &fabric("connection"), name), "connection has external attachments")
        }
        "VPC" => {
            refuse(any("VPCAttachment", &fabric("vpc"), name), "VPC has attachments")?;
            refuse(any("VPCPeering", &format!("vpc.{}{name}", labels::FABRIC), "true"), "VPC has peerings")?;
            refuse(any("ExternalPeering", &fabric("vpc"), name), "VPC has external peerings")?;
            refuse(any("Connection", &fabric("vpc"), name), "VPC has static externals")
        }
        "External" => {
            refuse(any("ExternalAttachment", &fabric("external"), name), "external has attachments")?;
            refuse(any("ExternalPeering", &fabric("external"), name), "external has peerings")
        }
        "SwitchProfile" => refuse(crate::profiles::find(name).is_some(), "default switch profiles cannot be deleted"),
        _ => Ok(()),
    }
}
