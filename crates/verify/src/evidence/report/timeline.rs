//! The timeline: everything on one axis of time, a lane for each driver of the user's path, for the two arms, for the
//! direct path and for what the oracles read. Here is where each thing stands; the drawing is in `timeline.html`.

use super::steps::mark;
use super::{clock_time, length};
use crate::evidence::words::ms_between;
use crate::results::{Path, Run, Step};
use jiff::Timestamp;

/// The drawing's width, in its own units.
const WIDTH: u64 = 1120;
/// Where time begins, right of the names of the lanes.
const LEFT: u64 = 148;
/// How wide time is.
const SPAN: u64 = WIDTH - LEFT - 20;
/// The least width of a bar, so that it can be seen and pressed.
const LEAST: u64 = 3;
/// Ten years: no run is longer, and what is multiplied stays a number.
const LONGEST_MS: u64 = 315_360_000_000;
const HEAD: u64 = 26;
const LANE: u64 = 44;
/// How wide a letter is, to know whether a name fits.
const LETTER: u64 = 6;

/// The drawing.
pub struct Timeline {
    /// Its width.
    pub width: u64,
    /// Its height.
    pub height: u64,
    /// Marks on the axis.
    pub ticks: Vec<(u64, String)>,
    /// The lanes.
    pub lanes: Vec<Lane>,
}

/// One lane.
pub struct Lane {
    /// Its name.
    pub name: String,
    /// What kind, for its colour: `user`, `direct`, `arm`, `oracle`.
    pub kind: &'static str,
    /// Its upper edge.
    pub top: u64,
    /// The journeys above the bars.
    pub bands: Vec<Bar>,
    /// What was done.
    pub bars: Vec<Bar>,
    /// What has a moment only.
    pub points: Vec<Bar>,
}

/// Something with a beginning and a length.
pub struct Bar {
    /// Where it begins.
    pub x: u64,
    /// How wide it is.
    pub width: u64,
    /// What it leads to.
    pub href: String,
    /// What it says when it is pointed at.
    pub title: String,
    /// The name that stands in it, if it fits.
    pub label: String,
    /// Its colour: empty, `bad`, `waiting`.
    pub tone: &'static str,
}

struct Axis {
    start: Timestamp,
    ms: u64,
}

impl Axis {
    fn x(&self, at: Timestamp) -> u64 {
        LEFT + ms_between(self.start, at).min(self.ms) * SPAN / self.ms
    }

    fn bar(&self, started: Timestamp, ms: u64, href: String, title: String) -> Bar {
        let x = self.x(started);
        let width = (ms.min(self.ms) * SPAN / self.ms).clamp(LEAST, (LEFT + SPAN + LEAST).saturating_sub(x).max(LEAST));
        Bar { x, width, href, title, label: String::new(), tone: "" }
    }

    /// About eight marks, at numbers that people count in.
    fn ticks(&self) -> Vec<(u64, String)> {
        const NICE: [u64; 20] = [
            10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
            900_000, 1_800_000, 3_600_000, 7_200_000,
        ];
        let step = NICE.into_iter().find(|step| self.ms / step <= 8).unwrap_or(self.ms / 8 + 1);
        (0..=self.ms / step).map(|number| (LEFT + number * step * SPAN / self.ms, length(number * step))).collect()
    }
}

impl Timeline {
    /// Of a run.
    pub fn new(run: &Run) -> Self {
        let ends = run.steps.iter().map(|step| ms_between(run.started, step.started).saturating_add(step.ms));
        let ms = ends.chain([ms_between(run.started, run.ended), 1]).max().unwrap_or(1).min(LONGEST_MS);
        let axis = Axis { start: run.started, ms };
        let mut lanes = user_lanes(run, &axis);
        lanes.extend(arm_lanes(run, &axis));
        let direct: Vec<&Step> = run.steps.iter().filter(|step| step.path == Path::Direct).collect();
        if !direct.is_empty() {
            lanes.push(Lane::new(
                "direct path",
                "direct",
                direct.into_iter().map(|step| step_bar(run, &axis, step)).collect(),
            ));
        }
        let oracle = run.steps.iter().filter(|step| step.path == Path::Oracle);
        let mut readings = Lane::new("oracle", "oracle", oracle.map(|step| step_bar(run, &axis, step)).collect());
        readings.points = readings_points(run, &axis);
        if !readings.points.is_empty() || !readings.bars.is_empty() {
            lanes.push(readings);
        }
        let mut top = HEAD;
        for lane in &mut lanes {
            lane.top = top;
            top += LANE;
        }
        let ticks = axis.ticks();
        Self { width: WIDTH, height: top + 4, ticks, lanes }
    }
}

