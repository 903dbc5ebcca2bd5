//! Pressing a button of the fabric's page, following what comes of it to its end, and telling what the answer is: a class of
//! its own for each way in which it can be no answer.

use super::{Scene, says, session_is_over};
use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::exchange::Exchange;
use crate::obstacle::Obstacle;
use crate::page::{Found, Page};
use crate::profile::Action;
use crate::records;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use std::time::Duration;
use url::Url;

/// How soon the page's script says something after a press.
const A_MOMENT: Duration = Duration::from_secs(2);

impl Scene<'_> {
    /// Presses a button of the fabric's page that is open, and follows what comes of it to its end.
    pub async fn press_and_follow(&mut self, visitor: &mut Visitor, action: &Action) -> Walked<(Answer, Page)> {
        self.can_press(visitor, action).await?;
        let fabric = self.fabric_of(&visitor.look().await?);
        let began = std::time::Instant::now();
        let before = self.recorder().count();
        let pressed = visitor.press(&action.button).await;
        self.shown_by(visitor);
        let pressed = match pressed {
            Ok(page) => page,
            Err(obstacle) => return Err(self.press_failed(obstacle)),
        };
        self.look_at_answer(visitor, &pressed)?;
        let pressed = self.wait_for_a_word(visitor, pressed).await?;
        let (answer, page) = visitor.follow(pressed, self.site.plan.patience).await?;
        self.shown_by(visitor);
        if visitor.runs_scripts() && answer.tone != Tone::Good {
            self.look_at_call(before, &answer)?;
        }
        self.measure(
            &format!("from the press of “{}” to its end", action.button.names.first().map_or("", String::as_str)),
            began.elapsed(),
        );
        self.look_at_script(visitor)?;
        self.look_beside(&answer, before)?;
        self.look_at_silence(&answer, before)?;
        if let Some(observed) = self.did_another(visitor, action, fabric.as_deref(), &answer).await? {
            let expected = "a press does what its button says, to the fabric whose page it stands on";
            return Err(self.failed(Cause::WrongAddress, expected, observed));
        }
        Ok((answer, page))
    }

    /// Where the address of a button is another fabric's than its page: which. Pressed, it would do what nobody wants.
    pub fn leads_elsewhere(&self, page: &Page, button: &Found) -> Option<String> {
        let below = self.profile().fabric.below.clone()?;
        let own = self.fabric_of(page)?;
        let address = page.url.join(&page.form_of(button).ok()?.action).ok()?;
        let number = below.captures(address.path())?.get(1)?.as_str();
        let told = format!("{} is of the fabric number {number}, and the page of number {own}", address.path());
        (number != own).then_some(told)
    }

    /// The number of the fabric whose page it is.
    pub fn fabric_of(&self, page: &Page) -> Option<String> {
        Some(self.profile().fabric.address.captures(page.url.path())?.get(1)?.as_str().to_owned())
    }

    /// What a press did in the place of what its button says: something else, or the same to another fabric than the one on
    /// whose page it stands. `None` where it did that very thing, or where nobody can tell.
    pub async fn did_another(
        &mut self,
        visitor: &mut Visitor,
        action: &Action,
        fabric: Option<&str>,
        answer: &Answer,
    ) -> Walked<Option<String>> {
        let known = self.profile().operation.as_ref().is_some_and(|places| places.json.is_some());
        let Some(address) = answer.operation.as_ref().filter(|_| known && answer.is_final()) else { return Ok(None) };
        // Journeys about records read them again, and say what is wrong with one that cannot be read.
        let Ok(one) = records::read(self, visitor, address).await else { return Ok(None) };
        if let (Some(done), Some(asked)) = (&one.fabric, fabric)
            && done != asked
        {
            return Ok(Some(format!("{address} is of the fabric number {done}, and the page of number {asked}")));
        }
        // A press may be refused because something else runs, and be shown that.
        let other = action.verb.as_ref().filter(|verb| answer.tone == Tone::Good && **verb != one.verb);
        Ok(other.map(|verb| format!("{address} is {}, and the button is for {verb}", one.verb)))
    }

    /// That the page has a button which can be pressed. One that says why it cannot be is no defect, and proves nothing.
    pub async fn can_press(&mut self, visitor: &mut Visitor, action: &Action) -> Walked<()> {
        let page = visitor.look().await?;
        let control = page.find(&action.button);
        self.shown_by(visitor);
        let expected = format!(
            "the page has a button “{}” that can be pressed",
            action.button.names.first().map_or("", String::as_str)
        );
        match &control {
            Ok(found) if found.disabled => {
                let why = page.why_not(found);
                let Some(why) = why else {
                    return Err(self.failed(Cause::ControlMissing, &expected, "it is there, and disabled"));
                };
                Err(Stop::Inconclusive(format!("“{}” cannot be pressed by this user now: {why}", found.name)))
            }
            Err(obstacle) => Err(self.failed(Cause::ControlMissing, &expected, obstacle.to_string())),
            Ok(found) => {
                self.assert(true, Cause::ControlMissing, &expected, format!("“{}”", found.name))?;
                let Some(elsewhere) = self.leads_elsewhere(&page, found) else { return Ok(()) };
                let expected = "the address of a button is of the fabric on whose page it stands";
                Err(self.failed(Cause::WrongAddress, expected, elsewhere))
            }
        }
    }

    /// The operation that a press began. One that was refused in words proves nothing of what is to be seen of operations.
    pub fn begun(&mut self, answer: &Answer, page: &Page) -> Walked<String> {
        match &answer.operation {
            Some(address) => Ok(address.clone()),
            None if answer.tone == Tone::Bad && !answer.text.is_empty() => {
                Err(Stop::Inconclusive(format!("The press was refused, and the page says why: “{}”.", answer.text)))
            }
            None => Err(self.failed(Cause::NotRecorded, "the press leads to an operation", says(page))),
        }
    }

    /// A page that a script moves says something soon, or its script has failed: then nothing is to be waited for.
    async fn wait_for_a_word(&mut self, visitor: &mut Visitor, pressed: Page) -> Walked<Page> {
        let profile = self.profile();
        let says = |page: &Page| (Answer::read(page, &profile).tone != Tone::Silent).then_some(());
        if !visitor.runs_scripts() || says(&pressed).is_some() {
            return Ok(pressed);
        }
        let (_, page) = visitor.until("the page says something", A_MOMENT, says).await?;
        self.shown_by(visitor);
        self.look_at_script(visitor)?;
        Ok(page)
    }

    /// A press that did not even lead to an answer.
    fn press_failed(&mut self, obstacle: Obstacle) -> Stop {
        let expected = "a press sends its request, and an answer comes";
        let cause = match &obstacle {
            Obstacle::NoAnswer { timed_out: true, .. } => Cause::Unanswered,
            Obstacle::NoAnswer { .. } => Cause::Transport,
            Obstacle::Missing(_) | Obstacle::Unusable(_) => Cause::ControlDead,
            _ => return obstacle.into(),
        };
        self.failed(cause, expected, obstacle.to_string())
    }

    /// What the answer to a press is: a class of its own for each way in which it can be no answer.
    pub fn look_at_answer(&mut self, visitor: &Visitor, page: &Page) -> Walked<()> {
        // Where a script pressed, the page is the one from before; what the script was answered is looked at when it is over.
        if visitor.runs_scripts() && self.sent(visitor).is_none_or(|sent| sent.kind != "document") {
            return Ok(());
        }
        // A navigation is redirected to the login; a script that follows a redirect gets a page where it expects data.
        let redirected =
            self.sent(visitor).is_some_and(|sent| sent.kind == "document" && (300..400).contains(&sent.status));
        self.look_at_refusal(page, redirected)
    }

    /// The same of what a page's script was answered: the page around it is the one that was there before, and says in words
    /// what the script's answer says by its status. The last counts, after what the script tried again by itself.
    fn look_at_call(&mut self, before: usize, answer: &Answer) -> Walked<()> {
        let steps = self.recorder().steps_from(before);
        // What the page sends by itself for its session is no press.
        let session = self.site.profile.session.as_ref().map(|places| places.address.clone());
        let calls: Vec<&Exchange> = steps
            .iter()
            .flat_map(|step| &step.exchanges)
            .filter(|one| one.is_write() && one.kind != "document" && session.as_ref() != Some(&one.path()))
            .collect();
        let Some(first) = calls.first() else {
            let led = steps.iter().flat_map(|step| &step.exchanges).any(|one| one.kind == "document");
            if led || answer.tone != Tone::Silent {
                return Ok(());
            }
            return Err(self.failed(Cause::ControlDead, "a press sends its request", "the press sent nothing"));
        };
        let last = calls.iter().rev().find(|one| one.url == first.url).unwrap_or(first);
        let Ok(url) = Url::parse(&last.url) else { return Ok(()) };
        if last.status == 0 && answer.is_final() {
            let expected = "a press sends its request, and an answer comes";
            let why = last.error.as_deref().unwrap_or("no answer");
            return Err(self.failed(Cause::Transport, expected, format!("{} {}: {why}", last.method, last.path())));
        }
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in &last.response_headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, reqwest::header::HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let body = last.response_body.clone().unwrap_or_default();
        self.look_at_refusal(&Page { status: last.status, url, headers, body }, false)
    }

    fn look_at_refusal(&mut self, page: &Page, redirected: bool) -> Walked<()> {
        let profile = self.profile();
        let answer = Answer::read(page, &profile);
        let code = answer.code.as_deref().unwrap_or_default();
        let is = |class: &str| {
            profile.refusals.codes.get(class).is_some_and(|codes| codes.iter().any(|one| one == code))
                || page.status == 403
                    && profile
                        .refusals
                        .words
                        .get(class)
                        .is_some_and(|all| all.iter().any(|one| page.visible_text().contains(one)))
        };
        let expected = "the press is taken: an operation begins, or the page says why not";
        let observed = says(page);
        let over = if session_is_over(page, code, &profile) { Cause::SessionExpired } else { Cause::NoSession };
        let cause = if self.is_login(page) {
            if page.status == 200 && !redirected { Cause::LoginPageWith200 } else { over }
        } else {
            match page.status {
                401 => over,
                403 if is("csrf") => Cause::Csrf,
                403 => Cause::Permission,
                404 => Cause::WrongAddress,
                405 => Cause::MethodRefused,
                500 => Cause::ServerError,
                // Something before the target answers in its place.
                502..=504 if answer.code.is_none() && !profile.recognise.is_on(page) => Cause::Transport,
                _ => return Ok(()),
            }
        };
        Err(self.failed(cause, expected, observed))
    }

    /// That no script of a page has failed since the journey began.
    pub fn look_at_script(&mut self, visitor: &Visitor) -> Walked<()> {
        let lines: Vec<String> = self
            .recorder()
            .steps_from(self.first)
            .iter()
            .flat_map(|step| step.console.clone())
            .filter(|line| line.level == "SEVERE" && !line.text.contains("Failed to load resource"))
            .map(|line| line.text)
            .collect();
        if visitor.runs_scripts() {
            let observed = lines.first().cloned().unwrap_or_else(|| "no error in the console".to_owned());
            // What the browser refused to use is no error of what it did use.
            let words = ["Refused to ", "Content Security Policy"];
            let refused = lines.first().is_some_and(|line| words.iter().any(|words| line.contains(words)));
            let cause = if refused { Cause::AssetBroken } else { Cause::ScriptError };
            self.assert(lines.is_empty(), cause, "the page's script runs without errors", observed)?;
        }
        Ok(())
    }
}
