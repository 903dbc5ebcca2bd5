//! `hedgerow verify` in real browsers on a real API server: every journey in Chromium, and what is a browser's own in Firefox.

use crate::http_verify::{ELSEWHERE, all_but};
use crate::proof::Proof;
use anyhow::{Result, ensure};
use std::time::Duration;
use testkit::Rule;

#[tokio::test(flavor = "multi_thread")]
async fn the_journeys_in_chromium() -> Result<()> {
    let mut proof = Proof::unsynced(&[]).await?;
    proof.add_unreachable().await?;
    // The ends of sessions are walked below, and so are presses that must meet.
    let others = ["expiry_warning", "relogin_in_place", "double_click", "two_users"];
    let mut words = all_but(&[&ELSEWHERE[..], &others].concat());
    words.extend(["--driver", "chromium", "--unreachable-fabric", "north"]);
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&[])?;
    let pictures = proved.run.steps.iter().filter(|step| step.screenshot.is_some()).count();
    let trees = proved.run.steps.iter().filter(|step| step.accessible_tree.is_some()).count();
    ensure!(pictures > 40 && trees > 40, "{pictures} pictures, {trees} accessible trees");
    let errors = proved.run.steps.iter().flat_map(|step| &step.console).filter(|line| line.level == "SEVERE");
    let errors: Vec<_> = errors.filter(|line| !line.text.contains("Failed to load resource")).collect();
    ensure!(errors.is_empty(), "{errors:?}");

    // Presses that meet, and a sync that can be cancelled, need a cluster that takes its time.
    proof.site.door.add(Rule::on("GET", "/vpcs?").delay(Duration::from_secs(4)));
    let words = ["--driver", "chromium", "--journey", "double_click", "--journey", "two_users"];
    proof.verify(&words).await?.all_passed_but(&[])?;
    // A person has to find the button while it runs.
    proof.site.door.clear();
    proof.site.door.add(Rule::on("GET", "/vpcs?").delay(Duration::from_secs(20)));
    proof.verify(&["--driver", "chromium", "--journey", "cancel"]).await?.all_passed_but(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_under_an_open_page_in_chromium() -> Result<()> {
    let settings = [
        ("HEDGEROW_SESSION_IDLE", "25s"),
        ("HEDGEROW_SESSION_ABSOLUTE", "10m"),
        ("HEDGEROW_SESSION_WARN_BEFORE", "8s"),
    ];
    let proof = Proof::start(&settings).await?;
    let words = ["--driver", "chromium", "--journey", "expiry_warning", "--journey", "relogin_in_place"];
    proof.verify(&words).await?.all_passed_but(&[])?;
    let words = ["--driver", "chromium", "--journey", "session_idle_expiry"];
    proof.verify(&words).await?.all_passed_but(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_get_no_older_than_they_may_and_a_sync_outlives_its_own_in_chromium() -> Result<()> {
    let proof = Proof::start(&[("HEDGEROW_SESSION_IDLE", "20s"), ("HEDGEROW_SESSION_ABSOLUTE", "40s")]).await?;
    proof.verify(&["--driver", "chromium", "--journey", "session_absolute_expiry"]).await?.all_passed_but(&[])?;
    proof.site.door.add(Rule::on("GET", "/vpcs?").times(1).delay(Duration::from_secs(28)));
    proof.verify(&["--driver", "chromium", "--journey", "long_sync_expiry"]).await?.all_passed_but(&[])
}

/// What Firefox walks in every run of the tests. All others but those of `ELSEWHERE` were walked there, and hold; they are
/// left out for the time they take, because what they do in a browser is done by one of these, too:
///
/// | left out | its way through the browser is walked by |
/// |---|---|
/// | `sync_from_git` | `sync_from_fabric` |
/// | `unreachable`, `stuck_operation`, `status_agrees`, `secrets`, `crawl` | `fabric_page` and `test_connection`: they open, press and read |
/// | `session_revoked` | `session_missing`; it ends every session of the journeys before, one by one |
/// | `double_click`, `two_users`, `two_paths` | nothing; they hang on presses that meet, or take half a minute |
/// | `expiry_warning`, `relogin_in_place` | nothing; they need short sessions of a console of their own |
const IN_FIREFOX: [&str; 12] = [
    "login_logout",
    "wrong_password",
    "fabric_page",
    "sync_by_button",
    "sync_by_form",
    "sync_from_fabric",
    "test_connection",
    "csrf",
    "permission",
    "older_tab",
    "session_missing",
    "drift",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_main_journeys_in_firefox() -> Result<()> {
    testkit::geckodriver()?;
    let proof = Proof::start(&[]).await?;
    let mut words: Vec<_> = IN_FIREFOX.iter().flat_map(|name| ["--journey", name]).collect();
    words.extend(["--driver", "firefox"]);
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&[])?;
    let walked = &proved.run.journeys;
    ensure!(walked.len() == IN_FIREFOX.len() && walked.iter().all(|one| one.driver == "firefox"), "{walked:?}");
    for name in ["sync_by_button", "sync_by_form", "drift"] {
        ensure!(proved.journey(name)?.verified == Some(true), "{name} was judged by an oracle");
    }
    Ok(())
}
