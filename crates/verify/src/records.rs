//! The target's records of a fabric's operations, as its list links to them and as each one's address tells a script.

use crate::drivers::Ask;
use crate::scene::Scene;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How much later than its deadline the end of an operation may be stored.
const GRACE: SignedDuration = SignedDuration::from_secs(30);

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The address of its page.
    pub(crate) address: String,
    /// Its state, as scripts read it.
    pub(crate) state: String,
    /// Whether it is over.
    pub(crate) is_final: bool,
    /// Whether it succeeded, once it is over.
    pub(crate) success: Option<bool>,
    /// Who began it.
    pub(crate) actor: String,
    /// What it does.
    pub(crate) verb: String,
    /// The number of the fabric that it is about, where the target says so.
    pub(crate) fabric: Option<String>,
    /// The commit that it was about.
    pub(crate) commit: String,
    /// When it was asked for.
    pub(crate) queued: Option<Timestamp>,
    /// When it was over.
    pub(crate) ended: Option<Timestamp>,
    /// By when it must be over.
    pub(crate) deadline: Option<Timestamp>,
    /// What time it was at the target when it said so.
    now: Timestamp,
}

impl Operation {
    /// Whether it goes on although its time was up, by the target's own clock.
    pub(crate) fn is_late(&self) -> bool {
        !self.is_final && self.deadline.is_some_and(|deadline| self.now > deadline + GRACE)
    }

    /// Whether both were open at one moment.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self.queued, self.ended, other.queued, other.ended) {
            (Some(from), Some(to), Some(other_from), Some(other_to)) => from < other_to && other_from < to,
            _ => false,
        }
    }
}

/// The addresses of the fabric's operations, the newest first; `None` where the target keeps none.
pub(crate) async fn listed(scene: &Scene<'_>, visitor: &mut Visitor) -> Walked<Option<Vec<String>>> {
    let profile = scene.profile();
    let Some(places) = &profile.operation else { return Ok(None) };
    let page = visitor.leaf(&places.list.replace("{id}", &scene.fabric()?.id)).await?;
    let mut links = page.attributes(&places.list_link, "href");
    links.dedup();
    Ok(Some(links))
}

/// Reads one.
pub(crate) async fn read(scene: &mut Scene<'_>, visitor: &mut Visitor, address: &str) -> Walked<Operation> {
    let profile = scene.profile();
    let Some(json) = profile.operation.as_ref().and_then(|places| places.json.as_ref()) else {
        return Err(Stop::Skipped("The profile does not say where scripts read an operation.".to_owned()));
    };
    let answer = visitor.ask(&Ask::get(address)).await?;
    scene.shown_by(visitor);
    let body = answer.json()?;
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = |pointer: &str| text(pointer).parse::<Timestamp>().ok();
    Ok(Operation {
        address: address.to_owned(),
        state: text(&json.state),
        is_final: body.pointer(&json.is_final).and_then(Value::as_bool).unwrap_or(false),
        success: body.pointer(&json.success).and_then(Value::as_bool),
        actor: text(&json.actor),
        verb: text(&json.verb),
        fabric: json.fabric.as_deref().and_then(|pointer| number(body.pointer(pointer)?)),
        commit: text(&json.commit),
        queued: time(&json.queued),
        ended: time(&json.ended),
        deadline: time(&json.deadline),
        now: answer.date().unwrap_or_else(Timestamp::now),
    })
}

/// A number or a name, however it is written.
fn number(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}

/// Reads those that came since the list was `before`, the newest first.
pub(crate) async fn since(scene: &mut Scene<'_>, visitor: &mut Visitor, before: &[String]) -> Walked<Vec<Operation>> {
    let mut found = Vec::new();
    for address in listed(scene, visitor).await?.unwrap_or_default() {
        if !before.contains(&address) {
            found.push(read(scene, visitor, &address).await?);
        }
    }
    Ok(found)
}
