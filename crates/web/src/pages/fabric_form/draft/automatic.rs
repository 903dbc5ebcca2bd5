//! The part of the form that says what the fabric does by itself. Windows stand in numbered rows, two of them empty, so
//! that one can be added without script; how many there are, the policy says.

use super::Draft;
use crate::extract::Fields as Given;
use crate::pages::fabric_form::{AutomaticFields, WindowFields};
use crate::parts::field::{Field, FieldKind};
use model::policy::{MOST_WINDOWS, Policy, Window, WindowKind, span};

/// Field names and labels of one row.
struct Row {
    kind: (&'static str, &'static str),
    schedule: (&'static str, &'static str),
    minutes: (&'static str, &'static str),
    time_zone: (&'static str, &'static str),
}

macro_rules! rows {
    ($($number:literal),*) => { [$( Row {
        kind: (concat!("window_kind_", $number), concat!("Window ", $number)),
        schedule: (concat!("window_schedule_", $number), concat!("Window ", $number, " begins")),
        minutes: (concat!("window_minutes_", $number), concat!("Window ", $number, " lasts, in minutes")),
        time_zone: (concat!("window_time_zone_", $number), concat!("Window ", $number, " time zone")),
    } ),*] };
}

static ROWS: [Row; MOST_WINDOWS] = rows!(1, 2, 3, 4, 5, 6, 7, 8);
/// Rows that are empty, to be filled.
const SPARE: usize = 2;
/// What the kind of an empty row is.
const NONE: &str = "none";

/// What was typed in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowDraft {
    kind: String,
    schedule: String,
    minutes: String,
    time_zone: String,
}

impl Default for WindowDraft {
    fn default() -> Self {
        Self { kind: NONE.into(), schedule: String::new(), minutes: String::new(), time_zone: "UTC".into() }
    }
}

/// What was typed in this part of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutomaticDraft {
    pub sync_interval: String,
    pub self_heal: bool,
    pub prune: bool,
    pub prune_limit: String,
    pub rollout_wait: String,
    /// Up to the last row that is not empty.
    pub windows: Vec<WindowDraft>,
}

/// The label of a field of this part.
pub fn label(name: &str) -> Option<&'static str> {
    let own = match name {
        "sync_interval" => "Sync every",
        "self_heal" => "Self-heal",
        "prune" => "Prune",
        "prune_limit" => "Most that is deleted without a confirmation, in percent",
        "rollout_wait" => "Follow the switches for",
        _ => "",
    };
    let of_rows = || ROWS.iter().flat_map(|row| [row.kind, row.schedule, row.minutes, row.time_zone]);
    (!own.is_empty()).then_some(own).or_else(|| of_rows().find(|(known, _)| *known == name).map(|(_, label)| label))
}

impl AutomaticDraft {
    /// What a policy says.
    pub fn of(policy: &Policy) -> Self {
        let length = |seconds: Option<u32>| seconds.map(|s| span(i64::from(s))).unwrap_or_default();
        let window = |window: &Window| WindowDraft {
            kind: window.kind.as_str().to_owned(),
            schedule: window.schedule.clone(),
            minutes: window.minutes.to_string(),
            time_zone: window.time_zone.clone(),
        };
        Self {
            sync_interval: length(policy.sync_interval_seconds),
            self_heal: policy.self_heal,
            prune: policy.prune,
            prune_limit: policy.prune_limit_percent.to_string(),
            rollout_wait: length(policy.rollout_wait_seconds),
            windows: policy.windows.iter().map(window).collect(),
        }
    }

    /// What was typed.
    pub fn read(given: &Given, self_heal: bool, prune: bool) -> Self {
        let text = |name: &str| given.text(name).to_owned();
        let row = |row: &Row| WindowDraft {
            kind: Some(text(row.kind.0)).filter(|kind| !kind.is_empty()).unwrap_or_else(|| NONE.to_owned()),
            schedule: text(row.schedule.0).split_whitespace().collect::<Vec<_>>().join(" "),
            minutes: text(row.minutes.0),
            time_zone: given.get(row.time_zone.0).map_or_else(|| "UTC".to_owned(), |zone| zone.trim().to_owned()),
        };
        let mut windows: Vec<WindowDraft> = ROWS.iter().map(row).collect();
        while windows.last().is_some_and(|last| *last == WindowDraft::default()) {
            windows.pop();
        }
        Self {
            sync_interval: text("sync_interval"),
            self_heal,
            prune,
            prune_limit: text("prune_limit"),
            rollout_wait: text("rollout_wait"),
            windows,
        }
    }
}

