//! What a switch profile says about ports: which exist, how they may be broken out, and which names connections may use.

use super::{Lookup, fields};
use serde_json::Value;
use std::sync::Arc;

/// The SwitchProfile of a switch.
pub(super) fn profile_of(switch: &Value, lookup: &dyn Lookup) -> Result<Arc<Value>, String> {
    let name = fields::text(switch, "/spec/profile");
    lookup.get("SwitchProfile", name).ok_or(format!("switch profile {name} not found"))
}

/// The ports of one switch: its profile, with its own breakouts.
#[derive(Debug, Clone, Copy)]
pub struct PortMap<'a> {
    profile: &'a Value,
    switch: &'a Value,
}

impl<'a> PortMap<'a> {
    /// The ports of a Switch object under its SwitchProfile object.
    pub fn new(switch: &'a Value, profile: &'a Value) -> Self {
        Self { profile, switch }
    }

    /// Names of all ports but the management port, as on the front panel.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = fields::entries(self.profile, "/spec/ports")
            .into_iter()
            .filter(|(_, port)| !fields::flag(port, "/management"))
            .map(|(name, _)| name)
            .collect();
        names.sort_by_key(|n| n.rsplit('/').next().and_then(|d| d.parse::<u32>().ok()));
        names
    }

    fn port(&self, name: &str) -> Option<&'a Value> {
        self.profile["spec"]["ports"].get(name).filter(|p| !fields::flag(p, "/management"))
    }

    /// Whether the switch has a data port of that name.
    pub fn has(&self, name: &str) -> bool {
        self.port(name).is_some()
    }

    /// The port group that sets the port's speed, when there is one.
    pub fn group(&self, name: &str) -> Option<&'a str> {
        self.port(name)?.get("group")?.as_str()
    }

    /// What the port can do: its own port profile, or that of its group.
    pub fn port_profile(&self, name: &str) -> Option<&'a Value> {
        let spec = &self.profile["spec"];
        let profile = match self.port(name)?.get("profile").and_then(Value::as_str) {
            Some(own) => own,
            None => fields::text(&spec["portGroups"], &format!("/{}/profile", self.group(name)?)),
        };
        spec["portProfiles"].get(profile)
    }

    /// The breakout mode in effect, for ports that can be broken out.
    pub fn breakout(&self, name: &str) -> Option<&'a str> {
        let breakout = self.port_profile(name)?.get("breakout")?;
        let own = self.switch["spec"]["portBreakouts"].get(name).and_then(Value::as_str);
        own.or_else(|| breakout.get("default").and_then(Value::as_str))
    }

    /// How many ports a front-panel port makes in its breakout mode.
    pub fn lanes(&self, name: &str) -> usize {
        let lanes = self.breakout(name).and_then(|mode| {
            Some(self.port_profile(name)?["breakout"]["supported"].get(mode)?.get("offsets")?.as_array()?.len())
        });
        lanes.unwrap_or(1)
    }

    /// The one name of a port: `E1/4` of a port that can be broken out is `E1/4/1`.
    pub fn normal(&self, name: &str) -> String {
        if self.breakout(name).is_some() { format!("{name}/1") } else { name.to_owned() }
    }

    /// Whether a connection may use a port of that name, with the breakouts as they are.
    pub fn allows(&self, name: &str) -> bool {
        if self.has(name) {
            return true;
        }
        let Some((base, lane)) = name.rsplit_once('/') else { return false };
        self.breakout(base).is_some() && lane.parse::<usize>().is_ok_and(|l| (1..=self.lanes(base)).contains(&l))
    }

    /// Speed of a port, e.g. `25G`, from its settings or from its profile.
    pub fn speed(&self, name: &str) -> Option<&'a str> {
        let base = if self.has(name) { name } else { name.rsplit_once('/')?.0 };
        if let Some(mode) = self.breakout(base) {
            return mode.split_once('x').map(|(_, speed)| speed);
        }
        let spec = &self.switch["spec"];
        let own = spec["portSpeeds"].get(base).or_else(|| spec["portGroupSpeeds"].get(self.group(base)?));
        own.and_then(Value::as_str).or_else(|| self.port_profile(base)?["speed"]["default"].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_follow_breakouts() {
        let switch = json!({"spec": {"portBreakouts": {"E1/2": "4x25G"}}});
        let ports = PortMap::new(&switch, crate::profiles::find("celestica-ds3000").unwrap());
        assert_eq!(ports.names().len(), 33);
        for (name, allowed) in [
            ("E1/1", true),
            ("E1/1/1", true),
            ("E1/1/2", false),
            ("E1/2/4", true),
            ("E1/2/5", false),
            ("E1/33", true),
            ("E1/33/1", false),
            ("E1/34", false),
            ("M1", false),
        ] {
            assert_eq!(ports.allows(name), allowed, "{name}");
        }
        assert_eq!(ports.normal("E1/1"), "E1/1/1");
        assert_eq!(ports.normal("E1/33"), "E1/33");
        assert_eq!(ports.speed("E1/2/3"), Some("25G"));
        assert_eq!(ports.speed("E1/1"), Some("100G"));
        assert_eq!(ports.speed("E1/33"), Some("10G"));
    }
}
