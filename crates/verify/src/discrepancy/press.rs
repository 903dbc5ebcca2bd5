//! One press, taken apart: what left, what was answered, and at which of the layers before the target's own work it ended.
//! What the answers mean is told from their codes first, and from the status only where there is none: a 502 of the target
//! itself is no request that was lost, and a 404 may be the refusal of who may not see.

use crate::answer::Answer;
use crate::exchange::Exchange;
use crate::obstacle::{Obstacle, Taken};
use crate::page::Page;
use crate::profile::Profile;
use crate::recorder::Recorder;
use crate::results::Step;
use serde_json::Value;

/// What was seen of a press.
#[derive(Debug, Clone, Default)]
pub(super) struct Press {
    /// Whether a request left at all.
    pub(super) left: bool,
    /// Whether it went where the page says.
    pub(super) as_said: bool,
    /// The status of its answer; 0 without one.
    pub(super) status: u16,
    /// The code of its answer, where it was data.
    pub(super) code: Option<String>,
    /// Whether the target itself answered, and not something before it.
    pub(super) own: bool,
    /// Whether the words of the answer refuse it as forged.
    forged_words: bool,
    /// The request in words, for the record.
    pub(super) outcome: String,
}

/// What was seen of addresses beside that of the press.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    /// The code for an address that does not exist.
    pub(super) nowhere: Option<String>,
    /// Whether the press's own address leads somewhere when it is only read.
    pub(super) leads: bool,
}

impl Press {
    /// Reads it out of the steps that were made for it, and out of the page after it. `address` is where the page sends it.
    pub(super) fn of(steps: &[Step], pressed: &Taken<Page>, address: Option<&str>, profile: &Profile) -> Self {
        let writes = || steps.iter().flat_map(|step| &step.exchanges).filter(|one| one.is_write());
        let sent = writes().find(|one| address == Some(one.url.as_str())).or_else(|| writes().next());
        let Some(sent) = sent else {
            // What was waited for in vain has left.
            let left = matches!(pressed, Err(Obstacle::NoAnswer { .. }));
            let outcome = match pressed {
                Err(obstacle) => obstacle.to_string(),
                Ok(_) => "no request left".to_owned(),
            };
            return Self { left, as_said: left, outcome, ..Self::default() };
        };
        let told = sent.response_body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        let told = told.and_then(|body| Some(body.pointer(&profile.refusals.code)?.as_str()?.to_owned()));
        let page = pressed.as_ref().ok();
        let code = told.or_else(|| page.and_then(|page| Answer::read(page, profile).code));
        let text = page.map(Page::visible_text).unwrap_or_default();
        let is_own = |page: &Page| page.is_html() && profile.recognise.is_on(page);
        Self {
            left: true,
            as_said: address.is_none_or(|address| address == sent.url),
            status: sent.status,
            // Where a script pressed, the page around it is the target's whatever the script was answered.
            own: code.is_some() || sent.kind == "document" && page.is_some_and(is_own),
            code,
            forged_words: says(profile, "csrf", &text),
            outcome: words(sent),
        }
    }

    /// Nothing left, or it left and was lost, or came out as something else.
    pub(super) fn is_lost(&self) -> bool {
        self.left && (!self.as_said || self.status == 0 || self.status >= 502 && !self.own)
    }

    /// The address leads nowhere, or takes another method.
    pub(super) fn leads_nowhere(&self, profile: &Profile, beside: &Beside) -> bool {
        match self.status {
            405 => true,
            404 => !self.is_hidden(profile, beside),
            _ => false,
        }
    }

    /// It was refused as forged.
    pub(super) fn is_forged(&self, profile: &Profile) -> bool {
        self.is_of(profile, "csrf") || self.status == 403 && self.code.is_none() && self.forged_words
    }

    /// Its user was refused: by a code that says so, by 403, or by a 404 of an address that is there.
    pub(super) fn is_denied(&self, profile: &Profile, beside: &Beside) -> bool {
        !self.is_forged(profile)
            && match self.status {
                403 => true,
                404 => self.is_hidden(profile, beside),
                _ => false,
            }
    }

    /// Whether its answer's code is of a class of refusals.
    pub(super) fn is_of(&self, profile: &Profile, class: &str) -> bool {
        self.code.as_deref().is_some_and(|code| is_of(profile, class, code))
    }

    /// A 404 that hides what the user may not see. A code that only refusals have tells; one that addresses have, too, that
    /// do not exist, tells nothing, and whether the address is there has to.
    fn is_hidden(&self, profile: &Profile, beside: &Beside) -> bool {
        beside.leads || self.is_of(profile, "permission") && self.code != beside.nowhere
    }
}

/// Whether a code is of a class of refusals.
pub(super) fn is_of(profile: &Profile, class: &str, code: &str) -> bool {
    profile.refusals.codes.get(class).is_some_and(|codes| codes.iter().any(|one| one == code))
}

