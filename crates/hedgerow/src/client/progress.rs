//! How an operation's way is shown: a bar on a terminal, a line a phase in a pipe, nothing on standard output where a
//! script reads JSON.

use crate::output;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a line says how far a phase is.
const EVERY: Duration = Duration::from_secs(5);

/// How long an operation may be queued without a word.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Shows how far an operation is.
pub(crate) enum Progress {
    /// A bar, drawn on standard error.
    Bar(ProgressBar),
    /// Lines, on standard output or beside the result on standard error.
    Lines(Lines),
    /// Nothing.
    Silent,
}

/// What was said so far.
#[derive(Default)]
pub(crate) struct Lines {
    phases: HashMap<String, String>,
    is_beside: bool,
    /// Since when it is known to wait.
    queued: Option<Instant>,
    last: Option<Instant>,
}

impl Progress {
    /// As fits where the output goes.
    pub(crate) fn new(json: bool) -> Self {
        Self::with(json, Lines::default())
    }

    /// The same, for a command whose result on standard output is read by programs.
    pub(crate) fn beside(json: bool) -> Self {
        Self::with(json, Lines { is_beside: true, ..Lines::default() })
    }

    fn with(json: bool, lines: Lines) -> Self {
        let terminal = std::io::stderr().is_terminal();
        match (json, std::io::stdout().is_terminal()) {
            (false, false) => Self::Lines(lines),
            (_, _) if terminal => {
                let bar = ProgressBar::new_spinner();
                bar.enable_steady_tick(Duration::from_millis(120));
                Self::Bar(bar)
            }
            (false, true) => Self::Lines(lines),
            (true, _) => Self::Silent,
        }
    }

    /// Shows where the operation is now.
    pub(crate) fn show(&mut self, operation: &Value) {
        match self {
            Self::Bar(bar) => draw(bar, operation),
            Self::Lines(lines) => lines.show(operation),
            Self::Silent => {}
        }
    }

    /// Shows a sentence of what is waited for.
    pub(crate) fn say(&mut self, sentence: &str) {
        match self {
            Self::Bar(bar) => bar.set_message(sentence.to_owned()),
            Self::Lines(lines) => lines.say("waiting", sentence),
            Self::Silent => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// The phase that runs: its words, and how far it is.
fn running(operation: &Value) -> Option<(&str, u64, u64)> {
    let mut phases = operation["phases"].as_array().into_iter().flatten();
    let phase = phases.find(|phase| phase["state"] == "running")?;
    Some((phase["title"].as_str()?, phase["done"].as_u64()?, phase["total"].as_u64()?))
}

fn draw(bar: &ProgressBar, operation: &Value) {
    let template = |text: &str| ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    match running(operation) {
        Some((title, done, total)) if total > 0 => {
            bar.set_style(template("{spinner} {msg:32} [{bar:28}] {pos} of {len}").progress_chars("=> "));
            // It is drawn by itself meanwhile: never with more than there is.
            bar.set_position(done.min(bar.length().unwrap_or(total)));
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(title.to_owned());
        }
        Some((title, ..)) => {
            bar.set_style(template("{spinner} {msg}"));
            bar.set_message(title.to_owned());
        }
        None if operation["state"] == "queued" => bar.set_message("Waits for its turn"),
        None => {}
    }
}

impl Lines {
    fn show(&mut self, operation: &Value) {
        // Every operation is queued for a moment.
        if operation["state"] == "queued" && self.queued.get_or_insert_with(Instant::now).elapsed() >= A_MOMENT {
            self.say("queued", "It waits for its turn.");
        }
        for phase in operation["phases"].as_array().into_iter().flatten() {
            let word = |name: &str| phase[name].as_str().unwrap_or_default();
            let (title, detail) = (word("title"), word("detail"));
            match word("state") {
                "done" if detail.is_empty() => self.say(word("phase"), &format!("{title}: done")),
                "done" => self.say(word("phase"), &format!("{title}: {detail}")),
                "partial" | "failed" => self.say(word("phase"), &format!("{title}: {}. {detail}", word("state"))),
                _ => {}
            }
        }
        if let Some((title, done, total)) = running(operation).filter(|(.., total)| *total > 0)
            && self.last.is_none_or(|last| last.elapsed() >= EVERY)
        {
            self.say("progress", &format!("{title}: {done} of {total}"));
            self.last = Some(Instant::now());
        }
    }

    /// Says something, unless it was the last that was said of this.
    fn say(&mut self, of: &str, sentence: &str) {
        if self.phases.get(of).is_none_or(|said| said != sentence) {
            self.phases.insert(of.to_owned(), sentence.to_owned());
            // Who closed the pipe has seen enough; the command goes on.
            let line = format!("{}\n", sentence.trim_end());
            let _ = if self.is_beside { std::io::stderr().write_all(line.as_bytes()) } else { output::text(&line) };
        }
    }
}