impl Draft {
    /// The policy that this part says, as far as it can be meant; what is wrong is noted at its field. `stored` is how
    /// many windows there were before: of those, one that is taken away need not be emptied.
    pub(super) fn check_automatic(&mut self, stored: usize, shortest: u32) -> Option<Policy> {
        let typed = self.automatic.clone();
        let mut good = true;
        let mut wrong = |field: &'static str, message: String| {
            self.errors.set(field, message);
            good = false;
        };
        let mut length = |field, text: &str| match seconds(text) {
            Ok(seconds) => seconds,
            Err(message) => {
                wrong(field, message);
                None
            }
        };
        let mut policy = Policy {
            sync_interval_seconds: length("sync_interval", &typed.sync_interval),
            rollout_wait_seconds: length("rollout_wait", &typed.rollout_wait),
            self_heal: typed.self_heal,
            prune: typed.prune,
            ..Policy::default()
        };
        if !typed.prune_limit.is_empty() {
            match typed.prune_limit.trim_end_matches('%').trim_end().parse() {
                Ok(percent) => policy.prune_limit_percent = percent,
                Err(_) => wrong("prune_limit", "Give a share from 0 to 100.".to_owned()),
            }
        }
        let mut rows = Vec::new();
        for (number, (row, window)) in ROWS.iter().zip(&typed.windows).enumerate() {
            let Ok(kind) = window.kind.parse::<WindowKind>() else {
                if window.kind != NONE {
                    wrong(row.kind.0, "Choose allow, deny or none.".to_owned());
                } else if number >= stored && !(window.schedule.is_empty() && window.minutes.is_empty()) {
                    wrong(row.kind.0, "Choose whether it allows or denies, or empty the row.".to_owned());
                }
                continue;
            };
            // What is no number is none that is allowed, and gets the word of those.
            let minutes = window.minutes.parse().unwrap_or(0);
            let (schedule, time_zone) = (window.schedule.clone(), window.time_zone.clone());
            policy.windows.push(Window { kind, schedule, minutes, time_zone });
            rows.push(row);
        }
        for flaw in policy.flaws(shortest) {
            let row = flaw.window.and_then(|number| rows.get(number));
            let field = match (flaw.field, row) {
                ("schedule", Some(row)) => row.schedule.0,
                ("minutes", Some(row)) => row.minutes.0,
                ("time_zone", Some(row)) => row.time_zone.0,
                (_, Some(row)) => row.kind.0,
                ("prune_limit_percent", None) => "prune_limit",
                ("rollout_wait_seconds", None) => "rollout_wait",
                ("windows", None) => ROWS[0].kind.0,
                _ => "sync_interval",
            };
            wrong(field, flaw.message);
        }
        good.then_some(policy)
    }

    /// The fields of this part as the page shows them.
    pub(super) fn automatic_fields(&self) -> AutomaticFields {
        let field = |kind, (name, label): (&'static str, &'static str), value: &str| {
            let mut field = Field::new(kind, name, label, value);
            field.error = self.errors.0.get(name).cloned();
            field
        };
        let own = |kind, name: &'static str, value: &str| field(kind, (name, label(name).unwrap_or(name)), value);
        let check = |name, on: bool| own(FieldKind::Check, name, if on { "on" } else { "" });
        let typed = &self.automatic;
        let shown = (typed.windows.len() + SPARE).min(ROWS.len());
        let row = |(number, row): (usize, &Row)| {
            let window = typed.windows.get(number).cloned().unwrap_or_default();
            let labelled =
                |kind, (name, _): (&'static str, &'static str), label, value: &str| field(kind, (name, label), value);
            WindowFields {
                kind: field(FieldKind::Select, row.kind, &window.kind).options(&[
                    (NONE, "None"),
                    ("allow", "Allow"),
                    ("deny", "Deny"),
                ]),
                schedule: labelled(FieldKind::Text, row.schedule, "Begins", &window.schedule)
                    .placeholder("0 22 * * 1-5"),
                minutes: labelled(FieldKind::Text, row.minutes, "Minutes", &window.minutes).placeholder("480"),
                time_zone: labelled(FieldKind::Text, row.time_zone, "Time zone", &window.time_zone)
                    .placeholder("Europe/Berlin"),
            }
        };
        AutomaticFields {
            sync_interval: own(FieldKind::Text, "sync_interval", &typed.sync_interval).placeholder("15 min").help(
                "Such as 90 s, 15 min, 2 h. Each time the cluster is made equal to Git, also where somebody changed it. \
                 Empty: only people and scripts start a sync.",
            ),
            rollout_wait: own(FieldKind::Text, "rollout_wait", &typed.rollout_wait)
                .help(
                    "Such as 30 s, 5 min. How long an operation waits for the switches. Empty: as long as the server's \
                     settings say.",
                ),
            self_heal: check("self_heal", typed.self_heal).help(
                "What somebody changes or deletes in the cluster is put right as soon as it is seen. Somebody who keeps \
                 changing it is named, and left alone for a growing time.",
            ),
            prune: check("prune", typed.prune).help(
                "A sync may delete what Git no longer names: automatic ones do, others when they are asked to.",
            ),
            prune_limit: own(FieldKind::Text, "prune_limit", &typed.prune_limit)
                .help("More than this share of the objects is deleted only when somebody types the fabric's name."),
            windows: ROWS.iter().take(shown).enumerate().map(row).collect(),
        }
    }
}

