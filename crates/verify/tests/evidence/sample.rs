//! A run as verify would leave it: a press that is refused on its way through a proxy, while the engine's own command
//! does the same. Titles, messages and bodies hold what a hostile target would put there.

use jiff::{Timestamp, ToSpan};
use verify::cause::{Cause, Layer};
use verify::exchange::Exchange;
use verify::redact::Leak;
use verify::results::*;
use verify::verdict::{RunVerdict, Verdict};

/// What must never be live in the report.
pub const HOSTILE: &str =
    "</pre></details><script src=\"https://evil.example/x.js\">alert(1)</script><img src=x onerror=alert(2)>";
/// A cookie's value that somebody forgot to hide.
pub const FORGOTTEN: &str = "f0rg0tten-c00kie-value";
const SITE: &str = "https://hedgerow.example.net";

fn at(ms: i64) -> Timestamp {
    let start: Timestamp = "2026-03-02T14:05:09.120Z".parse().unwrap();
    start + ms.milliseconds()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A page that was asked for.
pub fn get(ms: i64, path: &str, status: u16, body: &str) -> Exchange {
    Exchange {
        started: at(ms),
        ms: 84,
        method: "GET".into(),
        url: format!("{SITE}{path}"),
        kind: "document".into(),
        request_headers: pairs(&[
            ("host", "hedgerow.example.net"),
            ("cookie", &format!("hedgerow_session={FORGOTTEN}; theme=dark")),
            ("accept", "text/html,*/*;q=0.8"),
        ]),
        status,
        response_headers: pairs(&[
            ("content-type", "text/html; charset=utf-8"),
            ("x-request-id", "01J9Z3Q8"),
            (
                "set-cookie",
                &format!(
                    "hedgerow_session={FORGOTTEN}; Path=/; HttpOnly; Secure; SameSite=Lax; Expires=Wed, 04 Mar 2026 14:05:09 GMT"
                ),
            ),
        ]),
        response_body: Some(body.to_owned()),
        response_bytes: body.len() as u64,
        ..Exchange::default()
    }
}

/// A form that was sent.
pub fn post(ms: i64, path: &str, status: u16, location: &str, body: &str) -> Exchange {
    let mut exchange = get(ms, path, status, body);
    exchange.method = "POST".into();
    exchange.request_headers.extend(pairs(&[("content-type", "application/x-www-form-urlencoded"), ("origin", SITE)]));
    exchange.request_body = Some("csrfmiddlewaretoken=[redacted]&next=%2Ffabrics%2F&username=ada+l".into());
    if !location.is_empty() {
        exchange.response_headers.push(("location".into(), location.into()));
    }
    exchange
}

fn step(number: usize, journey: &str, who: &str, ms: i64, took: u64, what: &str, exchanges: Vec<Exchange>) -> Step {
    let last = exchanges.last();
    Step {
        number,
        journey: journey.into(),
        path: Path::User,
        who: who.into(),
        what: what.into(),
        started: at(ms),
        ms: took,
        url: last.map_or(String::new(), |one| one.url.clone()),
        status: last.map_or(0, |one| one.status),
        title: "lab-1 · Hedgerow".into(),
        message: String::new(),
        obstacle: None,
        exchanges,
        console: Vec::new(),
        screenshot: None,
        accessible_tree: None,
    }
}

fn seen(mut step: Step) -> Step {
    step.screenshot = Some(format!("steps/{:04}.png", step.number));
    step.accessible_tree = Some(format!("steps/{:04}.tree.json", step.number));
    step
}

fn check(kind: CheckKind, expected: &str, observed: &str, held: Option<bool>, ms: i64, step: Option<usize>) -> Check {
    Check { kind, expected: expected.into(), observed: observed.into(), held, at: at(ms), step }
}

fn journey(
    name: &str,
    driver: &str,
    verdict: Verdict,
    sentence: &str,
    ms: (i64, u64),
    steps: (usize, usize),
) -> JourneyResult {
    let proves = match name {
        "login" => "A person with a good password gets in, and one with a bad password is told why not.",
        "sync" => "A press on “Sync to Kubernetes” brings the fabric to what Git says, and the page says so only then.",
        "status" => "The state of the fabric is the same on every page, and is what the cluster holds.",
        "session-end" => "The end of a session is told, and nothing that was typed is lost.",
        _ => "A running operation can be cancelled, and writes nothing afterwards.",
    };
    JourneyResult {
        name: name.into(),
        proves: proves.into(),
        driver: driver.into(),
        verdict,
        verified: None,
        sentence: sentence.into(),
        finding: None,
        checks: Vec::new(),
        measured: Vec::new(),
        started: at(ms.0),
        ms: ms.1,
        first_step: steps.0,
        steps: steps.1,
    }
}

fn finding(step: usize) -> Finding {
    let mut finding = Finding::new(
        Cause::Csrf,
        "The press starts an operation: ada may sync lab-1, nothing else runs, and the engine's own command did the same a minute before.",
        "403 “The form was not sent from this site”; no operation was started, and the cluster is as it was.",
    );
    finding.step = Some(step);
    finding
}

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
            Cleaned { what: "the user verify-viewer".into(), restored: true, why: None },
            Cleaned { what: "the label hedgerow.io/probe on VPC/a".into(), restored: false, why: Some("the cluster refused the patch (403)".into()) },
        ],
        requests: 15,
    }
}

