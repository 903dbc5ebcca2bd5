//! The end of a session is said before it comes, also without script, and one press moves it, as far as the absolute
//! limit.

use crate::console::{Answer, Browser, Console};
use http::StatusCode;
use std::time::Duration;

/// The warning in a page: its markup, if it shows.
fn warning(page: &Answer) -> Option<&str> {
    let section = page.body.split("<section id=\"session-warning\"").nth(1).expect("every page carries the warning");
    let section = section.split("</section>").next().unwrap();
    (!section.split('>').next().unwrap().contains("hidden")).then_some(section)
}

/// The page as its own script reads it again, which is no activity.
async fn read_again(browser: &mut Browser, path: &str) -> Answer {
    browser.send("GET", path, &[("accept", "text/html"), ("x-hedgerow-background", "1")], None).await
}

#[tokio::test]
async fn a_page_made_shortly_before_the_end_says_so_and_its_form_moves_the_end() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    assert_eq!(warning(&browser.open("/fabrics/").await), None, "an hour before the end nothing is said");

    console.clock.advance(Duration::from_secs(54 * 60));
    assert_eq!(warning(&read_again(&mut browser, "/fabrics/").await), None, "six minutes before");
    console.clock.advance(Duration::from_secs(2 * 60));
    let page = read_again(&mut browser, "/fabrics/?state=error").await;
    let shown = warning(&page).expect("four minutes before").to_owned();
    let end = browser.script_in_background("/session/").await["idle_expires_at"].as_str().unwrap().to_owned();
    assert!(shown.contains(&end) && shown.contains(&format!("{} UTC", &end[11..16])), "{shown}");
    assert!(shown.contains("Stay logged in") && shown.contains("action=\"/session/\""), "{shown}");

    let token = shown.split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let fields = [("csrfmiddlewaretoken", token), ("next", "/fabrics/?state=error")];
    let pressed = browser.submit("/session/", &fields).await;
    assert_eq!((pressed.status, pressed.header("location")), (StatusCode::SEE_OTHER, "/fabrics/?state=error"));
    let later = browser.script_in_background("/session/").await["idle_expires_at"].as_str().unwrap().to_owned();
    assert!(later > end, "{later} is not later than {end}");
    assert_eq!(warning(&read_again(&mut browser, "/fabrics/").await), None);
    // The old end passes, and the session lasts.
    console.clock.advance(Duration::from_secs(10 * 60));
    assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK);
    // Somewhere else than to a page of this site no press leads.
    let token = browser.token().await;
    let fields = [("csrfmiddlewaretoken", token.as_str()), ("next", "https://example.com/")];
    assert_eq!(browser.submit("/session/", &fields).await.header("location"), "/");
}

#[tokio::test]
async fn before_the_absolute_limit_nothing_is_offered_that_could_not_be_kept() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    for _ in 0..(11 * 2) {
        console.clock.advance(Duration::from_secs(30 * 60));
        assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK);
    }
    console.clock.advance(Duration::from_secs(56 * 60));
    let page = browser.open("/fabrics/").await;
    let shown = warning(&page).expect("four minutes before the absolute limit");
    let form = shown.split("<form").nth(1).unwrap().split('>').next().unwrap();
    assert!(form.ends_with(" hidden"), "nothing can be extended: {shown}");
    assert!(shown.contains("None lasts longer than 12 h."), "{shown}");
}
