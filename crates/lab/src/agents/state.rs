//! What an agent reports: identity, heartbeat, generations, and a state that follows from its own spec.

use super::AGENT_VERSION;
use crate::admission::PortMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One simulated agent, as far as it outlives a report. The status itself stands in the Agent object.
#[derive(Debug, Clone)]
pub struct Reporter {
    install_id: String,
    run_id: String,
    boot_id: String,
    booted: Timestamp,
}

impl Reporter {
    /// An agent that starts now.
    pub fn start(now: Timestamp) -> Self {
        let id = || uuid::Uuid::new_v4().to_string();
        Self { install_id: id(), run_id: id(), boot_id: id(), booted: now }
    }

    /// Does what the Agent's spec asks for once: reboot, power reset, reinstallation. Whether there was anything to do.
    pub fn obey(&mut self, agent: &Value, now: Timestamp) -> bool {
        let asked = |key: &str, id: &str| agent["spec"][key].as_str() == Some(id);
        let reinstall = asked("reinstall", &self.install_id);
        let reboot = reinstall || asked("reboot", &self.boot_id) || asked("powerReset", &self.boot_id);
        if reboot {
            let install_id = self.install_id.clone();
            *self = Self::start(now);
            if !reinstall {
                self.install_id = install_id;
            }
        }
        reboot
    }

    /// The status with a new heartbeat and a new state; generations stay as they are.
    pub fn heartbeat(&self, agent: &Value, now: Timestamp) -> Value {
        let mut status = agent["status"].as_object().cloned().unwrap_or_default();
        let time = seconds(now);
        status.insert("lastHeartbeat".to_owned(), json!(time));
        if agent["kind"] == "GatewayAgent" {
            status.insert("agentVersion".to_owned(), json!(AGENT_VERSION));
            let applied = status.get("lastAppliedGen").cloned().unwrap_or(json!(0));
            status.insert("state".to_owned(), gateway_state(agent, &applied, &time, self.uptime(now)));
            return Value::Object(status);
        }
        for (key, value) in [
            ("version", AGENT_VERSION),
            ("installID", &self.install_id),
            ("runID", &self.run_id),
            ("bootID", &self.boot_id),
        ] {
            status.insert(key.to_owned(), json!(value));
        }
        status.insert("state".to_owned(), self.switch_state(agent, now));
        status.entry("conditions").or_insert_with(|| json!([]));
        Value::Object(status)
    }

    /// The status when the agent sets about a new generation.
    pub fn attempt(&self, agent: &Value, now: Timestamp) -> Value {
        let generation = agent["metadata"]["generation"].as_i64().unwrap_or_default();
        let mut status = self.heartbeat(agent, now);
        if agent["kind"] == "Agent" {
            status["lastAttemptGen"] = json!(generation);
            status["lastAttemptTime"] = json!(seconds(now));
            let message = format!("Config will be applied, gen={generation}");
            status["conditions"] = applied_condition("False", "ApplyPending", &message, now);
        }
        status
    }

    /// The status when the agent has applied the generation that it attempted.
    pub fn applied(&self, agent: &Value, now: Timestamp) -> Value {
        let generation = agent["metadata"]["generation"].as_i64().unwrap_or_default();
        let mut agent = agent.clone();
        agent["status"]["lastAppliedGen"] = json!(generation);
        agent["status"]["lastAppliedTime"] = json!(seconds(now));
        let mut status = self.heartbeat(&agent, now);
        if agent["kind"] == "Agent" {
            let message = format!("Config applied, gen={generation}");
            status["conditions"] = applied_condition("True", "ApplySucceeded", &message, now);
        }
        status
    }

    fn uptime(&self, now: Timestamp) -> i64 {
        (now.as_second() - self.booted.as_second()).max(0)
    }