fn journeys() -> Vec<JourneyResult> {
    let refused = "Refused as forged (403): the press started nothing.";
    let mut login = journey(
        "login",
        "http",
        Verdict::Pass,
        "Logged in; a bad password was refused with its reason.",
        (600, 910),
        (1, 2),
    );
    login.measured = vec![Measured { what: "from the form to the first page".into(), ms: 690 }];
    login.checks = vec![check(
        CheckKind::Assertion,
        "After the login the page asked for comes.",
        "/fabrics/ with 200",
        Some(true),
        1_520,
        Some(2),
    )];
    let mut sync = journey("sync", "http", Verdict::Fail, refused, (6_000, 7_700), (3, 2));
    sync.verified = Some(true);
    sync.finding = Some(finding(4));
    sync.checks = vec![
        check(
            CheckKind::Control,
            "The fabric differs from Git before the press.",
            "3 of 60 differ",
            Some(true),
            6_200,
            None,
        ),
        check(
            CheckKind::Assertion,
            "The press starts an operation.",
            "403, no operation in the activity",
            Some(false),
            6_520,
            Some(4),
        ),
        check(CheckKind::Assertion, "The page names the operation.", "there is none to name", None, 6_530, None),
    ];
    let mut status = journey(
        "status",
        "http",
        Verdict::Pass,
        "Four places say the same, and the cluster agrees.",
        (7_100, 340),
        (5, 2),
    );
    status.verified = Some(true);
    let mut in_browser = journey("sync", "chromium", Verdict::Fail, refused, (15_900, 1_600), (9, 2));
    in_browser.verified = Some(true);
    in_browser.finding = Some(finding(9));
    let mut session = journey(
        "session-end",
        "http",
        Verdict::Inconclusive,
        "Not judged: there was no answer while the session ended.",
        (20_400, 5_700),
        (11, 2),
    );
    session.verified = Some(false);
    vec![
        login,
        sync,
        status,
        journey("login", "chromium", Verdict::Pass, "Logged in.", (14_000, 1_300), (8, 1)),
        in_browser,
        session,
        journey(
            "cancel",
            "http",
            Verdict::Skipped,
            "Not made: it needs an operation that runs, and none could be started.",
            (26_200, 0),
            (13, 0),
        ),
    ]
}

fn discrepancy() -> Discrepancy {
    let arm = |path, by: &str, first, ms, took, claimed, effect, said: &str, seen: &str| Arm {
        path,
        by: by.into(),
        first,
        started: at(ms),
        ms: took,
        said: said.into(),
        claimed: Some(claimed),
        effect,
        seen: seen.into(),
    };
    let refused = "The form was not sent from this site. Load the page again, then press once more.";
    let synced = "Synced: 60 of 60 objects are live.";
    let (none, all) = ("57 of 60 as Git says, as before", "60 of 60 as Git says");
    let probe =
        |layer, hypothesis: &str, probe: &str, outcome: &str, control: &str, control_outcome: &str, holds| Probe {
            layer,
            hypothesis: hypothesis.into(),
            probe: probe.into(),
            outcome: outcome.into(),
            control: control.into(),
            control_outcome: control_outcome.into(),
            holds,
            ms: 120,
        };
    Discrepancy {
        subject: "bring lab-1 to what Git says at 4f2a9c1".into(),
        arms: vec![
            arm(Path::User, "the button, http", Path::User, 6_300, 210, false, Some(false), refused, none),
            arm(Path::Direct, "hedgerow sync", Path::User, 11_200, 2_400, true, Some(true), synced, all),
            arm(Path::Direct, "hedgerow sync", Path::Direct, 18_000, 1_900, true, Some(true), synced, all),
            arm(Path::User, "the button, chromium", Path::Direct, 19_980, 220, false, None, refused, ""),
        ],
        parts_at: Some(Layer::Csrf),
        sentence: "The user's path ends at the form's token: something between removes the header Origin, and the target takes the form for forged.".into(),
        probes: vec![
            probe(Layer::Permission, "ada may not sync", "ask for the permissions of ada", "fabric.sync on lab-1", "the same as a viewer", "none", Some(false)),
            probe(Layer::Csrf, "the token or the origin does not arrive", "send the form as the page has it", "403, “not sent from this site”", "the same past the proxy, to port 8080", "303 to the operation", Some(true)),
            probe(Layer::Session, "the session is not known to the server", "open a page that needs a login", "200", "the same without the cookie", "303 to the login", Some(false)),
            probe(Layer::Route, "the address leads nowhere", "ask it with OPTIONS", "405 with Allow: POST", "an address beside it", "404", Some(false)),
            probe(Layer::Cluster, "the cluster refuses", "write as a dry run by the oracle", "it did not answer in time", "read the same object", "200", None),
        ],
    }
}