/// A length of time: a whole number and its unit; a number alone is minutes, as in the field of the time limit. Nothing
/// typed is nothing.
fn seconds(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "s" | "sec" | "second" | "seconds" => 1,
        "" | "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        _ => return Err("Give a whole number and a unit, such as 90 s, 15 min, 2 h or 1 day.".to_owned()),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
    seconds.map(Some).ok_or_else(|| "Give a whole number and a unit, such as 90 s, 15 min, 2 h or 1 day.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Draft {
        let encoded: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let given = Given::of_form(encoded.as_bytes());
        let on = |name| given.ticked(name).unwrap();
        Draft { automatic: AutomaticDraft::read(&given, on("self_heal"), on("prune")), ..Draft::default() }
    }

    #[test]
    fn lesson_24_a_policy_round_trips_through_its_fields() {
        let window = |kind, schedule: &str, minutes, zone: &str| Window {
            kind,
            schedule: schedule.into(),
            minutes,
            time_zone: zone.into(),
        };
        let policy = Policy {
            sync_interval_seconds: Some(90),
            self_heal: true,
            prune: true,
            prune_limit_percent: 5,
            windows: vec![
                window(WindowKind::Allow, "0 22 * * 1-5", 480, "Europe/Berlin"),
                window(WindowKind::Deny, "0 2 * * *", 60, "UTC"),
            ],
            rollout_wait_seconds: Some(300),
        };
        for policy in [policy, Policy::default()] {
            let mut draft = Draft { automatic: AutomaticDraft::of(&policy), ..Draft::default() };
            let fields = draft.automatic_fields();
            assert_eq!(fields.windows.len(), policy.windows.len() + SPARE);
            let of_row = |row: &WindowFields| {
                [&row.kind, &row.schedule, &row.minutes, &row.time_zone].map(|f| (f.name, f.value.clone())).to_vec()
            };
            let own =
                [&fields.sync_interval, &fields.rollout_wait, &fields.self_heal, &fields.prune, &fields.prune_limit];
            let mut pairs: Vec<(&str, String)> = own.iter().map(|f| (f.name, f.value.clone())).collect();
            pairs.extend(fields.windows.iter().flat_map(of_row));
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(typed(&pairs).automatic, draft.automatic);
            assert_eq!(draft.check_automatic(0, 60), Some(policy));
        }
    }

    #[test]
    fn lesson_12_what_cannot_be_meant_is_refused_at_its_field_and_stays_typed() {
        let wrong = |pairs: &[(&str, &str)]| {
            let mut draft = typed(pairs);
            assert_eq!(draft.check_automatic(0, 60), None, "{pairs:?}");
            let fields = draft.automatic_fields();
            for (name, value) in pairs.iter().filter(|(name, _)| name.starts_with("window_schedule")) {
                let shown = fields.windows.iter().find(|row| row.schedule.name == *name).map(|row| &row.schedule.value);
                assert_eq!(shown.map(String::as_str), Some(*value), "{name}");
            }
            draft.errors.0.keys().copied().collect::<Vec<_>>()
        };
        for bad in ["59 s", "0", "5 weeks", "ten", "-5 min", "99999999999", "70000 days"] {
            assert_eq!(wrong(&[("sync_interval", bad)]), ["sync_interval"], "{bad}");
        }
        assert_eq!(wrong(&[("prune_limit", "101")]), ["prune_limit"]);
        assert_eq!(wrong(&[("prune_limit", "some")]), ["prune_limit"]);
        assert_eq!(wrong(&[("rollout_wait", "2 days")]), ["rollout_wait"]);
        let row = |kind, schedule, minutes, zone| {
            [
                ("window_kind_3", kind),
                ("window_schedule_3", schedule),
                ("window_minutes_3", minutes),
                ("window_time_zone_3", zone),
            ]
        };
        assert_eq!(wrong(&row("deny", "0 2 * *", "60", "UTC")), ["window_schedule_3"]);
        assert_eq!(wrong(&row("deny", "0 2 * * *", "an hour", "UTC")), ["window_minutes_3"]);
        assert_eq!(wrong(&row("deny", "0 2 * * *", "60", "Berlin")), ["window_time_zone_3"]);
        assert_eq!(wrong(&row("perhaps", "0 2 * * *", "60", "UTC")), ["window_kind_3"]);
        assert_eq!(wrong(&row("none", "0 2 * * *", "60", "UTC")), ["window_kind_3"]);
    }

    #[test]
    fn a_window_is_taken_away_by_its_kind_alone() {
        let pairs = [
            ("window_kind_1", "none"),
            ("window_schedule_1", "0 2 * * *"),
            ("window_minutes_1", "60"),
            ("window_kind_2", "allow"),
            ("window_schedule_2", "0 3 * * *"),
            ("window_minutes_2", "30"),
        ];
        let policy = typed(&pairs).check_automatic(2, 60).expect("both are well meant");
        assert_eq!(policy.windows.len(), 1);
        assert_eq!((policy.windows[0].schedule.as_str(), policy.windows[0].time_zone.as_str()), ("0 3 * * *", "UTC"));
        assert_eq!(typed(&[("sync_interval", "15")]).check_automatic(0, 60).unwrap().sync_interval_seconds, Some(900));
    }
}
