//! Where the two paths part, as the report shows it: the arms of each order beside each other, and the layers in the
//! order in which a press goes through them, the first that breaks loud.

use super::mark::Mark;
use crate::cause::Layer;
use crate::evidence::words::{clock_time, length};
use crate::results::{Arm, Discrepancy, Path, Probe};

/// The discrepancy.
pub struct Parting<'a> {
    /// As it was found.
    pub found: &'a Discrepancy,
    /// Both orders.
    pub pairs: Vec<Pair<'a>>,
    /// All layers.
    pub layers: Vec<LayerView>,
    /// The probes, layer by layer.
    pub probes: Vec<ProbeView<'a>>,
}

/// The arms that were walked one after the other.
pub struct Pair<'a> {
    /// Which came first.
    pub order: &'static str,
    /// Columns: the user's path, the direct one.
    pub arms: Vec<ArmView<'a>>,
    /// Whether they came to the same.
    pub agrees: bool,
}

/// One path.
pub struct ArmView<'a> {
    /// The arm.
    pub arm: &'a Arm,
    /// The path in words.
    pub path: &'static str,
    /// When, and how long.
    pub when: String,
    /// Whether it claimed success.
    pub claimed: Mark,
    /// Whether the oracle saw the effect.
    pub effect: Mark,
}

/// A layer.
pub struct LayerView {
    /// Its word.
    pub word: &'static str,
    /// What the probes say of it.
    pub mark: Mark,
    /// Whether the paths part here.
    pub parts: bool,
}

/// A probe.
pub struct ProbeView<'a> {
    /// The probe.
    pub probe: &'a Probe,
    /// Its layer.
    pub layer: &'static str,
    /// Whether the layer breaks.
    pub mark: Mark,
    /// How long it took.
    pub took: String,
    /// Whether the paths part here.
    pub parts: bool,
}

impl<'a> Parting<'a> {
    /// Of what was found.
    pub fn new(found: &'a Discrepancy) -> Self {
        let mut probes: Vec<&Probe> = found.probes.iter().collect();
        probes.sort_by_key(|probe| probe.layer);
        Self {
            found,
            pairs: pairs(&found.arms),
            layers: Layer::ALL.into_iter().map(|layer| LayerView::new(found, layer)).collect(),
            probes: probes.into_iter().map(|probe| ProbeView::new(found, probe)).collect(),
        }
    }
}

/// A direct arm with the user's of the same order, in the order in which they were walked.
fn pairs(arms: &[Arm]) -> Vec<Pair<'_>> {
    let mut pairs: Vec<(Path, Vec<&Arm>)> = Vec::new();
    for arm in arms {
        match pairs.last_mut() {
            Some((first, open)) if *first == arm.first && open.len() < 2 => open.push(arm),
            _ => pairs.push((arm.first, vec![arm])),
        }
    }
    let mut out = Vec::new();
    for (first, mut arms) in pairs {
        let agrees = arms.windows(2).all(|two| agree(two[0], two[1]));
        let order = if first == Path::User { "The user's path first" } else { "The direct path first" };
        arms.sort_by_key(|arm| arm.path != Path::User);
        out.push(Pair { order, arms: arms.into_iter().map(ArmView::new).collect(), agrees });
    }
    out
}

/// Whether two arms came to the same. What was not looked at in one of them, as after a dry run, which has no effect to
/// look for, says nothing about the other.
fn agree(one: &Arm, other: &Arm) -> bool {
    let same_effect = one.effect.zip(other.effect).is_none_or(|(one, other)| one == other);
    one.claimed == other.claimed && same_effect
}

impl<'a> ArmView<'a> {
    fn new(arm: &'a Arm) -> Self {
        Self {
            arm,
            path: if arm.path == Path::User { "User's path" } else { "Direct path" },
            when: format!("{}, {}", clock_time(arm.started), length(arm.ms)),
            claimed: Mark::of_answer(arm.claimed, "Success", "Failure", "Neither"),
            effect: Mark::of_answer(arm.effect, "Effect seen", "No effect", "Not verified"),
        }
    }
}

impl LayerView {
    fn new(found: &Discrepancy, layer: Layer) -> Self {
        let mut tried = found.probes.iter().filter(|probe| probe.layer == layer).map(|probe| probe.holds);
        let parts = found.parts_at == Some(layer);
        // Of several probes of a layer the worst counts; where the paths part is said even if no probe is about it.
        let worst = tried.clone().find(|holds| *holds == Some(true)).or_else(|| tried.clone().find(Option::is_none));
        let breaks = if parts { Some(Some(true)) } else { worst.or_else(|| tried.next()) };
        Self { word: layer.word(), mark: Mark::of_layer(breaks), parts }
    }
}

impl<'a> ProbeView<'a> {
    fn new(found: &Discrepancy, probe: &'a Probe) -> Self {
        Self {
            probe,
            layer: probe.layer.word(),
            mark: Mark::of_layer(Some(probe.holds)),
            took: length(probe.ms),
            parts: found.parts_at == Some(probe.layer) && probe.holds == Some(true),
        }
    }
}
