//! Windows over changes of the clock, slots, and self-heal's patience.

use super::*;
use crate::ObjectKey;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn window(kind: WindowKind, schedule: &str, minutes: u32, zone: &str) -> Window {
    Window { kind, schedule: schedule.into(), minutes, time_zone: zone.into() }
}

fn policy(windows: &[Window]) -> Policy {
    Policy { sync_interval_seconds: Some(600), windows: windows.to_vec(), ..Policy::default() }
}

fn is_open(windows: &[Window], when: &str) -> bool {
    policy(windows).gate(at(when)) == Gate::Open
}

fn situation(suspension: Option<&Suspension>) -> Situation<'_> {
    let since = Timestamp::UNIX_EPOCH;
    Situation { fabric_id: 7, suspension, enabled: true, cluster_known: true, since, settled: None }
}

#[test]
fn without_windows_every_time_is_allowed_and_deny_goes_before_allow() {
    assert!(is_open(&[], "2026-11-28T14:00:00Z"));
    let nights = window(WindowKind::Allow, "0 22 * * 1-5", 480, "Europe/Berlin");
    let backup = window(WindowKind::Deny, "0 2 * * *", 60, "Europe/Berlin");
    let both = [nights.clone(), backup];
    // Friday the 27th, 22:00 in Berlin, is 21:00 UTC; the window lasts into Saturday.
    assert!(!is_open(&both, "2026-11-27T20:59:59Z"));
    assert!(is_open(&both, "2026-11-27T21:00:00Z"));
    assert!(!is_open(&both, "2026-11-28T01:30:00Z"), "denied from 2 to 3");
    assert!(is_open(&both, "2026-11-28T02:00:00Z"));
    assert!(!is_open(&both, "2026-11-28T05:00:00Z"), "closed at 6");
    assert!(!is_open(&both, "2026-11-28T21:30:00Z"), "Saturday");
}

#[test]
fn when_it_opens_next_is_found_through_windows_that_follow_one_another() {
    let working = window(WindowKind::Deny, "0 8 * * 1-5", 600, "Europe/Berlin");
    let change = window(WindowKind::Deny, "0 18 * * 1", 120, "Europe/Berlin");
    let gate = policy(&[working.clone(), change]).gate(at("2026-11-30T09:00:00Z"));
    let Gate::Closed { window: Some(0), opens: Some((opens, zone)) } = gate else { panic!("{gate:?}") };
    assert_eq!((opens, zone.as_str()), (at("2026-11-30T19:00:00Z"), "Europe/Berlin"), "after both");

    let always = window(WindowKind::Deny, "* * * * *", 1, "UTC");
    assert_eq!(policy(&[always]).gate(at("2026-11-30T09:00:00Z")), Gate::Closed { window: Some(0), opens: None });
    let sunday = window(WindowKind::Allow, "0 0 * * 0", 60, "UTC");
    let gate = policy(&[sunday, working]).gate(at("2026-11-30T09:00:00Z"));
    assert!(
        matches!(gate, Gate::Closed { window: Some(1), opens: Some((at_, _)) } if at_ == at("2026-12-06T00:00:00Z"))
    );
}

#[test]
fn a_beginning_that_the_clock_jumps_over_counts_when_it_has_jumped() {
    // In Berlin, on 2026-03-29, 02:00 becomes 03:00 at 01:00 UTC.
    let windows = [window(WindowKind::Deny, "30 2 * * *", 60, "Europe/Berlin")];
    assert!(is_open(&windows, "2026-03-29T00:59:59Z"));
    assert!(!is_open(&windows, "2026-03-29T01:30:00Z"), "what was to be denied is denied once");
    assert!(is_open(&windows, "2026-03-29T02:31:00Z"));
    // The day before it is where it stands on the wall.
    assert!(!is_open(&windows, "2026-03-28T01:30:00Z"));
    assert!(is_open(&windows, "2026-03-28T02:30:00Z"));
}

#[test]
fn in_an_hour_that_comes_twice_a_time_of_day_begins_once_and_every_hour_in_both() {
    // In Berlin, on 2026-10-25, 03:00 becomes 02:00 at 01:00 UTC: 02:30 is at 00:30 and at 01:30 UTC.
    let hourly = [window(WindowKind::Deny, "0 * * * *", 60, "Europe/Berlin")];
    let fixed = [window(WindowKind::Deny, "30 2 * * *", 15, "Europe/Berlin")];
    for minute in 0..180 {
        let when = at("2026-10-24T23:30:00Z") + SignedDuration::from_mins(minute);
        assert_ne!(policy(&hourly).gate(when), Gate::Open, "{when}: no minute of the day is free");
    }
    assert!(!is_open(&fixed, "2026-10-25T00:31:00Z"));
    assert!(is_open(&fixed, "2026-10-25T00:50:00Z") && is_open(&fixed, "2026-10-25T01:31:00Z"));
    // Which lasts as long as it says, whatever the clock on the wall does meanwhile.
    let long = [window(WindowKind::Deny, "30 2 * * *", 90, "Europe/Berlin")];
    assert!(!is_open(&long, "2026-10-25T01:59:00Z") && is_open(&long, "2026-10-25T02:00:00Z"));
}

