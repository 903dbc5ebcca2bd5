//! What a monitor of the user's path (`hedgerow verify --every`, `verify.every`) says to Prometheus. One place for both,
//! so that a board reads either: the console's have the label `fabric`, those of a monitor of its own have not.

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

type Labels = Vec<(&'static str, String)>;
type Counts = Family<Labels, Gauge>;
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;

/// The words that a run's verdict can be.
pub const RUN_VERDICTS: &[&str] = &["pass", "unverified", "fail", "inconclusive", "invalid", "mismatch"];
/// The words that a journey's verdict can be.
pub const JOURNEY_VERDICTS: &[&str] = &["pass", "unverified", "fail", "inconclusive", "skipped"];

/// What is known of the runs against one target, or one fabric of it.
#[derive(Debug, Clone, Default)]
pub struct VerifyFacts {
    /// The fabric's name, in a console that verifies itself.
    pub fabric: Option<String>,
    /// The verdict of the newest run.
    pub verdict: String,
    /// The journeys of the newest run.
    pub journeys: Vec<JourneyFacts>,
    /// When the newest run was over, in seconds since 1970.
    pub last_run: Option<f64>,
    /// When the newest run that passed was over.
    pub last_success: Option<f64>,
    /// How many runs in a row, up to the newest, found something wrong or could not tell.
    pub failures_in_a_row: u32,
    /// How long the newest run took, in seconds.
    pub seconds: f64,
    /// The time from one run to the next that was asked for, in seconds.
    pub interval: f64,
}

/// One journey of the newest run.
#[derive(Debug, Clone, Default)]
pub struct JourneyFacts {
    /// Its name.
    pub name: String,
    /// Who walked.
    pub driver: String,
    /// Its verdict.
    pub verdict: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// The gauges of all that is known, into a registry whose prefix is `hedgerow`.
pub(crate) fn register(all: &[VerifyFacts], registry: &mut Registry) {
    let (verdict, journey, row) = (Counts::default(), Counts::default(), Counts::default());
    let (took, run_took, interval) = (Numbers::default(), Numbers::default(), Numbers::default());
    let (last, success) = (Numbers::default(), Numbers::default());
    for facts in all {
        let of = |rest: &[(&'static str, &str)]| -> Labels {
            let fabric = facts.fabric.iter().map(|name| ("fabric", name.clone()));
            fabric.chain(rest.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
        };
        interval.get_or_create(&of(&[])).set(facts.interval);
        // Of what has not ended once there is nothing to say: absent is not zero.
        let Some(at) = facts.last_run else { continue };
        last.get_or_create(&of(&[])).set(at);
        if let Some(at) = facts.last_success {
            success.get_or_create(&of(&[])).set(at);
        }
        for word in RUN_VERDICTS {
            verdict.get_or_create(&of(&[("verdict", word)])).set(i64::from(*word == facts.verdict.as_str()));
        }
        for one in &facts.journeys {
            let labels = [("journey", one.name.as_str()), ("driver", one.driver.as_str())];
            took.get_or_create(&of(&labels)).set(one.seconds);
            for word in JOURNEY_VERDICTS {
                let labels = [labels[0], labels[1], ("verdict", *word)];
                journey.get_or_create(&of(&labels)).set(i64::from(*word == one.verdict.as_str()));
            }
        }
        row.get_or_create(&of(&[])).set(i64::from(facts.failures_in_a_row));
        run_took.get_or_create(&of(&[])).set(facts.seconds);
    }
    let help = "The verdict of the newest run on the user's path: 1 for the one that it is";
    registry.register("verify_verdict", help, verdict);
    let help = "The verdict of each journey of the newest run: 1 for the one that it is";
    registry.register("verify_journey_verdict", help, journey);
    let help = "Time that each journey of the newest run took";
    registry.register_with_unit("verify_journey_duration", help, Unit::Seconds, took);
    let help = "Runs in a row that found something wrong or could not tell";
    one_or_many(registry, "verify_failures_in_a_row", help, None, row);
    let seconds = || Some(Unit::Seconds);
    let help = "Time that the newest run took";
    one_or_many(registry, "verify_run_duration", help, seconds(), run_took);
    let help = "When the newest run was over, since 1970";
    one_or_many(registry, "verify_last_run_timestamp", help, seconds(), last);
    let help = "When the newest run that passed was over, since 1970";
    one_or_many(registry, "verify_last_success_timestamp", help, seconds(), success);
    let help = "Time from one run to the next that was asked for";
    one_or_many(registry, "verify_interval", help, seconds(), interval);
}

/// A family whose only label is the fabric; where there is none it is one number, without braces that hold nothing.
fn one_or_many<M>(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, family: Family<Labels, M>)
where
    M: Metric + Clone + Default + TypedMetric,
{
    let one = family.get(&Vec::new()).map(|one| one.clone());
    match (one, unit) {
        (Some(one), Some(unit)) => registry.register_with_unit(name, help, unit, one),
        (Some(one), None) => registry.register(name, help, one),
        (None, Some(unit)) => registry.register_with_unit(name, help, unit, family),
        (None, None) => registry.register(name, help, family),
    }
}

/// The counter of runs, which a console and a monitor of its own register alike.
pub(crate) fn register_runs<L>(registry: &mut Registry, runs: Family<L, Counter>)
where
    L: Clone + std::hash::Hash + Eq + std::fmt::Debug + Send + Sync + 'static,
    L: prometheus_client::encoding::EncodeLabelSet,
{
    registry.register("verify_runs", "Runs on the user's path that ended, by verdict", runs);
}

/// Everything of a monitor of its own, as Prometheus reads it. `runs` counts those that ended, by their verdict.
pub fn exposition(facts: &VerifyFacts, runs: &BTreeMap<&'static str, u64>) -> String {
    let mut registry = Registry::with_prefix("hedgerow");
    let counters = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (verdict, count) in runs {
        counters.get_or_create(&[("verdict", *verdict)]).inc_by(*count);
    }
    register_runs(&mut registry, counters);
    register(std::slice::from_ref(facts), &mut registry);
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = encode_registry(&mut text, &registry);
    let _ = encode_eof(&mut text);
    ordered(&text)
}

/// The same text with the samples of each of these metrics by their labels: a family keeps them in the order of a hash,
/// which is another in each process, and whoever compares two readings would see nothing but that. What is not of the
/// monitor stays where it is, because the buckets of a histogram have an order of their own.
pub(crate) fn ordered(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for samples in lines.chunk_by_mut(|one, next| is_sample(one) && is_sample(next)) {
        samples.sort_unstable();
    }
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}

fn is_sample(line: &str) -> bool {
    line.starts_with("hedgerow_verify_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(fabric: Option<&str>) -> VerifyFacts {
        VerifyFacts {
            fabric: fabric.map(str::to_owned),
            verdict: "fail".into(),
            journeys: vec![JourneyFacts {
                name: "fabric_page".into(),
                driver: "http".into(),
                verdict: "fail".into(),
                seconds: 0.25,
            }],
            last_run: Some(1_700_000_000.5),
            last_success: None,
            failures_in_a_row: 3,
            seconds: 1.5,
            interval: 300.0,
        }
    }

    #[test]
    fn one_run_is_told_under_the_names_that_the_alerts_ask_for() {
        let text = exposition(&facts(None), &[("fail", 3), ("pass", 7)].into());
        for line in [
            "hedgerow_verify_runs_total{verdict=\"fail\"} 3",
            "hedgerow_verify_runs_total{verdict=\"pass\"} 7",
            "hedgerow_verify_verdict{verdict=\"fail\"} 1",
            "hedgerow_verify_verdict{verdict=\"pass\"} 0",
            "hedgerow_verify_journey_verdict{journey=\"fabric_page\",driver=\"http\",verdict=\"fail\"} 1",
            "hedgerow_verify_journey_duration_seconds{journey=\"fabric_page\",driver=\"http\"} 0.25",
            "hedgerow_verify_run_duration_seconds 1.5",
            "hedgerow_verify_failures_in_a_row 3",
            "hedgerow_verify_last_run_timestamp_seconds 1700000000.5",
            "hedgerow_verify_interval_seconds 300.0",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("last_success_timestamp_seconds "), "it never passed:\n{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn before_the_first_run_is_over_nothing_is_claimed() {
        let text = exposition(&VerifyFacts { interval: 60.0, ..VerifyFacts::default() }, &BTreeMap::new());
        assert!(text.contains("hedgerow_verify_interval_seconds 60.0"), "{text}");
        for name in ["verdict{", "failures_in_a_row 0", "last_run_timestamp_seconds 0"] {
            assert!(!text.contains(name), "{name} in\n{text}");
        }
    }

    #[test]
    fn the_samples_of_a_metric_are_in_the_order_of_their_labels() {
        let mut facts = facts(None);
        let journey = |name: &str| JourneyFacts { name: name.into(), ..facts.journeys[0].clone() };
        facts.journeys = ["status_agrees", "fabric_page", "login_logout", "crawl", "drift"].map(journey).into();
        let text = exposition(&facts, &[("pass", 7), ("fail", 3), ("invalid", 1), ("mismatch", 1)].into());
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for name in ["hedgerow_verify_journey_verdict{", "hedgerow_verify_verdict{", "hedgerow_verify_runs_total{"] {
            let of_one: Vec<&&str> = samples.iter().filter(|line| line.starts_with(name)).collect();
            assert!(of_one.len() > 3 && of_one.is_sorted(), "{of_one:#?}");
        }
        let histogram =
            "# TYPE hedgerow_x histogram\nhedgerow_x_bucket{le=\"9.0\"} 1\nhedgerow_x_bucket{le=\"10.0\"} 1\n";
        assert_eq!(ordered(histogram), histogram, "what has an order of its own keeps it");
    }

    #[test]
    fn a_console_says_which_fabric() {
        let mut registry = Registry::with_prefix("hedgerow");
        register(&[facts(Some("lab-1")), facts(Some("lab-2"))], &mut registry);
        let mut text = String::new();
        encode_registry(&mut text, &registry).unwrap();
        for fabric in ["lab-1", "lab-2"] {
            let line = format!("hedgerow_verify_verdict{{fabric=\"{fabric}\",verdict=\"fail\"}} 1");
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
    }
}
