//! What a page, or an answer to its script, says of a press: whether it went well, in which words, and which operation
//! goes on. What nobody can read out of it is nothing: silence is told apart from success.

use crate::page::Page;
use crate::profile::Profile;
use serde_json::Value;

/// Whether what is said is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It failed, or was refused.
    Bad,
    /// It goes on.
    Busy,
    /// Nothing is said.
    Silent,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is good.
    pub tone: Tone,
    /// The words.
    pub text: String,
    /// The address of the operation.
    pub operation: Option<String>,
    /// The code of a refusal, where it was said to a script.
    pub code: Option<String>,
}

impl Answer {
    /// Reads what a page says.
    pub fn read(page: &Page, profile: &Profile) -> Self {
        if let Some(answer) = Self::of_json(page, profile) {
            return answer;
        }
        if let Some(answer) = Self::of_operation(page, profile) {
            return answer;
        }
        let answers = &profile.answers;
        let operation = answers.operation.as_ref().and_then(|link| page.attributes(link, "href").into_iter().next());
        let found = |places: &[crate::profile::Css]| places.iter().find_map(|place| page.text(place));
        let (tone, text) = if let Some(text) = found(&answers.busy) {
            (Tone::Busy, text)
        } else if let Some(text) = found(&answers.bad) {
            (Tone::Bad, text)
        } else if let Some(text) = found(&answers.good) {
            (Tone::Good, text)
        } else if page.status >= 400 {
            (Tone::Bad, page.text("main").unwrap_or_else(|| page.visible_text()).chars().take(500).collect())
        } else {
            (Tone::Silent, String::new())
        };
        Self { tone, text, operation, code: None }
    }

    fn of_json(page: &Page, profile: &Profile) -> Option<Self> {
        let places = profile.answers.json.as_ref()?;
        let media = page.header("content-type").unwrap_or_default();
        if !media.contains("json") {
            return None;
        }
        let body = page.json().ok()?;
        let text = |pointers: &[String]| {
            let mut all = pointers.iter().filter_map(|pointer| body.pointer(pointer)?.as_str());
            all.find(|text| !text.is_empty()).unwrap_or_default().to_owned()
        };
        let tone = match (page.status, body.pointer(&places.success)) {
            (400.., _) | (_, Some(Value::Bool(false))) => Tone::Bad,
            (_, Some(Value::Bool(true))) => Tone::Good,
            (_, Some(Value::Null)) => Tone::Busy,
            _ => Tone::Silent,
        };
        let operation = places.operation.as_ref().and_then(|pointer| body.pointer(pointer)?.as_str());
        let code = body.pointer(&profile.refusals.code).and_then(Value::as_str);
        let words = text(&places.message);
        let shown = match (tone, places.shown_as.is_empty()) {
            (Tone::Bad, false) => places.shown_as.replace("{error}", &words),
            _ => words,
        };
        Some(Self { tone, text: shown, operation: operation.map(str::to_owned), code: code.map(str::to_owned) })
    }

    fn of_operation(page: &Page, profile: &Profile) -> Option<Self> {
        let places = profile.operation.as_ref()?;
        places.address.is_match(page.url.path()).then_some(())?;
        let state = places.state.read(page)?;
        let is = |words: &[String]| words.iter().any(|word| state.eq_ignore_ascii_case(word));
        let tone = if is(&places.good) {
            Tone::Good
        } else if is(&places.bad) {
            Tone::Bad
        } else if is(&places.running) {
            Tone::Busy
        } else {
            Tone::Silent
        };
        let sentence = places.sentence.read(page).unwrap_or_default();
        let text = format!("{state}. {sentence}").trim().to_owned();
        Some(Self { tone, text, operation: Some(page.url.path().to_owned()), code: None })
    }

    /// Whether there is nothing more to come.
    pub fn is_final(&self) -> bool {
        matches!(self.tone, Tone::Good | Tone::Bad)
    }
}

/// What a page says to whoever reads it, for the record: answers, alerts, the sentence of the state.
pub fn message(page: &Page, profile: &Profile) -> String {
    let answer = Answer::read(page, profile);
    let mut all = vec![answer.text];
    if page.is_html() {
        let sentence = profile.fabric.sentence.as_ref().and_then(|place| place.read(page));
        all.extend(sentence);
        all.extend(page.texts("[role=alert]"));
        all.extend(page.texts("[role=status]"));
    }
    let mut said: Vec<String> = Vec::new();
    for text in all {
        if !text.is_empty() && !said.iter().any(|one| one.contains(&text)) {
            said.push(text);
        }
    }
    said.join(" · ").chars().take(600).collect()
}
