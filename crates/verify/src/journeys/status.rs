//! One status everywhere: list, page, API, metrics and database say the same, and it is what the oracles read.

use super::status_truth;
use crate::cause::Cause;
use crate::drivers::Ask;
use crate::effect;
use crate::fabrics;
use crate::page::Page;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::time::{Duration, Instant};

/// How often places that disagree are read again: what changes between two reads is no contradiction.
const ROUNDS: usize = 4;
/// How often a place that may lag is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What one place says.
struct Said {
    place: String,
    code: String,
    /// How far it may lag behind the pages.
    lag: Duration,
}

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let mut visitor = scene.user().await?;
    let (began, mut round) = (Instant::now(), 0);
    let said = loop {
        let said = everywhere(scene, &mut visitor).await?;
        round += 1;
        // A place that may lag is waited for, as long as it may.
        let prompt = said.iter().filter(|one| one.lag.is_zero());
        let lag = said.iter().map(|one| one.lag).max().unwrap_or_default();
        let lags = agree(prompt) && began.elapsed() < lag;
        if agree(said.iter()) || round >= ROUNDS && !lags {
            break said;
        }
        if lags {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let list = said.iter().map(|one| format!("{}: {}", one.place, one.code)).collect::<Vec<_>>().join("; ");
    let expected = "list, page, API and metrics say the same of the fabric";
    scene.assert(agree(said.iter()), Cause::StatusDisagrees, expected, &list)?;
    if said.len() < 2 {
        return Err(Stop::Inconclusive("The fabric's state is shown in one place only.".to_owned()));
    }
    status_truth::last_success(scene, &mut visitor).await?;
    status_truth::held(scene, &mut visitor).await?;
    status_truth::stored(scene, &mut visitor).await?;
    effect::switches::judge(scene, &mut visitor, None).await?;
    let page = scene.open_fabric(&mut visitor).await?;
    contradictions(scene, &page)?;
    visitor.close().await;
    Ok(())
}

fn agree<'a>(said: impl Iterator<Item = &'a Said>) -> bool {
    let codes: Vec<&str> = said.map(|one| one.code.as_str()).collect();
    codes.windows(2).all(|pair| pair[0] == pair[1])
}

/// What each place says, as a code.
async fn everywhere(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Vec<Said>> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let mut said: Vec<Said> = Vec::new();
    let now = |place: &str, code: String| Said { place: place.to_owned(), code, lag: Duration::ZERO };
    let code = |word: &str| profile.status.code(word).map_or_else(|| format!("“{word}”"), str::to_owned);
    let list = visitor.open(&profile.fabrics.address).await?;
    scene.shown_by(visitor);
    let (rows, _) = fabrics::until(visitor, list, &profile, |one| one.id == fabric.id).await?;
    if let Some((_, word)) = rows.into_iter().find(|(one, _)| one.id == fabric.id) {
        said.push(now("list", code(&word)));
    }
    let page = scene.open_fabric(visitor).await?;
    if let Some((word, _)) = scene.status_on(&page) {
        said.push(now("page", code(&word)));
    }
    for api in &profile.status.api {
        let answer = visitor.ask(&Ask::get(&api.address.replace("{id}", &fabric.id))).await?;
        if answer.status != 200 {
            continue;
        }
        let body = answer.json()?;
        let value = body.pointer(&api.pointer);
        let value = value.and_then(|value| value.as_str().or_else(|| value.get("value")?.as_str()));
        if let Some(value) = value {
            said.push(now(&format!("API {}", api.pointer), code(value)));
        }
    }
    if let Some(metric) = &profile.status.metric {
        let answer = visitor.ask(&Ask::get(&metric.address).with("Accept", "text/plain")).await?;
        // Who may not read metrics is told so; that is no contradiction.
        if answer.status == 200 {
            let name = fabric.name.replace('\\', "\\\\").replace('"', "\\\"");
            let ours = answer.body.lines().filter(|line| {
                line.starts_with(&metric.name) && line.contains(&format!("fabric=\"{name}\"")) && line.ends_with(" 1")
            });
            for line in ours {
                let state =
                    line.split_once("state=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(state, _)| state);
                let lag = Duration::from_secs(metric.lag);
                said.extend(state.map(|state| Said { lag, ..now("metrics", code(state)) }));
            }
        }
    }
    if let Some(word) = status_truth::stored_status(scene).await? {
        said.push(now("database", code(&word)));
    }
    Ok(said)
}

/// Two places that cannot both be true.
fn contradictions(scene: &mut Scene<'_>, page: &Page) -> Walked<()> {
    let text = page.visible_text();
    for pair in scene.profile().fabric.never_checked.clone() {
        let both = text.contains(&pair.good) && text.contains(&pair.never);
        let expected = format!("“{}” is said of what was checked", pair.good);
        let observed =
            if both { format!("the same page says “{}”", pair.never) } else { "no contradiction".to_owned() };
        scene.assert(!both, Cause::NeverChecked, &expected, observed)?;
    }
    Ok(())
}
