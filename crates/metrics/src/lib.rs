//! What a Prometheus server may ask this process: the counters, which the other rooms raise where things happen, and
//! the text that is given out. The only room that knows the exposition format.
//!
//! Counters and histograms are of the process and begin at nothing when it starts; Prometheus expects that. What
//! stands in the database is not counted along but read when somebody asks ([`Facts`], filled by the engine), so that
//! a metric can say nothing else than a page.
//!
//! Every label has few values: words of our own, HTTP statuses and the names of fabrics. No user, no address of a
//! client and no object ever stands in one.

mod facts;
pub mod verify;

pub use facts::{FabricFacts, Facts};

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::LazyLock;
use std::time::Duration;

/// The media type of what [`exposition`] gives.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Words<const N: usize> = [(&'static str, &'static str); N];
type Counters<L> = Family<L, Counter>;
type Times<L> = Family<L, Histogram>;

/// Seconds of what a person waits for: from a page to an operation at its deadline.
const LONG: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];
/// Seconds of one answer.
const SHORT: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

fn long() -> Histogram {
    Histogram::new(LONG)
}

fn short() -> Histogram {
    Histogram::new(SHORT)
}

/// The families of this process.
struct Process {
    registry: Registry,
    operations: Counters<Words<2>>,
    operation_seconds: Times<Words<1>>,
    comparisons: Counters<Words<1>>,
    disagreements: Counter,
    kubernetes: Counters<(Words<1>, [(&'static str, String); 1])>,
    kubernetes_seconds: Times<Words<1>>,
    watch_restarts: Counters<Words<1>>,
    store_errors: Counters<Words<1>>,
    requests: Counters<Words<3>>,
    request_seconds: Times<Words<1>>,
    logins: Counters<Words<1>>,
    verify_runs: Counters<([(&'static str, String); 1], Words<1>)>,
}

static PROCESS: LazyLock<Process> = LazyLock::new(Process::new);

impl Process {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("hedgerow");
        let version: Words<1> = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version of this program", Info::new(version));
        let process = Self {
            operations: Counters::default(),
            operation_seconds: Family::new_with_constructor(long),
            comparisons: Counters::default(),
            disagreements: Counter::default(),
            kubernetes: Counters::default(),
            kubernetes_seconds: Family::new_with_constructor(short),
            watch_restarts: Counters::default(),
            store_errors: Counters::default(),
            requests: Counters::default(),
            request_seconds: Family::new_with_constructor(short),
            logins: Counters::default(),
            verify_runs: Counters::default(),
            registry: Registry::default(),
        };
        let add = &mut registry;
        add.register("operations", "Operations that ended, by verb and outcome", process.operations.clone());
        let help = "Time from the beginning of an operation to its end";
        add.register_with_unit("operation_duration", help, Unit::Seconds, process.operation_seconds.clone());
        let help = "Background comparisons, by outcome: ok, partial, failed";
        add.register("background_comparisons", help, process.comparisons.clone());
        let help = "Objects of which the API server's dry run said otherwise than the offline comparison";
        add.register("comparison_disagreements", help, process.disagreements.clone());
        let help = "Calls to Kubernetes APIs, by verb and HTTP status, or the reason when there was no answer";
        add.register("kubernetes_requests", help, process.kubernetes.clone());
        let help = "Time of one call to a Kubernetes API";
        add.register_with_unit("kubernetes_request_duration", help, Unit::Seconds, process.kubernetes_seconds.clone());
        let help =
            "Watches that ended before their time, by reason: disconnected, silent, refused, unreadable, expired";
        add.register("watch_restarts", help, process.watch_restarts.clone());
        let help = "Statements that the database did not carry out, by kind: busy, unavailable, refused";
        add.register("store_errors", help, process.store_errors.clone());
        let help = "HTTP requests, by the name of the route, method and class of the status";
        add.register("http_requests", help, process.requests.clone());
        let help = "Time to the beginning of an answer, by the name of the route";
        add.register_with_unit("http_request_duration", help, Unit::Seconds, process.request_seconds.clone());
        add.register("logins", "Tries to log in, by outcome: ok, refused, throttled", process.logins.clone());
        verify::register_runs(add, process.verify_runs.clone());
        Self { registry, ..process }
    }
}

/// An operation ended: its verb, its final state, and how long it ran.
pub fn operation_ended(verb: &'static str, outcome: &'static str, ran: Duration) {
    PROCESS.operations.get_or_create(&[("verb", verb), ("outcome", outcome)]).inc();
    PROCESS.operation_seconds.get_or_create(&[("verb", verb)]).observe(ran.as_secs_f64());
}

/// A background comparison ended: `ok`, `partial` or `failed`.
pub fn background_compared(outcome: &'static str) {
    PROCESS.comparisons.get_or_create(&[("outcome", outcome)]).inc();
}

/// The API server's word about an object was another than the offline comparison's.
pub fn voices_disagreed() {
    PROCESS.disagreements.inc();
}

/// A call to a Kubernetes API ended. `code` is the HTTP status, or a word of ours when there was none.
pub fn kubernetes_called(verb: &'static str, code: String, took: Duration) {
    PROCESS.kubernetes.get_or_create(&([("verb", verb)], [("code", code)])).inc();
    PROCESS.kubernetes_seconds.get_or_create(&[("verb", verb)]).observe(took.as_secs_f64());
}

/// A watch ended before its time and is begun again, for this `reason`: `disconnected` (the stream broke, or ended too
/// soon), `silent` (it told nothing for too long), `refused` (the server ended it with an error), `unreadable` (it told
/// what is no event) or `expired` (the server has forgotten where it stood; everything is listed again).
pub fn watch_restarted(reason: &'static str) {
    PROCESS.watch_restarts.get_or_create(&[("reason", reason)]).inc();
}

/// The database did not carry out a statement: `busy`, `unavailable` or `refused`.
pub fn store_failed(kind: &'static str) {
    PROCESS.store_errors.get_or_create(&[("kind", kind)]).inc();
}

/// An HTTP request was answered.
pub fn request_answered(route: &'static str, method: &'static str, status: u16, took: Duration) {
    let class = match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    PROCESS.requests.get_or_create(&[("route", route), ("method", method), ("status", class)]).inc();
    PROCESS.request_seconds.get_or_create(&[("route", route)]).observe(took.as_secs_f64());
}

/// Somebody tried to log in: `ok`, `refused` or `throttled`.
pub fn login_tried(outcome: &'static str) {
    PROCESS.logins.get_or_create(&[("outcome", outcome)]).inc();
}

/// A run on the user's path, against this console and about this fabric, ended with this verdict.
pub fn verify_ended(fabric: String, verdict: &'static str) {
    PROCESS.verify_runs.get_or_create(&([("fabric", fabric)], [("verdict", verdict)])).inc();
}

/// Everything, as Prometheus reads it.
pub fn exposition(facts: &Facts) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = encode_registry(&mut text, &PROCESS.registry);
    let _ = encode_registry(&mut text, &facts.registry());
    let _ = encode_eof(&mut text);
    verify::ordered(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units_are_as_prometheus_wants_them() {
        operation_ended("sync_to_kubernetes", "succeeded", Duration::from_millis(1500));
        kubernetes_called("list", "200".into(), Duration::from_millis(3));
        kubernetes_called("list", "timeout".into(), Duration::from_secs(30));
        request_answered("fabric", "GET", 200, Duration::from_millis(2));
        watch_restarted("expired");
        voices_disagreed();
        let text = exposition(&Facts::default());
        for line in [
            concat!("hedgerow_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "hedgerow_operations_total{verb=\"sync_to_kubernetes\",outcome=\"succeeded\"} 1",
            "hedgerow_operation_duration_seconds_sum{verb=\"sync_to_kubernetes\"} 1.5",
            "hedgerow_operation_duration_seconds_bucket{le=\"2.5\",verb=\"sync_to_kubernetes\"} 1",
            "hedgerow_kubernetes_requests_total{verb=\"list\",code=\"200\"} 1",
            "hedgerow_kubernetes_requests_total{verb=\"list\",code=\"timeout\"} 1",
            "hedgerow_http_requests_total{route=\"fabric\",method=\"GET\",status=\"2xx\"} 1",
            "hedgerow_watch_restarts_total{reason=\"expired\"} 1",
            "hedgerow_comparison_disagreements_total 1",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn every_metric_of_the_alert_rules_exists() {
        // A family is written once it has a value; that the program gives it one is the next test's. Another verb than
        // above: the counters are of the process.
        operation_ended("sync_from_git", "failed", Duration::from_secs(1));
        request_answered("none", "GET", 500, Duration::from_millis(2));
        watch_restarted("disconnected");
        let one = |word| [(word, 1)].into();
        let fabric = FabricFacts {
            name: "lab-1".into(),
            state: "error",
            states: &["error"],
            objects: one("modified"),
            evidence_age: Some(1.0),
            running: one("sync_to_kubernetes"),
            ..FabricFacts::default()
        };
        verify_ended("lab-1".into(), "fail");
        let verified = verify::VerifyFacts {
            journeys: vec![verify::JourneyFacts::default()],
            last_run: Some(1.0),
            last_success: Some(1.0),
            ..Default::default()
        };
        let text = exposition(&Facts { store_up: true, fabrics: vec![fabric], verified: vec![verified] });
        let rules = include_str!("../../../deploy/prometheus/alerts.yaml");
        let board = include_str!("../../../deploy/grafana/hedgerow-verify.json");
        let both = format!("{rules}{board}");
        let words = both.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let named: Vec<&str> = words.filter(|word| word.starts_with("hedgerow_")).collect();
        let own = |rules: &str| rules.contains("hedgerow_verify_failures_in_a_row");
        assert!(own(rules) && own(board), "a monitor that nobody is told of is none");
        assert!(named.len() >= 8, "{named:?}");
        for name in named {
            let family = name.strip_suffix("_total").unwrap_or(name);
            assert!(text.contains(&format!("# TYPE {family} ")), "{name} is no metric:\n{text}");
        }
    }

    #[test]
    fn every_counter_is_raised_by_the_room_where_it_happens() {
        let rooms = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut sources = Vec::new();
        let mut folders: Vec<_> = std::fs::read_dir(rooms).unwrap().map(|room| room.unwrap().path()).collect();
        folders.retain(|room| room.is_dir() && !room.ends_with("metrics"));
        folders.iter_mut().for_each(|room| room.push("src"));
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => sources.push(std::fs::read_to_string(path).unwrap_or_default()),
                }
            }
        }
        let own = include_str!("lib.rs").split("\npub fn ").skip(1);
        let counters: Vec<&str> = own.filter_map(|text| text.split_once('(')).map(|(name, _)| name).collect();
        assert!(counters.len() >= 8, "{counters:?}");
        for counter in counters {
            let call = format!("metrics::{counter}(");
            assert!(sources.iter().any(|source| source.contains(&call)), "nothing calls {call}");
        }
    }
}
