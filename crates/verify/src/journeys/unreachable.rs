//! A cluster that cannot be reached: the page says so, in time, and nothing on it is green.

use crate::answer::Tone;
use crate::cause::Cause;
use crate::fabrics;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};
use std::time::Duration;
use url::Url;

/// How long a connection may take that shows whether a cluster can be reached.
const WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let mut visitor = scene.user().await?;
    let list = visitor.open(&profile.fabrics.address).await?;
    scene.shown_by(&visitor);
    let Some(wanted) = scene.site.plan.unreachable_fabric.clone() else {
        return Err(Stop::Skipped(
            "No fabric was named whose cluster cannot be reached; --unreachable-fabric names one.".to_owned(),
        ));
    };
    let (rows, _) = fabrics::until(&mut visitor, list, &profile, |one| one.name == wanted).await?;
    let found = fabrics::named(rows.into_iter().map(|(one, _)| one).collect(), &wanted);
    let Some(fabric) = found else {
        return Err(Stop::Inconclusive(format!("The list of fabrics shows no {wanted}.")));
    };
    let page = visitor.open(&fabric.address).await?;
    let before = scene.status_on(&page);
    // What shows that it cannot be reached: from here it cannot either.
    let address = profile.fabric.cluster_address.as_ref().and_then(|place| place.read(&page));
    let reached = match &address {
        Some(address) => Some(reaches(address).await),
        None => None,
    };
    if reached == Some(true) {
        return Err(Stop::Inconclusive(format!(
            "{} answers from here: it is no fabric whose cluster cannot be reached.",
            address.unwrap_or_default()
        )));
    }
    for name in ["test_connection", "sync"] {
        let Ok(action) = scene.action(name) else { continue };
        if name == "sync" && !scene.site.plan.allow_sync {
            continue;
        }
        visitor.open(&fabric.address).await?;
        let (answer, page) = scene.press_and_follow(&mut visitor, &action).await?;
        let label = action.button.names.first().map_or(name, String::as_str);
        let expected =
            format!("“{label}” of a fabric whose cluster cannot be reached is a failure, and the page says so");
        match answer.tone {
            Tone::Bad => scene.assert(true, Cause::FailureCalledSuccess, &expected, &answer.text)?,
            Tone::Good if reached.is_none() => {
                return Err(Stop::Inconclusive(format!(
                    "“{}” is said of {wanted}, and nothing here shows that its cluster cannot be reached.",
                    answer.text
                )));
            }
            Tone::Good => return Err(scene.failed(Cause::FailureCalledSuccess, &expected, &answer.text)),
            Tone::Busy => return Err(scene.failed(Cause::Unanswered, &expected, &answer.text)),
            Tone::Silent => return Err(scene.failed(Cause::SilentFailure, &expected, says(&page))),
        }
    }
    let page = visitor.open(&fabric.address).await?;
    scene.shown_by(&visitor);
    let after = scene.status_on(&page);
    let good = |status: &Option<(String, Option<String>)>| {
        status.as_ref().and_then(|(_, code)| code.as_ref()).is_some_and(|code| profile.status.good.contains(code))
    };
    let observed = after.as_ref().map_or_else(|| "no state".to_owned(), |(word, _)| format!("“{word}”"));
    let expected = "after that, the fabric's page does not say that all is well";
    if good(&after) && good(&before) {
        // What was read shortly before may be called good for a while.
        scene.untold(expected, &format!("{observed}, as before; how old what it rests on may be is not known"));
    } else {
        scene.assert(!good(&after), Cause::StatusLies, expected, observed)?;
    }
    visitor.close().await;
    Ok(())
}

/// Whether anything takes a connection at an address.
async fn reaches(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else { return false };
    let host = host.trim_matches(['[', ']']);
    let connect = tokio::net::TcpStream::connect((host, port));
    matches!(tokio::time::timeout(WITHIN, connect).await, Ok(Ok(_)))
}