fn says(profile: &Profile, class: &str, text: &str) -> bool {
    profile.refusals.words.get(class).is_some_and(|all| all.iter().any(|one| text.contains(one.as_str())))
}

fn words(sent: &Exchange) -> String {
    let error = sent.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{} {}: status {} after {} ms{error}", sent.method, sent.path(), sent.status, sent.ms)
}

/// What failed in the scripts of pages since a step. What failed before, in an earlier journey or another window, stands in
/// no way of this press.
pub(super) fn script_errors(recorder: &Recorder, since: usize) -> Vec<String> {
    let steps = recorder.steps_from(since);
    let lines = steps.iter().flat_map(|step| &step.console);
    let failed = lines.filter(|line| line.level == "SEVERE" && !line.text.contains("Failed to load resource"));
    failed.map(|line| line.text.clone()).collect()
}

/// Every code that stands anywhere in an answer, under the name by which refusals have theirs.
pub(super) fn codes(data: &Value, profile: &Profile) -> Vec<String> {
    let name = profile.refusals.code.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    collect(data, name, &mut found);
    found
}

fn collect(data: &Value, name: &str, found: &mut Vec<String>) {
    match data {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value.as_str() {
                    Some(code) if field == name => found.push(code.to_owned()),
                    _ => collect(value, name, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| collect(one, name, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn profile() -> Profile {
        crate::profile::load("hedgerow").unwrap()
    }

    fn press(status: u16, code: Option<&str>) -> Press {
        let code = code.map(str::to_owned);
        Press { left: true, as_said: true, status, own: code.is_some(), code, ..Press::default() }
    }

    fn beside(leads: bool) -> Beside {
        Beside { nowhere: Some("not_found".to_owned()), leads }
    }

    #[test]
    fn a_502_of_the_target_itself_is_no_request_that_was_lost() {
        for (status, code) in [(502, "connection_failed"), (503, "kubernetes_unavailable"), (504, "kubernetes_timeout")]
        {
            assert!(!press(status, Some(code)).is_lost(), "{status} {code}");
            assert!(press(status, None).is_lost(), "{status} of something before the target");
        }
        assert!(press(0, None).is_lost());
        assert!(!press(500, None).is_lost());
        assert!(press(502, Some("connection_failed")).is_of(&profile(), "connection"));
    }

    #[test]
    fn a_404_of_an_address_that_is_there_refuses_who_may_not_see() {
        let profile = profile();
        let tell =
            |press: &Press, beside: &Beside| (press.leads_nowhere(&profile, beside), press.is_denied(&profile, beside));
        for code in [None, Some("not_found")] {
            assert_eq!(tell(&press(404, code), &beside(true)), (false, true), "{code:?}");
            assert_eq!(tell(&press(404, code), &beside(false)), (true, false), "{code:?}");
        }
        let named = press(404, Some("permission_denied"));
        assert_eq!(tell(&named, &beside(false)), (false, true), "the code says it");
        assert_eq!(tell(&press(405, None), &beside(true)), (true, false));
    }

    #[test]
    fn a_403_is_of_who_asks_or_of_the_token() {
        let profile = profile();
        let forged = press(403, Some("csrf_failed"));
        assert!(forged.is_forged(&profile) && !forged.is_denied(&profile, &beside(true)));
        let denied = press(403, Some("permission_denied"));
        assert!(!denied.is_forged(&profile) && denied.is_denied(&profile, &beside(true)));
        let page = Press { forged_words: true, ..press(403, None) };
        assert!(page.is_forged(&profile) && !page.is_denied(&profile, &beside(true)));
    }

    #[test]
    fn what_failed_in_a_page_before_is_not_of_this_press() {
        let recorder = Recorder::new(None, crate::redact::Redactor::default());
        let fails = |text: &str| {
            let number = recorder.direct("admin", "open a page", jiff::Timestamp::UNIX_EPOCH, Default::default(), "");
            let mut step = recorder.steps_from(number).remove(0);
            let (level, text) = ("SEVERE".to_owned(), text.to_owned());
            step.console = vec![crate::results::ConsoleLine { level, text }];
            recorder.step(step, None, None)
        };
        fails("old");
        let since = recorder.count();
        assert_eq!(script_errors(&recorder, since), Vec::<String>::new());
        fails("new");
        assert_eq!(script_errors(&recorder, since), ["new"]);
    }

    #[test]
    fn codes_are_found_at_any_depth() {
        let data =
            json!({"code": "partial", "outcomes": {"results": [{"code": "kubernetes_forbidden"}, {"code": null}]}});
        assert_eq!(codes(&data, &profile()), ["partial", "kubernetes_forbidden"]);
    }
}
