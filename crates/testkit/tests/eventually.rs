//! Waiting ends as soon as the thing is true, and a failure says what was seen last.

use std::cell::Cell;
use std::time::{Duration, Instant};

use testkit::eventually;

#[tokio::test]
async fn ends_with_the_value() {
    let looks = Cell::new(0);
    let found = eventually(Duration::from_secs(10), "the third look", || async {
        looks.set(looks.get() + 1);
        if looks.get() == 3 { Ok("there") } else { Err(format!("look {}", looks.get())) }
    })
    .await;
    assert_eq!(found.unwrap(), "there");
}

#[tokio::test]
async fn a_failure_carries_the_last_observation() {
    let started = Instant::now();
    let failure = eventually::<(), _, _, _>(Duration::from_millis(80), "rain", || async { Err("sunshine") }).await;
    let failure = failure.unwrap_err().to_string();
    assert!(failure.contains("rain") && failure.contains("sunshine"), "{failure}");
    assert!(started.elapsed() >= Duration::from_millis(80));
}
