//! What a switch's profile says of its ports. Profiles are read from the cluster; where there is none, nothing is
//! judged.

use super::read::{entries, flag, text, texts};
use super::world::{Object, World};
use crate::kind::WIRING;
use serde_json::Value;

const KIND: (&str, &str) = (WIRING, "SwitchProfile");

/// A SwitchProfile.
#[derive(Clone, Copy)]
pub(super) struct Profile<'p>(&'p Value);

/// The profile of a switch, if it is known.
pub(super) fn of<'p>(switch: &Object<'_>, world: &'p World<'_>) -> Option<Profile<'p>> {
    let name = text(&switch.value, "/spec/profile")?;
    world.get(KIND, name).map(|profile| Profile(&profile.value))
}

/// Whether profiles are known at all.
pub(super) fn are_known(world: &World<'_>) -> bool {
    world.has_any(KIND)
}

impl<'p> Profile<'p> {
    /// Whether the switch has a feature.
    pub fn has(self, feature: &str) -> bool {
        flag(self.0, &format!("/spec/features/{feature}"))
    }

    /// The feature that a VPC mode needs and the switch lacks.
    pub fn lacks_mode(self, l3: bool) -> Option<&'static str> {
        let needs: &[&str] = if l3 { &["l3vni"] } else { &["l2vni", "l3vni"] };
        needs.iter().copied().find(|feature| !self.has(feature))
    }

    fn port(self, port: &str) -> Option<&'p Value> {
        self.0.pointer("/spec/ports")?.get(port)
    }

    fn port_profile(self, name: &str) -> Option<&'p Value> {
        self.0.pointer("/spec/portProfiles")?.get(name)
    }

    /// The profile of a port; `None` for a port that the switch does not have, or that belongs to a group.
    fn profile_of(self, port: &str) -> Option<&'p Value> {
        self.port_profile(text(self.port(port)?, "/profile")?)
    }

    /// Whether a breakout of a port is possible; the reason when it is not.
    pub fn refuses_breakout(self, port: &str, breakout: &str) -> Option<String> {
        if self.port(port).is_none() {
            return Some(format!("the switch has no port {port}"));
        }
        let supported: Vec<&String> = self
            .profile_of(port)
            .map(|profile| entries(profile, "/breakout/supported").map(|(name, _)| name).collect())
            .unwrap_or_default();
        if supported.is_empty() {
            return Some(format!("port {port} cannot be broken out"));
        }
        (!supported.iter().any(|name| *name == breakout)).then(|| {
            let list: Vec<&str> = supported.iter().map(|name| name.as_str()).collect();
            format!("port {port} supports {}", list.join(", "))
        })
    }

    /// Whether a speed of a port is possible; the reason when it is not.
    pub fn refuses_speed(self, port: &str, speed: &str) -> Option<String> {
        let Some(described) = self.port(port) else { return Some(format!("the switch has no port {port}")) };
        if let Some(group) = text(described, "/group") {
            return Some(format!("port {port} has the speed of its group {group}"));
        }
        self.refuses_speed_of(self.profile_of(port), &format!("port {port}"), speed)
    }

    /// Whether a speed of a port group is possible; the reason when it is not.
    pub fn refuses_group_speed(self, group: &str, speed: &str) -> Option<String> {
        let Some(described) = self.0.pointer("/spec/portGroups").and_then(|groups| groups.get(group)) else {
            return Some(format!("the switch has no port group {group}"));
        };
        let profile = text(described, "/profile").and_then(|name| self.port_profile(name));
        self.refuses_speed_of(profile, &format!("group {group}"), speed)
    }

    fn refuses_speed_of(self, profile: Option<&Value>, what: &str, speed: &str) -> Option<String> {
        let speed = speed.strip_prefix("SPEED_").unwrap_or(speed);
        let supported: Vec<&str> =
            profile.map(|p| texts(p, "/speed/supported").map(|(_, s)| s).collect()).unwrap_or_default();
        if supported.is_empty() {
            return Some(format!("{what} has no speed to choose; set its breakout"));
        }
        (!supported.contains(&speed)).then(|| format!("{what} supports {}", supported.join(", ")))
    }

    /// Whether a connection can use a port of this switch, with its breakouts; the reason when it cannot.
    pub fn refuses_port(self, switch: &Value, port: &str) -> Option<String> {
        if let Some(described) = self.port(port) {
            return flag(described, "/management").then(|| format!("{port} is the management port"));
        }
        let missing = || Some(format!("the switch has no port {port}"));
        let Some((base, lane)) = port.rsplit_once('/') else { return missing() };
        if self.port(base).is_none() {
            return missing();
        }
        let breakout = self.profile_of(base).and_then(|profile| {
            let chosen = switch.pointer("/spec/portBreakouts").and_then(|b| b.get(base)).and_then(Value::as_str);
            let name = chosen.or_else(|| text(profile, "/breakout/default"))?;
            Some((name, profile.pointer("/breakout/supported")?.get(name)?))
        });
        let Some((name, supported)) = breakout else { return Some(format!("port {base} cannot be broken out")) };
        let lanes = texts(supported, "/offsets").count();
        let fits = lane.parse::<usize>().is_ok_and(|lane| (1..=lanes).contains(&lane));
        (!fits).then(|| format!("port {base} is broken out as {name} and has {lanes} lanes"))
    }
}