#[test]
fn what_cannot_be_meant_is_said_with_its_field() {
    let flaws = |policy: Policy| -> Vec<(&str, Option<usize>)> {
        policy.flaws(60).into_iter().map(|flaw| (flaw.field, flaw.window)).collect()
    };
    assert_eq!(flaws(Policy::default()), []);
    assert_eq!(
        flaws(Policy { sync_interval_seconds: Some(59), ..Policy::default() }),
        [("sync_interval_seconds", None)]
    );
    assert_eq!(flaws(Policy { prune_limit_percent: 101, ..Policy::default() }), [("prune_limit_percent", None)]);
    let of = |schedule: &str, minutes, zone: &str| {
        let good = window(WindowKind::Allow, "0 22 * * MON-FRI", 60, "UTC");
        flaws(policy(&[good, window(WindowKind::Deny, schedule, minutes, zone)]))
    };
    assert_eq!(of("0 2 * * *", 10_080, "America/New_York"), []);
    for bad in ["", "0 2 * *", "0 0 2 * * *", "@daily", "61 2 * * *", "0 2 * * 9", "x 2 * * *", "0 0 30 2 *"] {
        assert_eq!(of(bad, 60, "UTC"), [("schedule", Some(1))], "{bad}");
    }
    assert_eq!(of("0 2 * * *", 0, "UTC"), [("minutes", Some(1))]);
    assert_eq!(of("0 2 * * *", 10_081, "UTC"), [("minutes", Some(1))]);
    for bad in ["", "Berlin", "Europe/Berlin ", "CEST+1", "../etc/passwd"] {
        assert_eq!(of("0 2 * * *", 60, bad), [("time_zone", Some(1))], "{bad}");
    }
    let said = |schedule: &str, zone: &str| {
        policy(&[window(WindowKind::Deny, schedule, 60, zone)]).flaws(60).remove(0).message
    };
    for (schedule, words) in [
        ("61 22 * * 1-5", "'61' is no minute: give 0 to 59, *, a list, a range or steps."),
        ("0 24 * * *", "'24' is no hour: give 0 to 23, *, a list, a range or steps."),
        ("0 2 32 * *", "'32' is no day of the month: give 1 to 31, *, a list, a range or steps."),
        ("0 2 * Fob *", "'Fob' is no month: give 1 to 12 or JAN to DEC, *, a list, a range or steps."),
        ("0 2 * * Son", "'Son' is no day of the week: give 0 to 7 or SUN to SAT, *, a list, a range or steps."),
    ] {
        assert_eq!(said(schedule, "UTC"), words);
    }
    assert_eq!(said("0 2 * * *", ""), "Give a time zone by its IANA name, such as Europe/Berlin, or UTC.");
    let message = policy(&[window(WindowKind::Deny, "0 2 * *", 60, "UTC")]).flaws(60).remove(0).message;
    assert!(message.contains("there are 4"), "{message}");
}

#[test]
fn a_window_that_cannot_be_read_denies() {
    let broken = [window(WindowKind::Allow, "0 2 * *", 60, "UTC")];
    assert_eq!(policy(&broken).gate(at("2026-11-28T02:10:00Z")), Gate::Closed { window: Some(0), opens: None });
}

#[test]
fn a_slot_is_due_until_it_is_settled_and_only_after_the_policy_was_made() {
    let policy = policy(&[]);
    let now = at("2026-11-28T14:05:00Z");
    let slot = policy.slot(7, now).unwrap();
    let age = now.duration_since(slot).as_secs();
    assert!((0..600).contains(&age));
    let open = situation(None);
    assert_eq!(policy.due(&open, now), Some(slot));
    assert_eq!(policy.due(&Situation { settled: Some(slot), ..open }, now), None);
    let ahead = Situation { settled: Some(slot + SignedDuration::from_hours(5)), ..open };
    assert_eq!(policy.due(&ahead, now), Some(slot), "settled by a clock that was ahead");
    assert_eq!(
        policy.due(&Situation { settled: Some(slot - SignedDuration::from_secs(600)), ..open }, now),
        Some(slot)
    );
    let saved = Situation { since: slot + SignedDuration::from_secs(1), ..open };
    assert_eq!(policy.due(&saved, now), None, "saving the settings starts nothing");
    let next = slot + SignedDuration::from_secs(600);
    assert_eq!(policy.due(&saved, next), Some(next));
    let slots: std::collections::BTreeSet<i64> =
        (1..=100).filter_map(|id| policy.slot(id, now)).map(|slot| slot.as_second().rem_euclid(600)).collect();
    assert!(slots.len() > 80, "a hundred fabrics begin at {} moments", slots.len());
}

