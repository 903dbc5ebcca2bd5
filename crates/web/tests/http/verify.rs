//! What the console's own monitor found, as those see it whom it concerns: nobody learns of a fabric that is not theirs.

use crate::console::Console;
use auth::Clock;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use store::NewVerifyRun;

/// A run that is over now.
async fn ran(console: &Console, fabric: Option<i64>, verdict: &str, sentence: &str) {
    let now = console.clock.now();
    let bad = verdict != "pass" && verdict != "unverified";
    let run = NewVerifyRun {
        run_id: format!("{verdict}-{fabric:?}-{now}"),
        fabric_id: fabric,
        started_at: now,
        ended_at: now,
        verdict: verdict.into(),
        is_good: !bad,
        sentence: sentence.into(),
        cause: bad.then(|| "answer_missing".into()),
        failure_point: bad.then_some(2),
        what_to_do: bad.then(|| "A request must end in time.".into()),
        journeys: json!([{
            "name": "fabric_page", "driver": "http", "verdict": if bad { "fail" } else { "pass" },
            "sentence": "The page waits <b>, and no answer comes.", "cause": "answer_missing", "failure_point": 2,
            "what_to_do": "A request must end in time.", "ms": 60_000,
        }]),
    };
    console.store.verify_runs().record(&run, 100).await.unwrap();
    console.clock.advance(Duration::from_secs(60));
}

fn names(body: &Value) -> Vec<String> {
    let rows = body["results"].as_array().unwrap().iter();
    rows.map(|row| row["fabric"]["name"].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn each_reader_sees_the_runs_of_its_own_fabrics() {
    let console = Console::start().await;
    console.admin().await;
    let (lab, prod) = (console.fabric("lab-1").await, console.fabric("prod-1").await);
    for verdict in ["pass", "fail", "fail"] {
        ran(&console, Some(lab.id), verdict, "2 passed, 1 failed.").await;
    }
    ran(&console, Some(prod.id), "unverified", "All held, of prod.").await;
    ran(&console, None, "invalid", "Nothing was walked: root is a superuser.").await;
    let limited = console.user("limited", false).await;
    console.permit_on(&limited, "hedgerow.fabric", &["view"], Some(json!({"name": "lab-1"}))).await;
    console.user("nothing", false).await;

    for (who, expected) in [("alice", vec!["-", "lab-1", "prod-1"]), ("limited", vec!["lab-1"]), ("nothing", vec![])] {
        let mut browser = console.logged_in(who).await;
        let body = browser.script("/verify/").await.json();
        assert_eq!(names(&body), expected, "{who}");
        let page = browser.open("/verify/").await;
        assert_eq!(page.status, StatusCode::OK);
        let text = page.text();
        for (word, of) in
            [("2 passed, 1 failed.", "lab-1"), ("All held, of prod.", "prod-1"), ("Nothing was walked", "-")]
        {
            assert_eq!(text.contains(word), expected.contains(&of), "{who}: {word}");
        }
        let runs = browser.open(&format!("/fabrics/{}/verify/", lab.id)).await;
        assert_eq!(runs.status == StatusCode::OK, expected.contains(&"lab-1"), "{who}");
    }

    let mut browser = console.logged_in("limited").await;
    let body = browser.script("/verify/").await.json();
    let newest = &body["results"][0]["newest"];
    assert_eq!(
        (&newest["verdict"], &newest["in_a_row"], &newest["failure_point"]),
        (&"fail".into(), &2.into(), &2.into())
    );
    assert_eq!(body["results"][0]["history"].as_array().unwrap().len(), 3);
    let text = browser.open("/verify/").await.text();
    for expected in
        ["failure point 2", "A request must end in time.", "waits &#60;b&#62;", "2 runs in a row", "Unknown since"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    // Sentence, cause, failure point and row are parts of their own: run together they read as other words.
    for page in ["/verify/".to_owned(), format!("/fabrics/{}/verify/", lab.id)] {
        let text = browser.open(&page).await.body;
        for part in [
            "2 passed, 1 failed.</p>",
            "<li class=\"mono\">answer_missing</li>",
            "<li>failure point 2 of 9</li>",
            "<li>2 runs in a row, the first ",
        ] {
            assert!(text.contains(part), "{part} in {page}: {text}");
        }
    }
    let runs = browser.script(&format!("/fabrics/{}/verify/?page=1", lab.id)).await.json();
    assert_eq!((&runs["count"], &runs["results"][2]["verdict"]), (&3.into(), &"pass".into()));
    assert_eq!(browser.open("/verify/?page=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn where_it_is_off_the_page_says_how_to_switch_it_on() {
    let console = Console::start().await;
    console.admin().await;
    console.fabric("lab-1").await;
    let text = console.logged_in("alice").await.open("/verify/").await.text();
    for expected in ["verify.every", "hedgerow user grant monitor --action view", "hedgerow verify --every"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}
