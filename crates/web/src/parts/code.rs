//! A code of a failure wherever one is shown: it leads to the page that says what it means. Words of rules, which
//! stand in the same place, have no such page and stay words.

use super::markup;
use crate::url;
use askama::Template;
use model::Code;

/// A code with the way to its page.
#[derive(Debug, Template)]
#[template(
    source = r#"{% if let Some(href) = href %}<a class="code-word" href="{{ href }}">{{ word }}</a>{% else %}<span class="code-word">{{ word }}</span>{% endif %}"#,
    ext = "html"
)]
pub struct CodeWord {
    word: String,
    href: Option<String>,
}

markup!(CodeWord);

/// A word as its code, if it is one.
pub fn code_word(word: impl AsRef<str>) -> CodeWord {
    let word = word.as_ref().to_owned();
    let href = word.parse().ok().map(|code: Code| url::docs_code(code));
    CodeWord { word, href }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_to_its_page_and_a_rule_stays_a_word() {
        let code = code_word("kubernetes_conflict").to_string();
        assert_eq!(code, r#"<a class="code-word" href="/docs/codes/kubernetes_conflict/">kubernetes_conflict</a>"#);
        assert_eq!(code_word("vpc<name").to_string(), r#"<span class="code-word">vpc&#60;name</span>"#);
    }
}
