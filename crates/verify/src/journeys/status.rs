//! One status everywhere: list, page, API and metrics say the same, and it is what the oracle reads.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::effect;
use crate::fabrics;
use crate::page::Page;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;

/// How often places that disagree are read again: what changes between two reads is no contradiction.
const ROUNDS: usize = 4;

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let mut visitor = scene.user().await?;
    let mut said = Vec::new();
    for _ in 0..ROUNDS {
        said = everywhere(scene, &mut visitor).await?;
        if agree(&said) {
            break;
        }
    }
    let list = said.iter().map(|(place, code)| format!("{place}: {code}")).collect::<Vec<_>>().join("; ");
    let expected = "list, page, API and metrics say the same of the fabric";
    scene.assert(agree(&said), Cause::StatusDisagrees, expected, &list)?;
    if said.len() < 2 {
        return Err(Stop::Inconclusive("The fabric's state is shown in one place only.".to_owned()));
    }
    last_success(scene, &mut visitor).await?;
    truth(scene, &said).await?;
    let page = scene.open_fabric(&mut visitor).await?;
    contradictions(scene, &page)?;
    visitor.close().await;
    Ok(())
}

fn agree(said: &[(String, String)]) -> bool {
    said.windows(2).all(|pair| pair[0].1 == pair[1].1)
}

/// What each place says, as a code.
async fn everywhere(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<Vec<(String, String)>> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let mut said = Vec::new();
    let code = |word: &str| profile.status.code(word).map_or_else(|| format!("“{word}”"), str::to_owned);
    let list = visitor.open(&profile.fabrics.address).await?;
    scene.shown_by(visitor);
    if let Some((_, word)) = fabrics::rows(&list, &profile).into_iter().find(|(one, _)| one.id == fabric.id) {
        said.push(("list".to_owned(), code(&word)));
    }
    let page = scene.open_fabric(visitor).await?;
    if let Some((word, _)) = scene.status_on(&page) {
        said.push(("page".to_owned(), code(&word)));
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
            said.push((format!("API {}", api.pointer), code(value)));
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
                said.extend(state.map(|state| ("metrics".to_owned(), code(state))));
            }
        }
    }
    Ok(said)
}

/// The time of the last success is the end of an operation that succeeded.
async fn last_success(scene: &mut Scene<'_>, visitor: &mut Visitor) -> Walked<()> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let (Some(place), Some(operations)) = (&profile.fabric.last_success, &profile.operation) else { return Ok(()) };
    let body = visitor.ask(&Ask::get(&place.address.replace("{id}", &fabric.id))).await?.json()?;
    let last =
        body.pointer(&place.pointer).and_then(|value| value.as_str()).and_then(|text| text.parse::<Timestamp>().ok());
    let Some(last) = last else { return Ok(()) };
    let page = visitor.open(&operations.list.replace("{id}", &fabric.id)).await?;
    let mut links = page.attributes(&operations.list_link, "href");
    links.dedup();
    let mut ends = Vec::new();
    for link in links.iter().take(20) {
        let answer = visitor.ask(&Ask::get(link)).await?.json()?;
        let end =
            answer.get("ended_at").and_then(|value| value.as_str()).and_then(|text| text.parse::<Timestamp>().ok());
        let good = answer.get("success").and_then(|value| value.as_bool()) == Some(true);
        if good && let Some(end) = end {
            if (end.duration_since(last)).abs() <= jiff::SignedDuration::from_secs(2) {
                scene.shown_by(visitor);
                let expected = "the last success is the end of an operation that succeeded";
                return scene.assert(true, Cause::TimestampOnly, expected, link);
            }
            ends.push(end);
        }
    }
    scene.shown_by(visitor);
    let newest = ends.iter().max();
    if newest.is_some_and(|newest| *newest > last) || links.len() >= 20 && newest.is_none_or(|newest| *newest > last) {
        scene.untold(
            "the last success is the end of an operation that succeeded",
            "its operation is older than those that the list begins with",
        );
        return Ok(());
    }
    let observed =
        format!("the last success is said to be at {last}; the newest operation that succeeded ended at {newest:?}");
    Err(scene.failed(Cause::TimestampOnly, "the last success is the end of an operation that succeeded", observed))
}

/// Where the page says that all is well, the oracle must agree.
async fn truth(scene: &mut Scene<'_>, said: &[(String, String)]) -> Walked<()> {
    let profile = scene.profile();
    let Some((_, code)) = said.first() else { return Ok(()) };
    if !profile.status.good.contains(code) {
        return Ok(());
    }
    let world = effect::world(scene).await?;
    let (Some(_), Some(desired)) = (&world.live, &world.desired) else {
        scene.verified = Some(false);
        scene.untold(
            "where all is said to be well, the cluster holds what Git says",
            "no oracles were given that read both the cluster and Git",
        );
        return Ok(());
    };
    let list: Vec<String> = world.lacking.iter().take(5).map(|(object, why)| format!("{object}: {why}")).collect();
    let observed = if list.is_empty() {
        format!("all {} objects of {} are held", desired.objects.len(), &desired.commit[..desired.commit.len().min(12)])
    } else {
        list.join("; ")
    };
    scene.verified = Some(true);
    let expected = "where all is said to be well, the cluster holds what Git says";
    scene.assert(world.lacking.is_empty(), Cause::StatusLies, expected, observed)
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