#[test]
fn the_sentence_says_why_not_and_when() {
    let now = at("2026-11-28T14:00:00Z");
    let say = |policy: &Policy, situation: &Situation<'_>| policy.automatic(situation, now);
    assert_eq!(say(&Policy::default(), &situation(None)).state, AutomaticState::Off);
    let open = policy(&[]);
    let settled = Situation { settled: open.slot(7, now), ..situation(None) };
    let waiting = say(&open, &settled);
    assert_eq!(waiting.state, AutomaticState::Waiting);
    assert!(waiting.sentence.starts_with("The next automatic sync is in "), "{}", waiting.sentence);
    assert_eq!(say(&open, &situation(None)).state, AutomaticState::Due);
    let by = Suspension { at: at("2026-11-28T12:30:00Z"), by: "anna".into(), reason: "cabling in rack 7".into() };
    let suspended = say(&open, &situation(Some(&by)));
    assert_eq!(suspended.sentence, "Suspended by anna since Saturday 2026-11-28 12:30 UTC: cabling in rack 7");
    assert!(!open.may_begin(&situation(Some(&by)), now) && open.may_begin(&situation(None), now));
    let monday = policy(&[window(WindowKind::Deny, "0 6 * * 6", 2_940, "Europe/Berlin")]);
    let closed = say(&monday, &situation(None));
    let words = "No automatic sync before Monday 2026-11-30 07:00 Europe/Berlin: window 1 denies it.";
    assert_eq!((closed.state, closed.sentence.as_str()), (AutomaticState::Closed, words));
    assert!(!monday.may_begin(&situation(None), now));
    let off = Situation { enabled: false, ..situation(None) };
    assert_eq!(say(&open, &off).state, AutomaticState::Disabled);
    let other = Situation { cluster_known: false, ..situation(None) };
    assert_eq!(say(&open, &other).state, AutomaticState::ClusterChanged);
    let heals = Policy { self_heal: true, ..Policy::default() };
    assert_eq!(say(&heals, &situation(None)).next_at, None);
}

fn vpc(name: &str) -> ObjectKey {
    ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name)
}

fn heal(name: &str, field: &str, manager: &str, seconds: i64) -> Heal {
    let at = at("2026-11-28T14:00:00Z") + SignedDuration::from_secs(seconds);
    Heal { object: vpc(name), field: field.into(), manager: manager.into(), at }
}

#[test]
fn self_heal_waits_longer_each_time_and_then_names_the_other_writer() {
    let after = |seconds| at("2026-11-28T14:00:00Z") + SignedDuration::from_secs(seconds);
    let mut heals = Vec::new();
    assert!(Patience::of(&vpc("web"), &heals, after(0)).is_over(after(0)));
    for (begun, pause) in [(0, 5), (60, 10), (300, 20)] {
        heals.push(heal("web", "spec.vlan", "kubectl-edit", begun));
        let waits = Patience::of(&vpc("web"), &heals, after(begun + 1));
        assert_eq!((waits.until, waits.fight), (Some(after(begun + pause)), None));
    }
    heals.push(heal("web", "spec.vlan", "kubectl-edit", 600));
    heals.push(heal("web", "metadata.labels.x", "kubectl-label", 600));
    heals.push(heal("db", "spec.vlan", "kubectl-edit", 600));
    let now = after(601);
    let waits = Patience::of(&vpc("web"), &heals, now);
    assert!(!waits.is_over(now));
    let fight = waits.fight.expect("four in a row are a fight");
    assert_eq!(
        fight.sentence(),
        "kubectl-edit has set spec.vlan of VPC web 4 times in 10 min; self-heal waits until 14:25 UTC."
    );
    assert_eq!(fights(&heals, now).len(), 1, "db is none");
    assert!(fights(&heals, after(600 + 15 * 60)).is_empty(), "its pause is over");
    // The other writer is there again: the next pause is twice as long.
    heals.push(heal("web", "spec.vlan", "kubectl-edit", 1_600));
    assert_eq!(Patience::of(&vpc("web"), &heals, after(1_601)).until, Some(after(1_600 + 30 * 60)));
    // Left alone for long enough, it starts from new.
    let calm = after(1_600 + 2 * 30 * 60 + 1);
    let left = |now| left_alone(&heals, now).iter().map(|left| left.sentence()).collect::<Vec<_>>();
    assert_eq!(left(calm), Vec::<String>::new(), "it is not left alone any more");
    let said = left(after(1_601));
    assert!(said.len() == 1 && said[0].starts_with("VPC web is left alone until 1"), "{said:?}");
    assert!(said[0].ends_with(" UTC: it was put right 5 times, and kubectl-edit keeps changing it."), "{said:?}");
    assert_eq!(Patience::of(&vpc("web"), &heals, calm), Patience { until: None, times: 0, since: None, fight: None });
}

