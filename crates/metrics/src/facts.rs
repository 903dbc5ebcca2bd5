//! What is read from the database when somebody asks, as gauges.

use crate::verify::{self, VerifyFacts};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

type Labels<const N: usize> = [(&'static str, String); N];
type Counts<const N: usize> = Family<Labels<N>, Gauge>;
type Numbers<const N: usize> = Family<Labels<N>, Gauge<f64, AtomicU64>>;

/// What the database says when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Whether it could be read; when not, the rest is empty, never old.
    pub store_up: bool,
    /// The fabrics.
    pub fabrics: Vec<FabricFacts>,
    /// What the console's own monitor found, by fabric; empty where it is off.
    pub verified: Vec<VerifyFacts>,
}

/// How one fabric stands.
#[derive(Debug, Clone, Default)]
pub struct FabricFacts {
    /// Its name.
    pub name: String,
    /// The derived status, the word of the pages.
    pub state: &'static str,
    /// All words that the status can be, of which exactly one is 1.
    pub states: &'static [&'static str],
    /// Objects by their state.
    pub objects: BTreeMap<&'static str, u64>,
    /// Switches and gateways by their state.
    pub switches: BTreeMap<&'static str, u64>,
    /// Seconds since the cluster was read for the newest successful comparison.
    pub evidence_age: Option<f64>,
    /// When a sync to the cluster last succeeded, in seconds since 1970.
    pub last_success: Option<f64>,
    /// Operations that run, by verb.
    pub running: BTreeMap<&'static str, u64>,
    /// Operations that wait, by verb.
    pub queued: BTreeMap<&'static str, u64>,
}

impl Facts {
    /// The gauges, made anew: of a fabric that was deleted or renamed nothing stays behind.
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("hedgerow");
        let up = Gauge::<i64>::default();
        up.set(i64::from(self.store_up));
        registry.register("store_up", "Whether the database could be read for this answer", up);
        if !self.store_up {
            return registry;
        }
        let fabrics = Gauge::<i64>::default();
        fabrics.set(i64::try_from(self.fabrics.len()).unwrap_or(i64::MAX));
        registry.register("fabrics", "Fabrics", fabrics);
        let (state, objects, switches) = (Counts::<2>::default(), Counts::<2>::default(), Counts::<2>::default());
        let (running, queued) = (Counts::<2>::default(), Counts::<2>::default());
        let (age, success) = (Numbers::<1>::default(), Numbers::<1>::default());
        for fabric in &self.fabrics {
            let name = || ("fabric", fabric.name.clone());
            for word in fabric.states {
                let is = i64::from(*word == fabric.state);
                state.get_or_create(&[name(), ("state", (*word).to_owned())]).set(is);
            }
            let counts = [
                (&objects, "state", &fabric.objects),
                (&switches, "state", &fabric.switches),
                (&running, "verb", &fabric.running),
                (&queued, "verb", &fabric.queued),
            ];
            for (family, label, values) in counts {
                for (word, count) in values {
                    let count = i64::try_from(*count).unwrap_or(i64::MAX);
                    family.get_or_create(&[name(), (label, (*word).to_owned())]).set(count);
                }
            }
            if let Some(seconds) = fabric.evidence_age {
                age.get_or_create(&[name()]).set(seconds);
            }
            if let Some(at) = fabric.last_success {
                success.get_or_create(&[name()]).set(at);
            }
        }
        let help = "How a fabric stands, as its page says: 1 for the state that it is in";
        registry.register("fabric_sync_state", help, state);
        registry.register("fabric_objects", "Objects in the newest comparison, by state", objects);
        registry.register("fabric_switches", "Switches and gateways, by state", switches);
        registry.register("fabric_operations_running", "Operations that run, by verb", running);
        registry.register("fabric_operations_queued", "Operations that wait, by verb", queued);
        let help = "Time since the cluster was read for the newest successful comparison";
        registry.register_with_unit("fabric_evidence_age", help, Unit::Seconds, age);
        let help = "When a sync to the cluster last succeeded, since 1970";
        registry.register_with_unit("fabric_last_success_timestamp", help, Unit::Seconds, success);
        if !self.verified.is_empty() {
            verify::register(&self.verified, &mut registry);
        }
        registry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn text(facts: &Facts) -> String {
        let mut text = String::new();
        encode(&mut text, &facts.registry()).unwrap();
        text
    }

    #[test]
    fn one_state_is_one_and_labels_are_escaped() {
        let fabric = FabricFacts {
            name: "a \"b\"\n".into(),
            state: "in_sync",
            states: &["in_sync", "error"],
            objects: [("equal", 57)].into(),
            evidence_age: Some(12.5),
            ..FabricFacts::default()
        };
        let text = text(&Facts { store_up: true, fabrics: vec![fabric], ..Facts::default() });
        for line in [
            "hedgerow_fabric_sync_state{fabric=\"a \\\"b\\\"\\n\",state=\"in_sync\"} 1",
            "hedgerow_fabric_sync_state{fabric=\"a \\\"b\\\"\\n\",state=\"error\"} 0",
            "hedgerow_fabric_objects{fabric=\"a \\\"b\\\"\\n\",state=\"equal\"} 57",
            "hedgerow_fabric_evidence_age_seconds{fabric=\"a \\\"b\\\"\\n\"} 12.5",
            "hedgerow_store_up 1",
            "hedgerow_fabrics 1",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn without_the_database_nothing_old_is_said() {
        assert!(text(&Facts::default()).contains("hedgerow_store_up 0"));
        assert!(!text(&Facts::default()).contains("fabric"));
    }
}
