//! A target that is not what the profile says is neither good nor bad: a verdict of its own, before anything is judged.

use crate::target::{plan, stand_in, walk};
use crate::third_party;
use anyhow::{Result, ensure};
use axum::Router;
use axum::response::Html;
use testkit::StandInFabric;
use verify::profile::{Profile, built_in};
use verify::results::Run;
use verify::verdict::RunVerdict;

/// The login page of a Hedgerow, as far as a profile looks at it: its form is Django's in name, too.
const HEDGEROW: &str = r#"<!doctype html><title>Log in · Hedgerow</title><a class=brand href="/">Hedgerow</a>
<main><form method=post><input type=hidden name=csrfmiddlewaretoken value=0123456789abcdef>
<label>User name <input name=username></label><label>Password <input type=password name=password></label>
<button>Log in</button></form></main>"#;

async fn of(target: &str, profile: Profile) -> Result<Run> {
    let run = walk(plan(target, profile, &[])?).await;
    ensure!((run.verdict, run.exit_code) == (RunVerdict::Mismatch, 5), "{:?}: {}", run.verdict, run.sentence);
    ensure!(run.journeys.is_empty() && run.finding.is_none(), "something was judged");
    Ok(run)
}

#[tokio::test]
async fn the_stand_in_is_no_hedgerow() -> Result<()> {
    let site = stand_in().await?;
    site.add_fabric(StandInFabric::default());
    let run = of(&site.url(), built_in("hedgerow")?).await?;
    ensure!(run.sentence.contains("is not Hedgerow: the login page shows none of what"), "{}", run.sentence);
    Ok(())
}

#[tokio::test]
async fn neither_a_hedgerow_nor_a_plain_page_is_netbox() -> Result<()> {
    for page in [HEDGEROW, "<!doctype html><title>It works</title><p>It works, and it is nothing."] {
        let site = third_party::serve(Router::new().fallback(move || async move { Html(page) })).await?;
        let run = of(&site, built_in("netbox-hedgehog")?).await?;
        ensure!(run.sentence.contains("is not NetBox with the plugin"), "{}", run.sentence);
    }
    Ok(())
}

#[tokio::test]
async fn a_product_without_the_plugin_is_no_fit() -> Result<()> {
    // The login fits, and where the fabrics should be there is nothing.
    let site = third_party::serve(third_party::product()).await?;
    let mut profile = third_party::profile()?;
    profile.fabrics.address = "/plugins/fabrics/".to_owned();
    let run = of(&site, profile).await?;
    ensure!(run.sentence.contains("it has no /plugins/fabrics/"), "{}", run.sentence);
    Ok(())
}
