//! The rounds: each does everything once, ours and theirs in turn and in changing order, on one API server.

use crate::bare::Bare;
use crate::kubectl::Kubectl;
use crate::report::{Breakdown, Budget, Row, Times};
use crate::subject::{Measured, Subject};
use crate::{Options, objects, progress};
use anyhow::{Context, Result, ensure};
use model::operation::{Phase, Verb};
use serde_json::Value;
use testkit::{ControlPlane, FluxApply};

/// Whom a round measures.
#[derive(Clone, Copy)]
enum Side {
    Bare,
    Kubectl,
    Flux,
    Ours,
}

/// Times of an operation over the rounds.
#[derive(Default)]
struct Operations {
    whole: Times,
    phases: Vec<(Phase, Times)>,
}

impl Operations {
    fn push(&mut self, measured: &Measured) {
        self.whole.push(measured.whole);
        for (&phase, &took) in &measured.phases {
            match self.phases.iter_mut().find(|(known, _)| *known == phase) {
                Some((_, times)) => times.push(took),
                None => {
                    let mut times = Times::default();
                    times.push(took);
                    self.phases.push((phase, times));
                }
            }
        }
    }

    fn breakdown(self, what: String) -> Breakdown {
        let phases = self.phases.into_iter().map(|(phase, times)| (phase.as_str().to_owned(), times)).collect();
        Breakdown { what, whole: self.whole, phases }
    }
}

/// Syncs of new and of unchanged objects, beside the create loop and `kubectl apply`.
pub async fn syncs(plane: &mut ControlPlane, bare: &Bare, options: &Options) -> Result<(Vec<Row>, Vec<Breakdown>)> {
    let count = options.apply;
    let (all, around) = (objects::objects(count)?, objects::surroundings(count));
    let kubectl = Kubectl::new(plane, &all).await?;
    let (mut created, mut applied, mut reapplied) = (Times::default(), Times::default(), Times::default());
    let mut verified = Times::default();
    let flux = FluxApply::find()?;
    if flux.is_none() {
        progress("Flux's library is not measured: `cargo xtask setup --for bench` builds it");
    }
    let (mut fluxed, mut refluxed) = (Times::default(), Times::default());
    let (mut new, mut unchanged) = (Operations::default(), Operations::default());
    for round in 0..options.rounds {
        let mut sides = vec![Side::Bare, Side::Kubectl, Side::Ours];
        sides.extend(flux.as_ref().map(|_| Side::Flux));
        let turn = round % sides.len();
        sides.rotate_left(turn);
        for side in sides {
            plane.reset().await?;
            bare.create(&around, 1).await?;
            match side {
                Side::Bare => created.push(bare.create(&all, options.at_once()).await?),
                Side::Kubectl => {
                    applied.push(kubectl.apply(plane).await?);
                    reapplied.push(kubectl.apply(plane).await?);
                }
                Side::Flux => {
                    let flux = flux.as_ref().context("Flux has a turn only where it is there")?;
                    fluxed.push(kubectl.flux(flux, plane).await?);
                    refluxed.push(kubectl.flux(flux, plane).await?);
                }
                Side::Ours => {
                    let subject = Subject::start(plane, &all, options.at_once()).await?;
                    let sync = subject.run(Verb::SyncToKubernetes).await?;
                    verified.push(sync.between(Phase::Preflight, Phase::Verify)?);
                    new.push(&sync);
                    unchanged.push(&subject.run(Verb::SyncToKubernetes).await?);
                    subject.stop().await;
                }
            }
            let (_, live) = bare.list(8).await?;
            let wanted = all.len() + around.len();
            ensure!(live.len() == wanted, "{} objects are live, not {wanted}", live.len());
        }
        progress(&format!("sync of {count}: round {} of {} done", round + 1, options.rounds));
    }
    let mut rows = vec![
        Row {
            what: format!("sync of {count} new, with re-read"),
            ours: verified,
            beside: format!("bare create loop, {} at once", options.at_once()),
            theirs: created.clone(),
            budget: Budget::AtMost(1.3),
        },
        Row {
            what: format!("sync of {count} new, whole"),
            ours: new.whole.clone(),
            beside: "kubectl apply --server-side, new".into(),
            theirs: applied.clone(),
            budget: Budget::TimesFaster(3.0),
        },
        bound(count, &created, "kubectl apply --server-side, new", applied),
        Row {
            what: format!("sync of {count} unchanged, whole"),
            ours: unchanged.whole.clone(),
            beside: "kubectl apply --server-side, unchanged".into(),
            theirs: reapplied,
            budget: Budget::TimesFaster(20.0),
        },
    ];
    if !fluxed.is_empty() {
        rows.push(bound(count, &created, "Flux's library, new", fluxed.clone()));
    }
    let beside_flux = [("new", &new.whole, fluxed, 6.0), ("unchanged", &unchanged.whole, refluxed, 30.0)];
    rows.extend(beside_flux.into_iter().filter(|(_, _, theirs, _)| !theirs.is_empty()).map(
        |(which, ours, theirs, least)| Row {
            what: format!("sync of {count} {which}, whole"),
            ours: ours.clone(),
            beside: format!("Flux's library, {which}"),
            theirs,
            budget: Budget::TimesFaster(least),
        },
    ));
    let breakdowns =
        vec![new.breakdown(format!("sync of {count} new")), unchanged.breakdown(format!("sync of {count} unchanged"))];
    Ok((rows, breakdowns))
}