    fn switch_state(&self, agent: &Value, now: Timestamp) -> Value {
        let spec = &agent["spec"];
        let name = agent["metadata"]["name"].as_str().unwrap_or_default();
        let switch = json!({"spec": spec["switch"]});
        let profile = json!({"spec": spec["switchProfile"]});
        let ports = PortMap::new(&switch, &profile);
        let uptime = self.uptime(now);
        let (mut interfaces, mut neighbours) = (Map::new(), Map::new());
        for connection in spec["connections"].as_object().into_iter().flat_map(Map::values) {
            for (own, far) in links(connection, name) {
                let Some(port) = own["port"].as_str().and_then(|p| p.split_once('/')).map(|(_, p)| p) else { continue };
                interfaces.insert(port.to_owned(), interface(port, &far, ports.speed(port), self.booted, uptime));
                if let Some(address) = far["ip"].as_str().and_then(|ip| ip.split('/').next()) {
                    let peer = json!({"enabled": true, "state": "established", "peerType": "external", "estabTrans": 1,
                        "localAS": spec["switch"]["asn"], "lastEstab": seconds(self.booted)});
                    neighbours.insert(address.to_owned(), peer);
                }
            }
        }
        let breakouts: Map<String, Value> = spec["switch"]["portBreakouts"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(port, mode)| (port.clone(), json!({"mode": mode, "status": "Completed"})))
            .collect();
        json!({
            "interfaces": interfaces,
            "bgpNeighbors": {"default": neighbours},
            "breakouts": breakouts,
            "nos": {
                "hwskuVersion": spec["switchProfile"]["platform"], "platformName": spec["switchProfile"]["platform"],
                "mfgName": "LAB", "serialNumber": spec["switch"]["boot"].get("serial").cloned().unwrap_or(json!("LAB")),
                "softwareVersion": "4.5.0-Enterprise_Base", "uptime": format!("up {} minutes", uptime / 60),
            },
            "platform": {
                "fans": {"FAN1": {"presence": true, "status": true, "speed": 41, "dir": "exhaust"}},
                "psus": {"PSU1": {"presence": true, "status": true, "outPower": 210.5}},
                "temps": {"CPU": {"temp": 44.1, "highThreshold": 90}},
            },
            "criticalResources": {"stats": {"ipv4RoutesUsed": 120, "ipv4RoutesAvailable": 32_000}},
        })
    }
}

fn seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

fn applied_condition(status: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    json!([{"type": "Applied", "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(now)}])
}

/// Own end and far end of every link of a connection's spec.
fn links(connection: &Value, switch: &str) -> Vec<(Value, Value)> {
    let mut all = Vec::new();
    for variant in connection.as_object().into_iter().flat_map(Map::values) {
        let single = variant.get("link").into_iter();
        let many = variant.get("links").and_then(Value::as_array).into_iter().flatten();
        for link in single.chain(many) {
            let ends: Vec<&Value> = link.as_object().into_iter().flat_map(Map::values).collect();
            for (i, end) in ends.iter().enumerate() {
                if end["port"].as_str().is_some_and(|p| p.split('/').next() == Some(switch)) {
                    let far = ends.iter().enumerate().find(|(j, _)| *j != i).map_or(&Value::Null, |(_, far)| *far);
                    all.push(((*end).clone(), far.clone()));
                }
            }
        }
    }
    all
}

fn interface(port: &str, far: &Value, speed: Option<&str>, since: Timestamp, uptime: i64) -> Value {
    // A rate of its own for each port, so that counters differ and still grow steadily.
    let rate =
        10_000 + i64::from(port.bytes().fold(0_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b))) % 90_000);
    let hash = port.bytes().fold(0_u32, |sum, b| sum.wrapping_mul(131).wrapping_add(u32::from(b)));
    let [_, x, y, z] = hash.to_be_bytes();
    let mut state = json!({
        "enabled": true, "admin": "up", "oper": "up", "change": seconds(since),
        "mac": format!("0c:20:12:{x:02x}:{y:02x}:{z:02x}"),
        "counters": {"inb": rate * uptime, "inbps": rate * 8, "ine": 0, "inu": 1,
            "outb": rate * uptime / 2, "outbps": rate * 4, "oute": 0, "outu": 1},
    });
    if let Some(speed) = speed {
        state["speed"] = json!(speed);
    }
    if let Some((device, far_port)) = far["port"].as_str().and_then(|p| p.split_once('/')) {
        state["lldpNeighbors"] = json!([{"name": device, "sysName": device, "portID": far_port, "portDescr": far_port,
            "sysDescr": if far.get("ip").is_some() { "Hedgehog Fabric" } else { "Linux" }}]);
    }
    state
}

fn gateway_state(agent: &Value, applied: &Value, time: &str, uptime: i64) -> Value {
    let counters: Map<String, Value> = agent["spec"]["vpcs"]
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(|vpc| (vpc.clone(), json!({"p": uptime * 100, "b": uptime * 64_000, "d": 0})))
        .collect();
    let neighbours: Map<String, Value> = agent["spec"]["gateway"]["neighbors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|n| Some((n["ip"].as_str()?.to_owned(), json!({"enabled": true, "sessionState": "established"}))))
        .collect();
    json!({
        "lastCollectedTime": time,
        "dataplane": {"version": "v0.25.2-lab"},
        "frr": {"lastAppliedGen": applied},
        "bgp": {"vrfs": {"default": {"neighbors": neighbours}}},
        "vpcs": counters,
    })
}
