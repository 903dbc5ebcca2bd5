//! What one of the settings of the monitor (`verify.*`) says about another.

use super::{Layers, Problems, Settings};
use std::time::Duration;

/// The shortest time from one round to the next: each logs in several times.
const SHORTEST: Duration = Duration::from_secs(1);

impl Settings {
    /// Checks the monitor's settings, when it is switched on.
    pub(super) fn check_verify(&self, layers: &Layers, problems: &mut Problems) {
        let Some(every) = self.verify_every else { return };
        if every < SHORTEST {
            problems.add(layers.place("verify.every"), "'verify.every' must be at least 1s".to_owned());
        }
        for (key, there) in [
            ("verify.username", self.verify_username.is_some()),
            ("verify.password_file", self.verify_password_file.is_some()),
        ] {
            if !there {
                let text = format!("'verify.every' is set and '{key}' is not; the monitor needs an account of its own");
                problems.add(layers.place("verify.every"), text);
            }
        }
        let known = verify::journeys::ALL;
        for name in &self.verify_journeys.0 {
            let text = match known.iter().find(|one| one.name == name) {
                Some(one) if !one.changes => continue,
                Some(_) => format!("the journey {name} changes something; `hedgerow verify --every` makes those"),
                None => {
                    let names: Vec<&str> = known.iter().filter(|one| !one.changes).map(|one| one.name).collect();
                    format!("there is no journey {name}; there are {}", names.join(", "))
                }
            };
            problems.add(layers.place("verify.journeys"), text);
        }
        if self.verify_journeys.0.is_empty() {
            problems.add(layers.place("verify.journeys"), "'verify.journeys' names no journey".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&'static str, &str)]) -> String {
        let layers = pairs
            .iter()
            .fold(Layers::default(), |layers, (key, value)| layers.with_flag("--set", key, (*value).to_owned()));
        Settings::load(&layers).map_or_else(|problems| problems.to_string(), |_| String::new())
    }

    #[test]
    fn a_monitor_needs_an_account_and_changes_nothing() {
        let text = problems(&[("verify.every", "5m")]);
        assert!(text.contains("'verify.username' is not") && text.contains("'verify.password_file' is not"), "{text}");
        let sound = [("verify.every", "5m"), ("verify.username", "monitor"), ("verify.password_file", "/pw")];
        assert_eq!(problems(&sound), "");
        let with = |key: &'static str, value: &'static str| problems(&[&sound[..], &[(key, value)]].concat());
        assert!(with("verify.journeys", "login_logout sync_by_button").contains("sync_by_button changes something"));
        assert!(with("verify.journeys", "dance").contains("there is no journey dance; there are login_logout"));
        assert!(with("verify.every", "500ms").contains("at least 1s"));
        assert_eq!(problems(&[("verify.journeys", "dance")]), "", "it is off");
    }
}
