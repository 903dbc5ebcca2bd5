//! Secrets that were learnt on the way: cookies and CSRF tokens, of which every page brings another. They are looked for all
//! at once, because each text of a run is looked through for each of them.

use super::{SHORTEST, forms};
use aho_corasick::{AhoCorasick, MatchKind};
use secrecy::{ExposeSecret, SecretString};
use std::ops::Range;

/// So many forms are looked for one by one until all are put together anew.
const YOUNG: usize = 64;

/// What was learnt.
#[derive(Default)]
pub(super) struct Learnt {
    values: Vec<SecretString>,
    /// Every form of each.
    forms: Vec<SecretString>,
    /// What looks for the first so many of the forms.
    together: Option<(usize, AhoCorasick)>,
}

impl Learnt {
    /// Learns one more; one that is known, or too short to be one, is none.
    pub(super) fn learn(&mut self, value: &str) {
        if value.len() < SHORTEST || self.values.iter().any(|known| known.expose_secret() == value) {
            return;
        }
        self.values.push(value.into());
        self.forms.extend(forms::of(value, false));
        let old = self.together.as_ref().map_or(0, |(count, _)| *count);
        if self.forms.len() - old >= YOUNG {
            let all = self.forms.iter().map(|form| form.expose_secret().as_bytes());
            // One that cannot be built is not needed: the forms are looked for one by one.
            let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(all).ok();
            self.together = built.map(|built| (self.forms.len(), built));
        }
    }

    /// Where they stand in a text.
    pub(super) fn found_in(&self, text: &str) -> Vec<Range<usize>> {
        let old = self.together.as_ref().map_or(0, |(count, _)| *count);
        let mut found = forms::found_in(self.forms.get(old..).unwrap_or_default(), text);
        let old = self.together.iter().flat_map(|(_, together)| together.find_iter(text));
        found.extend(old.map(|one| one.range()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HIDDEN, without};
    use super::*;

    fn hide(learnt: &Learnt, text: String) -> String {
        without(&text, learnt.found_in(&text))
    }

    #[test]
    fn old_and_new_ones_are_hidden_and_nothing_else() {
        let mut learnt = Learnt::default();
        let secrets: Vec<String> = (0..YOUNG * 3).map(|n| format!("token<{n:04}>")).collect();
        secrets.iter().for_each(|secret| learnt.learn(secret));
        learnt.learn("the-last-token");
        let count = learnt.forms.len();
        learnt.learn(&secrets[0]);
        learnt.learn("short");
        assert_eq!(learnt.forms.len(), count, "nothing is learnt twice, and nothing that is short");
        let (old, _) = learnt.together.as_ref().expect("many are put together");
        assert!(*old < count && count - old < YOUNG, "{old} of {count}: the newest are looked for one by one");
        assert_eq!(hide(&learnt, "the-last-token".to_owned()), HIDDEN);
        for secret in &secrets {
            let shown = format!("{secret} and {} here", secret.replace('<', "&lt;").replace('>', "&gt;"));
            assert_eq!(hide(&learnt, shown), format!("{HIDDEN} and {HIDDEN} here"), "{secret}");
        }
        assert_eq!(hide(&learnt, "token 0001".to_owned()), "token 0001");
        learnt.learn("token<0001>.signature");
        assert_eq!(hide(&learnt, "token<0001>.signature".to_owned()), HIDDEN, "one that begins with an old one");
        learnt.learn("abcdefgh");
        learnt.learn("abcdefgh.signature");
        assert_eq!(hide(&learnt, "abcdefgh.signature".to_owned()), HIDDEN, "one that begins with a young one");
    }
}
