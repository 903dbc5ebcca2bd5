//! The report: nothing in it comes from elsewhere, nothing of the target is live in it, and it says what it must.

use super::{sample, text, written};
use regex::Regex;
use verify::cause::Cause;
use verify::evidence::report::FAILURE_POINTS;
use verify::results::{Finding, Run};
use verify::verdict::{RunVerdict, Verdict};

fn report(run: &Run) -> String {
    text(written(run).path(), "report.html")
}

/// Every `src`, `href` and the like, of elements and not of text.
fn addresses(html: &str) -> Vec<String> {
    let page = scraper::Html::parse_document(html);
    let names = ["src", "href", "xlink:href", "srcset", "action", "data", "poster", "background", "style"];
    let elements = page.tree.values().filter_map(|node| node.as_element());
    elements
        .flat_map(|element| names.iter().filter_map(|name| element.attr(name)).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn it_fetches_nothing_and_runs_nothing() {
    let html = report(&sample::run());
    let places = addresses(&html);
    assert!(places.len() > 40, "{}", places.len());
    for place in places {
        assert!(place.starts_with('#') || place.starts_with("data:image/png;base64,"), "{place}");
    }
    let page = scraper::Html::parse_document(&html);
    for element in page.tree.values().filter_map(|node| node.as_element()) {
        assert!(
            !["script", "link", "iframe", "object", "embed", "base", "form"].contains(&element.name()),
            "{}",
            element.name()
        );
        assert!(element.attrs().all(|(name, _)| !name.starts_with("on")), "{element:?}");
    }
    assert!(!html.contains("<script"), "what the target said is text");
    assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    let style = &html[html.find("<style>").unwrap()..html.find("</style>").unwrap()];
    assert!(!style.contains("url(") && !style.contains("@import"), "the style fetches nothing");
}

#[test]
fn what_the_target_said_is_text() {
    let html = report(&sample::run());
    let page = scraper::Html::parse_document(&html);
    let all = page.root_element().text().collect::<String>();
    assert!(all.contains(sample::HOSTILE), "it can be read, word by word");
    assert!(all.contains("Refused <script>alert('title')</script>"));
    let images =
        page.tree.values().filter_map(|node| node.as_element()).filter(|element| element.name() == "img").count();
    assert_eq!(images, 3, "the screenshots, and none of the target's");
}

#[test]
fn every_anchor_leads_somewhere_once() {
    let html = report(&sample::run());
    let id = Regex::new(r#"\bid="([^"]+)""#).unwrap();
    let page = scraper::Html::parse_document(&html);
    let mut ids: Vec<&str> = page.tree.values().filter_map(|node| node.as_element()?.id()).collect();
    assert!(id.is_match(&html));
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands once");
    for place in addresses(&html).iter().filter_map(|place| place.strip_prefix('#')) {
        assert!(ids.contains(&place), "#{place} leads nowhere");
    }
    for step in &sample::run().steps {
        assert!(ids.contains(&format!("step-{}", step.number).as_str()));
    }
}

#[test]
fn it_says_what_happened_why_and_what_to_do() {
    let html = report(&sample::run());
    let page = scraper::Html::parse_document(&html);
    let all = page.root_element().text().collect::<String>();
    for words in [
        "The request was refused as forged",
        "4 of 9: the token of the form is missing, stale or of another site",
        "Take the token from the page of this session",
        "In sync (http), sync (chromium).",
        "more in results.json",
        "3.2 s behind ours",
        "agrees within a second",
        "57 of 60 are as Git says",
        "a password in an address",
        "Left behind",
        "openssl pkeyutl -verify",
    ] {
        assert!(all.contains(words), "{words}");
    }
    assert!(!all.contains("Not verified by an oracle") && all.contains("what the target said in 1 journey."));
    let first = html.find("class=\"verdict").unwrap();
    assert!(first < html.find("id=\"findings\"").unwrap(), "the verdict is first");
}

#[test]
fn without_an_oracle_it_says_not_verified() {
    let mut run = sample::run();
    run.conditions.oracles.clear();
    run.readings.clear();
    run.verdict = RunVerdict::Pass;
    run.discrepancy = None;
    run.journeys.retain(|journey| journey.verdict == Verdict::Pass);
    run.journeys.iter_mut().for_each(|journey| journey.verified = Some(false));
    run.sentence = "All 3 journeys passed; what the target said of the cluster was confirmed by nobody.".into();
    super::keep("unverified", &run);
    let html = report(&run);
    assert!(html.contains("Not verified by an oracle") && html.contains("No oracle was given"));
}

#[test]
fn every_verdict_makes_a_report() {
    for verdict in
        [RunVerdict::Invalid, RunVerdict::Mismatch, RunVerdict::Interrupted, RunVerdict::Inconclusive, RunVerdict::Pass]
    {
        let mut run = sample::run();
        run.verdict = verdict;
        run.journeys.clear();
        run.steps.clear();
        run.readings.clear();
        run.discrepancy = None;
        run.preconditions.iter_mut().for_each(|check| check.step = None);
        run.ended = run.started;
        if verdict == RunVerdict::Invalid {
            run.preconditions[0].held = Some(false);
            run.finding = Some(Finding::new(Cause::BadPassword, "The login works.", "“Wrong user name or password.”"));
            run.sentence = "Nothing was judged: the login was refused.".into();
            super::keep("invalid", &run);
        }
        let html = report(&run);
        assert!(html.contains("No journey was made."), "{verdict:?}");
        for place in addresses(&html) {
            assert!(html.contains(&format!("id=\"{}\"", &place[1..])), "{place} leads nowhere");
        }
    }
}

/// A long run: hundreds of steps, and a wait of minutes between them.
#[test]
fn a_long_run_stays_readable() {
    let mut run = sample::run();
    let steps = run.steps.clone();
    for round in 1..30 {
        for step in &steps {
            let mut step = step.clone();
            step.number += round * steps.len();
            step.started += jiff::SignedDuration::from_secs(40 * round as i64);
            step.screenshot = None;
            step.accessible_tree = None;
            run.steps.push(step);
        }
        for mut journey in sample::run().journeys {
            journey.started += jiff::SignedDuration::from_secs(40 * round as i64);
            journey.first_step += round * steps.len();
            journey.finding = None;
            journey.checks.clear();
            run.journeys.push(journey);
        }
    }
    run.ended += jiff::SignedDuration::from_secs(40 * 30);
    super::keep("long", &run);
    let html = report(&run);
    assert!(html.len() < 6_000_000, "{}", html.len());
    assert!(html.matches("id=\"step-").count() == run.steps.len());
}

#[test]
fn large_and_missing_pictures_are_named() {
    let run = sample::run();
    let folder = super::folder_of(&run);
    std::fs::remove_file(folder.path().join("steps/0008.png")).unwrap();
    std::fs::write(folder.path().join("steps/0009.png"), vec![0; 500_000]).unwrap();
    std::fs::write(folder.path().join("steps/0010.png"), "<svg onload=alert(1)>").unwrap();
    verify::evidence::write(&run, folder.path(), None).unwrap();
    let html = text(folder.path(), "report.html");
    assert!(html.contains("500000 bytes, more than") && html.contains("it is no PNG") && html.contains("No such file"));
    assert!(!html.contains("<img"));
}

#[test]
fn its_colours_are_those_of_the_console_and_paper_is_light() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let console = std::fs::read_to_string(format!("{root}/crates/web/static/tokens.css")).unwrap();
    let html = report(&sample::run());
    let named = Regex::new(r"var\(--([a-z-]+)\)").unwrap();
    for name in named.captures_iter(&html).map(|found| found[1].to_owned()) {
        let of_tone = ["tone", "tone-ground"].contains(&name.as_str());
        assert!(of_tone || console.contains(&format!("--{name}: ")), "--{name} is no token of the console");
    }
    assert!(
        html.contains("--good-ground: #e6f4ea;") && html.contains("@media screen and (prefers-color-scheme: dark)")
    );
    assert!(!html.contains("@media (prefers-color-scheme"), "dark is for screens only");
}

#[test]
fn the_failure_points_are_those_of_the_documentation() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let page = std::fs::read_to_string(format!("{root}/docs/concepts/failure-points.md")).unwrap();
    for (index, title) in FAILURE_POINTS.iter().enumerate() {
        assert!(page.contains(&format!("| {} | {title} |", index + 1)), "{title}");
    }
}
