//! The last look of what hides secrets, before a run leaves verify: sentences quote pages, commands stand in them as they
//! were typed, and a secret may have been learnt after it was first written down. Bodies of answers were seen whole where
//! they came by, and are not read again.

use super::{Check, Discrepancy, Finding, JourneyResult, Run, Step};
use crate::redact::Redactor;
use serde_json::Value;

impl Run {
    /// Hides secrets in all its texts.
    pub fn hide(&mut self, redactor: &Redactor) {
        let hide = |text: &mut String| *text = redactor.text(text);
        hide(&mut self.sentence);
        self.finding.iter_mut().for_each(|finding| finding.hide(redactor));
        [&mut self.target.url, &mut self.target.product].into_iter().for_each(hide);
        self.target.fabric.iter_mut().for_each(hide);
        self.versions.iter_mut().for_each(|one| hide(&mut one.version));
        self.preconditions.iter_mut().for_each(|check| check.hide(redactor));
        self.journeys.iter_mut().for_each(|journey| journey.hide(redactor));
        self.discrepancy.iter_mut().for_each(|found| found.hide(redactor));
        self.steps.iter_mut().for_each(|step| step.hide(redactor));
        for reading in &mut self.readings {
            [&mut reading.from, &mut reading.asked, &mut reading.found].into_iter().for_each(hide);
            hide_data(&mut reading.data, redactor);
        }
        self.leaks.iter_mut().for_each(|leak| hide(&mut leak.place));
        for cleaned in &mut self.cleanup {
            hide(&mut cleaned.what);
            cleaned.why.iter_mut().for_each(hide);
        }
    }
}

impl JourneyResult {
    /// Hides secrets in all its texts.
    pub fn hide(&mut self, redactor: &Redactor) {
        self.sentence = redactor.text(&self.sentence);
        self.finding.iter_mut().for_each(|finding| finding.hide(redactor));
        self.checks.iter_mut().for_each(|check| check.hide(redactor));
        self.measured.iter_mut().for_each(|one| one.what = redactor.text(&one.what));
    }
}

impl Finding {
    fn hide(&mut self, redactor: &Redactor) {
        [&mut self.expected, &mut self.observed].into_iter().for_each(|text| *text = redactor.text(text));
    }
}

impl Check {
    fn hide(&mut self, redactor: &Redactor) {
        [&mut self.expected, &mut self.observed].into_iter().for_each(|text| *text = redactor.text(text));
    }
}

impl Discrepancy {
    fn hide(&mut self, redactor: &Redactor) {
        let hide = |text: &mut String| *text = redactor.text(text);
        [&mut self.subject, &mut self.sentence].into_iter().for_each(hide);
        for arm in &mut self.arms {
            [&mut arm.by, &mut arm.said, &mut arm.seen].into_iter().for_each(hide);
        }
        for probe in &mut self.probes {
            [&mut probe.hypothesis, &mut probe.probe, &mut probe.outcome].into_iter().for_each(hide);
            [&mut probe.control, &mut probe.control_outcome].into_iter().for_each(hide);
        }
    }
}

impl Step {
    fn hide(&mut self, redactor: &Redactor) {
        let hide = |text: &mut String| *text = redactor.text(text);
        [&mut self.what, &mut self.url, &mut self.title, &mut self.message].into_iter().for_each(hide);
        self.obstacle.iter_mut().for_each(hide);
        self.console.iter_mut().for_each(|line| hide(&mut line.text));
        for exchange in &mut self.exchanges {
            hide(&mut exchange.url);
            exchange.error.iter_mut().for_each(hide);
            exchange.request_body.iter_mut().for_each(hide);
            let headers = exchange.request_headers.iter_mut().chain(&mut exchange.response_headers);
            headers.for_each(|(_, value)| hide(value));
        }
    }
}

fn hide_data(data: &mut Value, redactor: &Redactor) {
    match data {
        Value::String(text) => *text = redactor.text(text),
        Value::Array(all) => all.iter_mut().for_each(|one| hide_data(one, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|one| hide_data(one, redactor)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;
    use crate::results::{Arm, CheckKind, Path};
    use jiff::Timestamp;

    #[test]
    fn what_leaves_holds_no_secret_in_any_sentence() {
        let redactor = Redactor::default();
        redactor.tell("the token", &"nbt-0123456789".into());
        let said = || "curl --token nbt-0123456789".to_owned();
        let at = Timestamp::UNIX_EPOCH;
        let mut found = Discrepancy {
            subject: said(),
            arms: vec![Arm {
                path: Path::Direct,
                by: said(),
                first: Path::User,
                started: at,
                ms: 0,
                said: said(),
                claimed: None,
                effect: None,
                seen: said(),
            }],
            parts_at: None,
            sentence: said(),
            probes: Vec::new(),
        };
        found.hide(&redactor);
        let mut finding = Finding::new(Cause::NoEffect, said(), said());
        finding.hide(&redactor);
        let (kind, held, step) = (CheckKind::Assertion, None, None);
        let mut check = Check { kind, expected: said(), observed: said(), held, at, step };
        check.hide(&redactor);
        let mut data = serde_json::json!({"a": [said()]});
        hide_data(&mut data, &redactor);
        let all = format!("{found:?} {finding:?} {check:?} {data}");
        assert!(!all.contains("nbt-0123") && all.matches("[redacted]").count() == 10, "{all}");
    }
}
