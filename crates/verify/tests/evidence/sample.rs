//! A run as verify would leave it: a press that is refused on its way through a proxy, while the engine's own command
//! does the same. Titles, messages and bodies hold what a hostile target would put there.

use super::judged::{discrepancy, journeys};
use super::parts::{at, check, get, post, seen, step};
use verify::exchange::Exchange;
use verify::redact::Leak;
use verify::results::*;
use verify::verdict::RunVerdict;

/// What must never be live in the report.
pub const HOSTILE: &str =
    "</pre></details><script src=\"https://evil.example/x.js\">alert(1)</script><img src=x onerror=alert(2)>";
/// A cookie's value that somebody forgot to hide.
pub const FORGOTTEN: &str = "f0rg0tten-c00kie-value";
/// The target.
pub const SITE: &str = "https://hedgerow.example.net";

/// The sample.
pub fn run() -> Run {
    let refused =
        "<!doctype html><title>Refused</title><main><p>The form was not sent from this site (403).</p></main>";
    let page =
        format!("<!doctype html><title>lab-1</title><main>{}</main>", "<p>57 of 60 objects are live.</p>".repeat(600));
    let mut press = step(
        4,
        "sync",
        "ada, http",
        6_300,
        210,
        "press “Sync to Kubernetes”",
        vec![post(6_310, "/fabrics/1/sync", 403, "", refused)],
    );
    press.message = "The form was not sent from this site. Load the page again, then press once more.".into();
    press.title = "Refused <script>alert('title')</script>".into();
    let mut seen_press = seen(step(
        9,
        "sync",
        "ada, chromium",
        15_900,
        640,
        "press “Sync to Kubernetes”",
        vec![post(15_920, "/fabrics/1/sync", 403, "", HOSTILE)],
    ));
    seen_press.message = HOSTILE.into();
    seen_press.console = vec![
        ConsoleLine {
            level: "SEVERE".into(),
            text: format!("{SITE}/fabrics/1/sync - Failed to load resource: 403\u{1b}[31m"),
        },
        ConsoleLine { level: "WARNING".into(), text: "live.js 41:12 \"the stream ended\"\nand came back".into() },
    ];
    let mut silent = step(
        12,
        "session-end",
        "ada, http",
        21_000,
        5_000,
        "wait for the end of the session, then open the fabric",
        vec![Exchange {
            started: at(21_010),
            ms: 4_990,
            method: "GET".into(),
            url: format!("{SITE}/fabrics/1"),
            error: Some("the connection was reset".into()),
            ..Exchange::default()
        }],
    );
    silent.obstacle = Some("there was no answer: the connection was reset".into());
    let mut direct = step(7, "sync", "hedgerow sync", 11_200, 2_400, "hedgerow sync lab-1 --wait", Vec::new());
    direct.path = Path::Direct;
    direct.url = String::new();
    direct.title = String::new();
    direct.message = "Synced: 60 of 60 objects are live.".into();
    let steps = vec![
        step(0, "", "verify", 40, 95, "open the site", vec![get(45, "/", 200, "<title>Hedgerow</title>")]),
        step(
            1,
            "login",
            "ada, http",
            600,
            180,
            "open “Log in”",
            vec![get(605, "/login/?next=%2Ffabrics%2F&lang=en", 200, "<form></form>")],
        ),
        step(
            2,
            "login",
            "ada, http",
            820,
            690,
            "send the form “Log in”",
            vec![post(825, "/login/", 303, "/fabrics/", ""), get(1_430, "/fabrics/", 200, &page)],
        ),
        step(3, "sync", "ada, http", 6_000, 120, "open the fabric lab-1", vec![get(6_005, "/fabrics/1", 200, &page)]),
        press,
        step(
            5,
            "status",
            "ada, http",
            7_100,
            130,
            "open “Objects”",
            vec![get(7_110, "/fabrics/1/objects", 200, &page)],
        ),
        step(
            6,
            "status",
            "ada, http",
            7_300,
            140,
            "open “Activity”",
            vec![get(7_310, "/fabrics/1/activity", 200, &page)],
        ),
        direct,
        seen(step(
            8,
            "login",
            "ada, chromium",
            14_000,
            1_300,
            "log in by the form",
            vec![post(14_200, "/login/", 303, "/fabrics/", "")],
        )),
        seen_press,
        seen(step(
            10,
            "sync",
            "ada, chromium",
            17_200,
            300,
            "look at the fabric's state",
            vec![get(17_210, "/fabrics/1", 200, &page)],
        )),
        step(
            11,
            "session-end",
            "ada, http",
            20_400,
            90,
            "open the fabric lab-1",
            vec![get(20_410, "/fabrics/1", 200, &page)],
        ),
        silent,
    ];
    Run {
        schema: SCHEMA,
        id: "7f3a9c41-2be0-4d5e-9c1f-6a0d51b7e802".into(),
        verdict: RunVerdict::Fail,
        exit_code: 1,
        sentence: "The sync by the button is refused as forged, with both drivers; the same by the engine's own command works. They part at the form's token.".into(),
        finding: None,
        started: at(0),
        ended: at(26_400),
        target: Target {
            url: SITE.into(),
            profile: "hedgerow".into(),
            product: "Hedgerow 0.1.0".into(),
            username: "ada".into(),
            fabric: Some("lab-1".into()),
        },
        conditions: Conditions {
            drivers: vec!["http".into(), "chromium".into()],
            journeys: Vec::new(),
            allow_sync: true,
            oracles: vec!["cluster".into(), "git".into()],
            max_requests: 500,
            max_seconds: 600,
        },
        versions: [("verify", "0.1.0"), ("target", "Hedgerow 0.1.0"), ("chromium", "156.0.8078.108"), ("cluster", "v1.33.2"), ("git", "4f2a9c1 on main"), ("operating system", "Debian GNU/Linux 12")]
            .map(|(of, version)| Version { of: of.into(), version: version.into() })
            .into(),
        clocks: vec![
            Clock { of: "target".into(), said: at(400), ours: at(90), ahead_ms: 310 },
            Clock { of: "cluster".into(), said: at(-2_900), ours: at(300), ahead_ms: -3_200 },
        ],
        preconditions: vec![
            check(CheckKind::Precondition, "The target answers with a page.", "200, “Hedgerow”", Some(true), 130, Some(0)),
            check(CheckKind::Precondition, "The oracle reads the cluster.", "60 objects in the namespace fab", Some(true), 320, None),
        ],
        journeys: journeys(),
        discrepancy: Some(discrepancy()),
        steps,
        readings: vec![
            OracleReading {
                at: at(6_600),
                journey: "sync".into(),
                from: "cluster https://k8s.example.net:6443".into(),
                asked: "the generation of the 60 objects of lab-1".into(),
                found: "57 of 60 are as Git says; the same as before the press".into(),
                data: serde_json::json!({ "live": 57, "of": 60, "differ": ["VPC/a", "VPC/b", "Connection/<b>c</b>"] }),
            },
            OracleReading {
                at: at(13_700),
                journey: "sync".into(),
                from: "cluster https://k8s.example.net:6443".into(),
                asked: "the generation of the 60 objects of lab-1".into(),
                found: "60 of 60 are as Git says".into(),
                data: serde_json::Value::Null,
            },
        ],
        leaks: vec![Leak { what: "a password in an address".into(), place: "GET /sources/2".into() }],
        cleanup: vec![
            Cleaned { what: "the user verify-viewer".into(), restored: true, why: None, at: None },
            Cleaned { what: "the label hedgerow.io/probe on VPC/a".into(), restored: false, why: Some("the cluster refused the patch (403)".into()), at: Some(at(26_300)) },
        ],
        requests: 15,
    }
}
