//! What the sample came to: its journeys, and where its two paths part.

use super::parts::{at, check, journey};
use verify::cause::{Cause, Layer};
use verify::results::{Arm, CheckKind, Discrepancy, Finding, JourneyResult, Measured, Path, Probe};
use verify::verdict::Verdict;

fn finding(step: usize) -> Finding {
    let mut finding = Finding::new(
        Cause::Csrf,
        "The press starts an operation: ada may sync lab-1, nothing else runs, and the engine's own command did the same a minute before.",
        "403 “The form was not sent from this site”; no operation was started, and the cluster is as it was.",
    );
    finding.step = Some(step);
    finding
}

/// The journeys.
pub fn journeys() -> Vec<JourneyResult> {
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

/// The discrepancy.
pub fn discrepancy() -> Discrepancy {
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