/// How much faster than others the bare loop is: on a machine where that is less than a budget, no sync can keep it.
fn bound(count: usize, created: &Times, beside: &str, theirs: Times) -> Row {
    Row {
        what: format!("{count} bare creates"),
        ours: created.clone(),
        beside: beside.into(),
        theirs,
        budget: Budget::Bound,
    }
}

/// Comparisons that find nothing to do, beside the LISTs and `kubectl diff`.
pub async fn comparisons(
    plane: &mut ControlPlane,
    bare: &Bare,
    options: &Options,
    setting: &mut Vec<String>,
) -> Result<(Vec<Row>, Vec<Breakdown>)> {
    let count = options.compare;
    let (all, around) = (objects::objects(count)?, objects::surroundings(count));
    // kubectl asks about each object: a part of them, in the same mix, tells what all of them take.
    let part: Vec<Value> = all.iter().step_by(options.diff_each.max(1)).cloned().collect();
    let scale = all.len() as f64 / part.len() as f64;
    plane.reset().await?;
    bare.create(&around, options.at_once()).await?;
    bare.create(&all, options.at_once()).await?;
    progress(&format!("{count} objects created"));
    let subject = Subject::start(plane, &all, options.at_once()).await?;
    let mut first_read = Times::default();
    first_read.push(subject.first_read);
    // The first one after the start fills what is remembered.
    subject.run(Verb::SyncFromFabric).await?;
    ensure!(subject.equal().await? == count as u64, "not all objects are equal before the comparisons begin");
    let at_once = options.at_once();
    let (_, live) = bare.list(at_once).await?;
    let bytes: usize = live.iter().map(|o| o.to_string().len()).sum();
    setting.push(format!(
        "objects of {} bytes as written and {} as listed, with what the server adds",
        objects::BYTES,
        bytes / live.len().max(1)
    ));
    drop(live);

    let kubectl = Kubectl::new(plane, &part).await?;
    let (mut listed, mut diffed, mut compared) = (Times::default(), Times::default(), Times::default());
    let mut operations = Operations::default();
    for round in 0..options.rounds {
        for pair in 0..2 {
            let sides = if (round + pair) % 2 == 0 { [Side::Bare, Side::Ours] } else { [Side::Ours, Side::Bare] };
            for side in sides {
                if let Side::Ours = side {
                    let comparison = subject.run(Verb::SyncFromFabric).await?;
                    compared.push(comparison.between(Phase::FetchSource, Phase::Compare)?);
                    operations.push(&comparison);
                } else {
                    listed.push(bare.list(at_once).await?.0);
                }
            }
        }
        if options.diff_each > 0 {
            let took = kubectl.diff(plane).await?;
            // Two comparisons a round are set beside it.
            diffed.push(took);
            diffed.push(took);
        }
        progress(&format!("comparison of {count}: round {} of {} done", round + 1, options.rounds));
    }
    ensure!(subject.equal().await? == count as u64, "not all objects are equal after the comparisons");
    subject.stop().await;
    let mut rows = vec![Row {
        what: format!("compare {count}, from commit to stored"),
        ours: compared.clone(),
        beside: format!("bare LISTs, decoded, {at_once} at once"),
        theirs: listed,
        budget: Budget::AtMost(1.3),
    }];
    if !diffed.is_empty() {
        let of_part = if part.len() < all.len() { format!(" ({} x {scale:.0})", part.len()) } else { String::new() };
        rows.push(Row {
            what: format!("compare {count}, from commit to stored"),
            ours: compared,
            beside: format!("kubectl diff --server-side{of_part}"),
            theirs: diffed.scaled(scale),
            budget: Budget::TimesFaster(100.0),
        });
    }
    rows.push(Row {
        what: format!("first parse of {count} manifests"),
        ours: first_read,
        beside: String::new(),
        theirs: Times::default(),
        budget: Budget::Within(1000.0),
    });
    Ok((rows, vec![operations.breakdown(format!("compare {count} (Sync from Fabric)"))]))
}
