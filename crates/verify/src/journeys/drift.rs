//! A difference in the cluster is shown, with its field and both values. It is planted where it carries no traffic, and
//! taken back.

use crate::answer::Tone;
use crate::cause::Cause;
use crate::effect;
use crate::profile::Css;
use crate::scene::{Scene, says};
use crate::stop::{Stop, Walked};

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let Some(places) = profile.drift.clone() else {
        return Err(Stop::Skipped("The profile knows no page that shows fields that differ.".to_owned()));
    };
    if scene.site.plan.cluster.is_none() {
        scene.verified = Some(false);
        return Err(Stop::Skipped("A difference can be planted only with --oracle-kubeconfig.".to_owned()));
    }
    let mut visitor = scene.user().await?;
    let before = effect::world(scene).await?;
    let managed = match before.desired {
        Some(_) => Default::default(),
        None => effect::managed(scene, &mut visitor).await?,
    };
    let Some(planted) = effect::plant(scene, &before, &managed).await? else {
        return Err(Stop::Skipped(
            "Git holds no Server and no Switch whose description could be changed without harm.".to_owned(),
        ));
    };
    let read = scene.action("sync_from_fabric")?;
    scene.open_fabric(&mut visitor).await?;
    let (answer, page) = scene.press_and_follow(&mut visitor, &read).await?;
    if answer.tone == Tone::Bad {
        return Err(Stop::Inconclusive(format!(
            "The cluster could not be read, and the page says so: “{}”.",
            answer.text
        )));
    }
    let expected = "the cluster is read again";
    scene.assert(
        answer.tone == Tone::Good,
        Cause::SilentFailure,
        expected,
        format!("{} {}", answer.text, says(&page)),
    )?;
    let (id, namespace) = (scene.fabric()?.id, effect::namespace(scene.site));
    let address = places.object_page(&id, &planted.kind_and_group(), &namespace, &planted.name);
    let page = visitor.open(&address).await?;
    scene.shown_by(&visitor);
    let fields = page.texts(&places.field);
    if !planted.is_there(scene).await? {
        return Err(Stop::Inconclusive(format!(
            "The difference in {} was put right before the page was read: by self-heal, or by somebody else.",
            planted.object()
        )));
    }
    let expected = format!("the page of {} names {}, and no other field", planted.object(), planted.path);
    let observed = if fields.is_empty() { says(&page) } else { fields.join(", ") };
    // Without a look at Git, other differences may have been there before.
    let alone =
        fields == [planted.path] || before.desired.is_none() && fields.iter().any(|field| field == planted.path);
    scene.assert(alone, Cause::DriftNotShown, &expected, observed)?;
    let number = fields.iter().position(|field| field == planted.path).unwrap_or_default();
    let row = page.texts(&places.row).into_iter().find(|row| row.contains(planted.path)).unwrap_or_default();
    let side = |place: &Option<Css>| match place {
        Some(place) => page.texts(place).into_iter().nth(number).unwrap_or_default(),
        None => row.clone(),
    };
    let (live, desired) = (side(&places.live), side(&places.desired));
    let both = live.contains(&planted.value) && planted.was.as_ref().is_none_or(|was| desired.contains(was.as_str()));
    scene.assert(both, Cause::DriftNotShown, "both values stand beside each other, each on its side", &row)?;
    // Not green while it is there.
    let page = scene.open_fabric(&mut visitor).await?;
    let good =
        scene.status_on(&page).and_then(|(_, code)| code).is_some_and(|code| profile.status.good.contains(&code));
    if good && !planted.is_there(scene).await? {
        return Err(Stop::Inconclusive("The difference was put right before the fabric's page was read.".to_owned()));
    }
    scene.assert(!good, Cause::StatusLies, "the fabric is not said to be well", says(&page))?;
    scene.verified = Some(true);
    // Back to what it was, by the oracle's own hand; the control: then nothing is shown.
    scene.site.take_back().await;
    let (answer, _) = scene.press_and_follow(&mut visitor, &read).await?;
    scene.control(answer.tone == Tone::Good, "the cluster is read once more", &answer.text)?;
    let page = visitor.open(&address).await?;
    scene.shown_by(&visitor);
    let fields = page.texts(&places.field);
    scene.control(fields.is_empty(), "after it is taken back, nothing differs there", fields.join(", "))?;
    visitor.close().await;
    Ok(())
}
