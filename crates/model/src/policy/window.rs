//! Windows: times that come again and again, in which automatic syncs may begin or may not. Cron is read by `croner`,
//! zones and their changes of the clock are jiff's: a beginning that the clock jumps over counts when it has jumped; in an
//! hour that comes twice, a time of day begins once, the first time, and what comes every hour or minute begins in both.

use super::{LONGEST_WINDOW, Window, WindowKind};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// How many windows are walked through in the search for the next time that is allowed. Windows that follow one another
/// without a pause end it; so does "never".
const STEPS: usize = 2_000;

/// Whether automatic syncs may begin at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    Open,
    /// They may not.
    Closed {
        /// Which window denies it; `None` when none that allows is open.
        window: Option<usize>,
        /// When they may next, as far as that can be told, with the zone of the window that says so.
        opens: Option<(Timestamp, String)>,
    },
}

impl Window {
    /// What cannot be meant, by field.
    pub(super) fn flaws(&self) -> Vec<(&'static str, String)> {
        let mut flaws = Vec::new();
        match cron(&self.schedule) {
            Err(why) => flaws.push(("schedule", why)),
            // Any zone does: whether the 30th of February comes does not depend on it.
            Ok(cron) if cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), false).is_err() => {
                flaws.push(("schedule", "This time never comes. Check the day and the month.".to_owned()));
            }
            Ok(_) => {}
        }
        if !(1..=LONGEST_WINDOW).contains(&self.minutes) {
            flaws.push(("minutes", format!("Give whole minutes, from 1 to {LONGEST_WINDOW}.")));
        }
        if let Err(why) = zone(&self.time_zone) {
            flaws.push(("time_zone", why));
        }
        flaws
    }

    fn read(&self) -> Option<Times> {
        let (cron, zone) = (cron(&self.schedule).ok()?, zone(&self.time_zone).ok()?);
        Some(Times { cron, zone, length: SignedDuration::from_mins(i64::from(self.minutes)) })
    }
}

/// The fields of a crontab's line, and what each may hold.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT"),
];

/// Five fields, as they stand in a crontab.
fn cron(text: &str) -> Result<Cron, String> {
    let fields = text.split_whitespace().count();
    if fields != FIELDS.len() || text.contains('@') {
        return Err(format!(
            "Give five fields: minute, hour, day of the month, month, day of the week, such as 0 22 * * 1-5; there are \
             {fields}."
        ));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let e = match parser.parse(text) {
        Ok(cron) => return Ok(cron),
        Err(e) => e,
    };
    // Read by itself, each field tells whether it is the one.
    let bad = text.split_whitespace().zip(FIELDS).enumerate().find(|(number, (field, _))| {
        let alone = (0..FIELDS.len()).map(|n| if n == *number { *field } else { "*" });
        parser.parse(&alone.collect::<Vec<_>>().join(" ")).is_err()
    });
    Err(match bad {
        Some((_, (field, (name, range)))) => {
            format!("'{field}' is no {name}: give {range}, *, a list, a range or steps.")
        }
        None => format!("It cannot be read as cron ({e}). Write it such as 0 22 * * 1-5."),
    })
}

fn zone(name: &str) -> Result<TimeZone, String> {
    let wrong = || format!("'{name}' is no time zone. Give an IANA name such as Europe/Berlin, or UTC.");
    if name.is_empty() {
        return Err("Give a time zone by its IANA name, such as Europe/Berlin, or UTC.".to_owned());
    }
    if name.trim() != name {
        return Err(wrong());
    }
    TimeZone::get(name).map_err(|_| wrong())
}

/// A window that was read.
struct Times {
    cron: Cron,
    zone: TimeZone,
    length: SignedDuration,
}

impl Times {
    fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// When it closes, if it is open now.
    fn open_until(&self, at: Timestamp) -> Option<Timestamp> {
        let began = self.cron.find_previous_occurrence(&self.local(at), true).ok()?.timestamp();
        let until = began.checked_add(self.length).unwrap_or(Timestamp::MAX);
        (until > at).then_some(until)
    }

    /// When it opens next, after now.
    fn opens(&self, at: Timestamp) -> Option<Timestamp> {
        Some(self.cron.find_next_occurrence(&self.local(at), false).ok()?.timestamp())
    }
}

/// Whether automatic syncs may begin now, and if not, when they may. Where a window denies, no other allows; without one
/// that allows, every time is allowed that is not denied. A window that cannot be read denies everything: what it was
/// meant to keep away must stay away.
pub(super) fn gate(windows: &[Window], now: Timestamp) -> Gate {
    let read: Option<Vec<(WindowKind, Times, &Window)>> =
        windows.iter().map(|window| Some((window.kind, window.read()?, window))).collect();
    let Some(read) = read else {
        let unread = windows.iter().position(|window| window.read().is_none());
        return Gate::Closed { window: unread, opens: None };
    };
    let denied = |at| {
        let open = |(_, (kind, times, _)): &(usize, &(WindowKind, Times, &Window))| {
            (*kind == WindowKind::Deny).then(|| times.open_until(at)).flatten()
        };
        let each = read.iter().enumerate().filter_map(|one| open(&one).map(|until| (one.0, until)));
        each.max_by_key(|(_, until)| *until)
    };
    let allows = || read.iter().filter(|(kind, ..)| *kind == WindowKind::Allow);
    let allowed = |at| allows().next().is_none() || allows().any(|(_, times, _)| times.open_until(at).is_some());
    let first = denied(now);
    if first.is_none() && allowed(now) {
        return Gate::Open;
    }
    let (mut at, mut said_by) = (now, None);
    for _ in 0..STEPS {
        if let Some((number, until)) = denied(at) {
            (at, said_by) = (until, Some(number));
        } else if allowed(at) {
            let zone = said_by.map_or_else(|| "UTC".to_owned(), |number: usize| read[number].2.time_zone.clone());
            return Gate::Closed { window: first.map(|(number, _)| number), opens: Some((at, zone)) };
        } else {
            let each = read.iter().enumerate().filter(|(_, (kind, ..))| *kind == WindowKind::Allow);
            let next = each.filter_map(|(number, (_, times, _))| Some((times.opens(at)?, number))).min();
            let Some((opens, number)) = next else { break };
            (at, said_by) = (opens, Some(number));
        }
    }
    Gate::Closed { window: first.map(|(number, _)| number), opens: None }
}