#[test]
fn an_object_that_somebody_deletes_again_and_again_is_a_fight_too() {
    let heals: Vec<Heal> = (0..4).map(|n| heal("web", "", "", n * 60)).collect();
    let fight = fights(&heals, at("2026-11-28T14:03:30Z")).remove(0);
    assert_eq!(fight.sentence(), "Somebody has deleted VPC web 4 times in 3 min; self-heal waits until 14:18 UTC.");
}

#[test]
fn however_long_somebody_fights_the_pause_is_at_most_four_hours() {
    let (mut heals, mut now): (Vec<Heal>, _) = (Vec::new(), at("2026-11-28T14:00:00Z"));
    for _ in 0..60 {
        let waits = Patience::of(&vpc("web"), &heals, now);
        assert!(waits.is_over(now));
        heals.push(Heal { object: vpc("web"), field: "spec.vlan".into(), manager: "m".into(), at: now });
        let until = Patience::of(&vpc("web"), &heals, now).until.unwrap();
        assert!(until > now && until.duration_since(now) <= SignedDuration::from_hours(4));
        now = until;
    }
}

const SCHEDULES: [&str; 6] =
    ["0 2 * * *", "*/20 * * * *", "30 2 * * 0", "15 1-3 25 10 *", "45 23 * * 1-5", "0 3 29 3 *"];
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

fn any_window() -> impl Strategy<Value = Window> {
    let kind = prop_oneof![Just(WindowKind::Allow), Just(WindowKind::Deny)];
    (kind, 0..SCHEDULES.len(), 1_u32..300, 0..ZONES.len())
        .prop_map(|(kind, schedule, minutes, zone)| window(kind, SCHEDULES[schedule], minutes, ZONES[zone]))
}

/// Whether a window covers a time, found out the slow way: by asking of every minute before it. In an hour that comes
/// twice a time of day begins once, the first time.
fn covers(window: &Window, now: Timestamp) -> bool {
    let cron: croner::Cron = window.schedule.parse().expect("it is one of the above");
    let zone = jiff::tz::TimeZone::get(&window.time_zone).expect("so is this");
    let minute = Timestamp::from_second(now.as_second().div_euclid(60) * 60).expect("it is near");
    (0..=i64::from(window.minutes)).map(|back| minute - SignedDuration::from_mins(back)).any(|began| {
        let lasts = began + SignedDuration::from_mins(i64::from(window.minutes)) > now;
        let local = began.to_zoned(zone.clone());
        let first = zone.to_ambiguous_timestamp(local.datetime()).earlier().expect("it is near");
        let begins = first == began || window.schedule.starts_with('*');
        lasts && begins && cron.is_time_matching(&local).expect("it can be asked")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_begins_while_a_window_denies_it(
        windows in prop::collection::vec(any_window(), 0..4),
        // The days around the changes of the clock of 2026, and the rest of the year.
        day in prop_oneof![Just(86), Just(87), Just(66), Just(297), Just(304), 0_i64..365],
        second in 0_i64..86_400,
    ) {
        let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(day * 86_400 + second);
        let policy = policy(&windows);
        let open = situation(None);
        let denied = windows.iter().any(|w| w.kind == WindowKind::Deny && covers(w, now));
        prop_assert!(!(denied && policy.may_begin(&open, now)), "{now}");
        let mut allows = windows.iter().filter(|w| w.kind == WindowKind::Allow).peekable();
        let allowed = allows.peek().is_none() || allows.any(|w| covers(w, now));
        if allowed && windows.iter().all(|w| w.kind == WindowKind::Allow) {
            prop_assert!(policy.may_begin(&open, now), "{now}");
        }
        // When it is said to open, it is open, and it was not a minute before.
        if let Gate::Closed { opens: Some((opens, _)), .. } = policy.gate(now) {
            prop_assert!(opens > now);
            prop_assert_eq!(policy.gate(opens), Gate::Open);
            let before = opens - SignedDuration::from_secs(1);
            prop_assert!(before < now || policy.gate(before) != Gate::Open, "{}", opens);
        }
    }
}
