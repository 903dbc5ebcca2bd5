//! What a document that could not be read seems to hold, by its words alone. Such a document is no object; but whoever
//! refers to what stands in it is told where to look, instead of that it stands nowhere.

use super::Finding;
use serde::{Deserialize, Serialize};

/// So many are remembered of one document; one that seems to hold more may hold anything.
const MOST: usize = 50;

/// An object that a broken document seems to hold. A word that was not found is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glimpse {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Whether a broken document holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    /// Nobody can tell.
    Perhaps,
    /// By its words it does.
    Likely,
}

impl Finding {
    /// Whether the document that this finding is about, which could not be read, holds an object of that kind and name;
    /// `None` when its words name others.
    pub(crate) fn holds(&self, kind: &str, name: &str) -> Option<Holds> {
        let may_be = |word: &str, wanted: &str| word.is_empty() || word == wanted;
        let fits = |glimpse: &&Glimpse| may_be(&glimpse.kind, kind) && may_be(&glimpse.name, name);
        let of = |glimpse: &Glimpse| if glimpse.name.is_empty() { Holds::Perhaps } else { Holds::Likely };
        match self.glimpses.as_slice() {
            [] => Some(Holds::Perhaps),
            glimpses => glimpses.iter().filter(fits).map(of).max(),
        }
    }
}

/// The objects that a text seems to hold: each name with the kind that stands before it, or else the first one.
pub(super) fn glimpses(text: &str) -> Vec<Glimpse> {
    let lines = || text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let first = lines().find_map(|line| words(line, "kind").next()).unwrap_or_default();
    let mut kind = first;
    let mut found: Vec<Glimpse> = Vec::new();
    for line in lines() {
        // In one line, as JSON is written, either may stand first.
        kind = words(line, "kind").last().unwrap_or(kind);
        for name in words(line, "name") {
            let glimpse = Glimpse { kind: kind.to_owned(), name: name.to_owned() };
            if !found.contains(&glimpse) {
                found.push(glimpse);
            }
        }
        if found.len() > MOST {
            found.truncate(MOST);
            found.push(Glimpse::default());
            break;
        }
    }
    if found.is_empty() && !first.is_empty() {
        found.push(Glimpse { kind: first.to_owned(), name: String::new() });
    }
    found
}

/// The values of a key in a line, each as far as it is one word.
fn words<'t>(line: &'t str, key: &'static str) -> impl Iterator<Item = &'t str> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.', '/'].contains(&c);
    line.match_indices(key).filter_map(move |(at, _)| {
        let is_whole = !line[..at].ends_with(of_word);
        let value = line[at + key.len()..].trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
        let value = value.trim_start().trim_start_matches(['"', '\'']);
        let word = &value[..value.find(|c| !of_word(c)).unwrap_or(value.len())];
        (is_whole && !word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(String, String)> {
        glimpses(text).into_iter().map(|glimpse| (glimpse.kind, glimpse.name)).collect()
    }

    #[test]
    fn kind_and_name_are_found_in_what_is_no_yaml() {
        let vpc = [("VPC".to_owned(), "vpc-1".to_owned())];
        for text in [
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: vpc-1\nspec:\n\tsubnets: {}\n",
            "metadata:\n  name: \"vpc-1\" # ours\nkind: 'VPC'\nspec: {a: b: c}\n",
            "{\"kind\": \"VPC\", \"metadata\": {\"name\": \"vpc-1\"}, \"spec\": {\n",
            "{metadata: {name: vpc-1, namespace: default}, kind: VPC, spec: [}\n",
            "# kind: Server\n# name: other\nkind: VPC\nmetadata: {name: vpc-1, hostname: h, name-of: x, nickname: y\n",
        ] {
            assert_eq!(said(text), vpc, "{text}");
        }
        assert_eq!(said("kind: VPC\nmetadata:\n\tlabels: {}\n"), [("VPC".to_owned(), String::new())]);
        assert_eq!(said("name: vpc-1\n"), [(String::new(), "vpc-1".to_owned())]);
        assert_eq!(said(": : :\n"), []);
        let list = "kind: List\nitems:\n- kind: VPC\n  metadata: {name: a}\n- kind: Server\n  metadata: {name: b\n";
        assert_eq!(said(list), [("VPC".into(), "a".into()), ("Server".into(), "b".into())]);
    }

    #[test]
    fn of_a_document_that_holds_very_much_the_first_are_known() {
        let many: String = (0..200).map(|n| format!("- {{kind: VPC, metadata: {{name: vpc-{n}}}}}\n")).collect();
        let finding = Finding { glimpses: glimpses(&many), ..Finding::error("yaml_syntax", "") };
        assert_eq!(finding.glimpses.len(), MOST + 1);
        assert_eq!(finding.holds("VPC", "vpc-7"), Some(Holds::Likely));
        assert_eq!(finding.holds("VPC", "vpc-150"), Some(Holds::Perhaps));
    }

    #[test]
    fn a_document_of_which_nothing_is_known_may_hold_anything() {
        let of = |text: &str| Finding { glimpses: glimpses(text), ..Finding::error("yaml_syntax", "") };
        let vpc = of("kind: VPC\nmetadata: {name: vpc-1\n");
        assert_eq!(vpc.holds("VPC", "vpc-1"), Some(Holds::Likely));
        assert_eq!((vpc.holds("VPC", "vpc-2"), vpc.holds("Server", "vpc-1")), (None, None));
        assert_eq!(of("kind: VPC\n").holds("VPC", "vpc-2"), Some(Holds::Perhaps));
        assert_eq!(of("kind: VPC\n").holds("Server", "s"), None);
        assert_eq!(of("metadata: {name: vpc-1}\n").holds("VPC", "vpc-1"), Some(Holds::Likely));
        assert_eq!(of("").holds("VPC", "vpc-1"), Some(Holds::Perhaps));
    }
}