impl Lane {
    fn new(name: &str, kind: &'static str, bars: Vec<Bar>) -> Self {
        Self { name: name.to_owned(), kind, top: 0, bands: Vec::new(), bars, points: Vec::new() }
    }
}

/// A lane for each driver, with its journeys above.
fn user_lanes(run: &Run, axis: &Axis) -> Vec<Lane> {
    let driver_of = |step: &Step| step.who.rsplit(", ").next().unwrap_or(&step.who).to_owned();
    let mut lanes: Vec<(String, Lane)> = Vec::new();
    for step in run.steps.iter().filter(|step| step.path == Path::User) {
        let driver = driver_of(step);
        if !lanes.iter().any(|(name, _)| *name == driver) {
            let name = if step.who.contains(", ") { format!("user, {driver}") } else { driver.clone() };
            lanes.push((driver.clone(), Lane::new(&name, "user", Vec::new())));
        }
        if let Some((_, lane)) = lanes.iter_mut().find(|(name, _)| *name == driver) {
            lane.bars.push(step_bar(run, axis, step));
        }
    }
    for (index, journey) in run.journeys.iter().enumerate().filter(|(_, journey)| journey.steps > 0) {
        let title = format!("{}: {}, {}", journey.name, journey.verdict.word(), length(journey.ms));
        let mut band = axis.bar(journey.started, journey.ms, format!("#{}", super::journey_id(index)), title);
        let fits = journey.name.chars().count() as u64 * LETTER + 8 <= band.width;
        band.label = if fits { journey.name.clone() } else { String::new() };
        band.tone = super::Mark::of_journey(journey.verdict).tone;
        if let Some((_, lane)) = lanes.iter_mut().find(|(name, _)| *name == journey.driver) {
            lane.bands.push(band);
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn step_bar(run: &Run, axis: &Axis, step: &Step) -> Bar {
    let mark = mark(run, step);
    let marked = mark.map_or(String::new(), |mark| format!(" ({})", mark.word));
    let title =
        format!("Step {}, {}, {}: {}{marked}", step.number, clock_time(step.started), length(step.ms), step.what);
    let mut bar = axis.bar(step.started, step.ms, format!("#step-{}", step.number), title);
    bar.tone = mark.map_or("", |mark| mark.tone);
    bar
}

fn arm_lanes(run: &Run, axis: &Axis) -> Vec<Lane> {
    let Some(found) = &run.discrepancy else { return Vec::new() };
    let lane = |path: Path, name: &str| {
        let arms = found.arms.iter().filter(|arm| arm.path == path);
        let bars: Vec<Bar> = arms
            .map(|arm| {
                let title = format!("{}, {}, {}: {}", arm.by, clock_time(arm.started), length(arm.ms), arm.said);
                let mut bar = axis.bar(arm.started, arm.ms, "#discrepancy".to_owned(), title);
                bar.tone = if arm.claimed == Some(false) || arm.effect == Some(false) { "bad" } else { "" };
                bar
            })
            .collect();
        (!bars.is_empty()).then(|| Lane::new(name, "arm", bars))
    };
    [lane(Path::User, "both ways: user"), lane(Path::Direct, "both ways: direct")].into_iter().flatten().collect()
}

fn readings_points(run: &Run, axis: &Axis) -> Vec<Bar> {
    let point = |(index, reading): (usize, &crate::results::OracleReading)| {
        let title = format!("{}, {}: {}", reading.from, clock_time(reading.at), reading.found);
        axis.bar(reading.at, 0, format!("#reading-{}", index + 1), title)
    };
    run.readings.iter().enumerate().map(point).collect()
}
