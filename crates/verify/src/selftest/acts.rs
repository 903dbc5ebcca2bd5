//! The journeys over the clean product, in parts: which of them go together, at which console, and what they need around
//! them. Each journey stands in one part.

use super::Ingredients;
use super::bed::BedKind;
use crate::site::DriverKind;

/// Journeys that are about the scripts of pages: a driver that runs none cannot walk them.
pub(super) const NEED_SCRIPTS: [&str; 2] = ["expiry_warning", "relogin_in_place"];
/// Journeys whose operations must take a while, so that two of them can meet.
const SLOW: [&str; 3] = ["double_click", "two_users", "cancel"];
/// How slow the lab is for them, in milliseconds.
const SLOW_MS: u64 = 100;
/// Journeys that wait for the end of a session.
const ENDS: [&str; 4] = ["session_idle_expiry", "session_absolute_expiry", "expiry_warning", "relogin_in_place"];
/// A journey whose operation must outlive its session.
const LONG: [&str; 1] = ["long_sync_expiry"];
/// How slow the lab is for it: several times as long as this passes in any sync, one request after the other.
pub(super) const LONG_MS: u64 = 1_500;
/// A journey to which the fabric must do something by itself.
const BY_ITSELF: [&str; 1] = ["automatic_sync"];

/// Journeys that are walked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Act {
    /// Their names.
    pub(super) journeys: Vec<String>,
    /// Who walks them.
    pub(super) driver: DriverKind,
    /// How slow the lab is, in milliseconds.
    pub(super) slow: u64,
    /// Whether the fabric syncs by itself meanwhile.
    pub(super) by_itself: bool,
}

/// The parts at one console. Those that are wanted by nobody are left out.
pub(super) fn acts(kind: BedKind, with: &Ingredients, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Vec<Act> {
    let act = |slow: u64, fits: &dyn Fn(&str) -> bool| {
        let all = crate::journeys::ALL.iter().map(|journey| journey.name);
        let journeys = all.filter(|name| fits(name) && wanted(name)).map(str::to_owned).collect();
        Act { journeys, driver: with.driver, slow, by_itself: false }
    };
    let elsewhere = [&SLOW[..], &ENDS, &LONG, &BY_ITSELF].concat();
    // Where there is a browser, what is about scripts is walked in it.
    let scripts = with.browser.unwrap_or(with.driver);
    let mut acts = match kind {
        BedKind::Whole => vec![act(0, &|name| !elsewhere.contains(&name)), act(SLOW_MS, &|name| SLOW.contains(&name))],
        BedKind::ByItself => vec![Act { by_itself: true, ..act(0, &|name| BY_ITSELF.contains(&name)) }],
        BedKind::ShortSessions => vec![
            act(0, &|name| ENDS.contains(&name) && !NEED_SCRIPTS.contains(&name)),
            Act { driver: scripts, ..act(0, &|name| NEED_SCRIPTS.contains(&name)) },
            act(LONG_MS, &|name| LONG.contains(&name)),
        ],
    };
    acts.retain(|act| !act.journeys.is_empty());
    acts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn ingredients(driver: DriverKind, browser: Option<DriverKind>) -> Ingredients {
        let profile = crate::profile::load("hedgerow").unwrap();
        Ingredients { program: PathBuf::new(), files: Vec::new(), profile, driver, browser, folder: None }
    }

    #[test]
    fn every_name_is_that_of_a_journey() {
        for name in [&NEED_SCRIPTS[..], &SLOW, &ENDS, &LONG, &BY_ITSELF].concat() {
            assert!(crate::journeys::ALL.iter().any(|one| one.name == name), "there is no journey {name}");
        }
    }

    #[test]
    fn every_journey_is_walked_in_one_part() {
        let with = ingredients(DriverKind::Http, None);
        let all = [BedKind::Whole, BedKind::ShortSessions, BedKind::ByItself]
            .into_iter()
            .flat_map(|kind| acts(kind, &with, &|_| true));
        let mut walked: Vec<String> = all.flat_map(|act| act.journeys).collect();
        let mut known: Vec<&str> = crate::journeys::ALL.iter().map(|one| one.name).collect();
        walked.sort();
        known.sort_unstable();
        assert_eq!(walked, known);
    }

    #[test]
    fn what_is_about_scripts_is_walked_in_the_browser_where_there_is_one() {
        let with = ingredients(DriverKind::Http, Some(DriverKind::Chromium));
        let acts = acts(BedKind::ShortSessions, &with, &|_| true);
        let of = |name: &str| acts.iter().find(|act| act.journeys.iter().any(|one| one == name)).unwrap().driver;
        assert_eq!(of("relogin_in_place"), DriverKind::Chromium);
        assert_eq!(of("session_idle_expiry"), DriverKind::Http);
    }
}
