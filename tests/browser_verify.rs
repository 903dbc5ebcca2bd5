//! `hedgerow verify` in real browsers on a real API server: every journey in Chromium, and some in Firefox.

use crate::http_verify::{ELSEWHERE, all_but};
use crate::proof::Proof;
use anyhow::{Result, ensure};

#[tokio::test(flavor = "multi_thread")]
async fn the_journeys_in_chromium() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    // The ends of sessions are walked below; presses that must meet are walked by HTTP, where they meet on a busy machine.
    let in_place = ["expiry_warning", "relogin_in_place", "double_click", "two_users", "two_paths", "unreachable"];
    let mut words = all_but(&[&ELSEWHERE[..], &in_place].concat());
    words.extend(["--driver", "chromium"]);
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&[])?;
    let pictures = proved.run.steps.iter().filter(|step| step.screenshot.is_some()).count();
    let trees = proved.run.steps.iter().filter(|step| step.accessible_tree.is_some()).count();
    ensure!(pictures > 40 && trees > 40, "{pictures} pictures, {trees} accessible trees");
    let errors = proved.run.steps.iter().flat_map(|step| &step.console).filter(|line| line.level == "SEVERE");
    let errors: Vec<_> = errors.filter(|line| !line.text.contains("Failed to load resource")).collect();
    ensure!(errors.is_empty(), "{errors:?}");
    Ok(())
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
    proof.verify(&words).await?.all_passed_but(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_journeys_in_firefox() -> Result<()> {
    testkit::geckodriver()?;
    let proof = Proof::start(&[]).await?;
    let mut words = vec!["--driver", "firefox"];
    for name in ["login_logout", "wrong_password", "fabric_page", "sync_by_button", "drift"] {
        words.extend(["--journey", name]);
    }
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&[])?;
    ensure!(proved.run.journeys.iter().all(|one| one.driver == "firefox"));
    Ok(())
}
