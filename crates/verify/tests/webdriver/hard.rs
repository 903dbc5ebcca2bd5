//! What is harder: answers without a body or a page, streams, other windows, what comes late or never.

use crate::walk::{button, locate};
use std::time::Instant;
use verify::drivers::Driver;
use verify::drivers::webdriver::BrowserDriver;
use verify::page::Role;

/// Everything, in one window.
pub async fn everything(driver: &mut BrowserDriver) {
    late_and_never(driver).await;
    without_a_page(driver).await;
    another_window(driver).await;
}

async fn late_and_never(driver: &mut BrowserDriver) {
    let page = driver.open("/hard").await.unwrap();
    let after = driver.press(&button(&page, "Later")).await.unwrap();
    assert_eq!(after.text("#out").unwrap(), "by itself");
    driver.press(&button(&page, "Render again")).await.unwrap();
    let clock = Instant::now();
    driver.press(&button(&page, "Wait in vain")).await.unwrap();
    assert!((2900..6000).contains(&clock.elapsed().as_millis()), "{:?}", clock.elapsed());
    let seen = driver.seen(false).await.unwrap();
    let stream = seen.exchanges.iter().find(|one| one.path() == "/stream").unwrap();
    assert_eq!((stream.kind.as_str(), stream.status, &stream.error), ("eventsource", 200, &None));
    let frame = seen.exchanges.iter().find(|one| one.path() == "/login").unwrap();
    assert_eq!((frame.kind.as_str(), frame.status), ("iframe", 200));
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    let seen = driver.seen(false).await.unwrap();
    let never = seen.exchanges.iter().find(|one| one.path() == "/never").unwrap();
    assert!(never.status == 0 && never.error.as_ref().unwrap().starts_with("no answer within 1"), "{never:?}");
}

async fn without_a_page(driver: &mut BrowserDriver) {
    let page = driver.open("/hard").await.unwrap();
    let refused = driver.press(&button(&page, "Be refused")).await.unwrap();
    assert_eq!((refused.status, refused.url.path()), (403, "/refused"));
    driver.open("/hard").await.unwrap();
    driver.seen(false).await.unwrap();
    let file = driver.open("/file").await.unwrap();
    assert_eq!((file.status, file.header("content-disposition").as_deref()), (200, Some("attachment; filename=a.csv")));
    assert_eq!(driver.open("/empty").await.unwrap().status, 204);
    let seen = driver.seen(false).await.unwrap();
    let told: Vec<_> = seen.exchanges.iter().map(|one| (one.path(), one.status, one.error.clone())).collect();
    for wanted in [("/file".to_owned(), 200, None), ("/empty".to_owned(), 204, None)] {
        assert!(told.contains(&wanted), "{wanted:?} in {told:?}");
    }
    let page = driver.look().await.unwrap();
    assert_eq!((page.status, page.title().as_str()), (200, "Hard"), "the page before is still there");
    let page = driver.press(&locate(&page, Role::Link, "Download").unwrap()).await.unwrap();
    assert_eq!(page.title(), "Hard");
}

async fn another_window(driver: &mut BrowserDriver) {
    let page = driver.open("/hard").await.unwrap();
    let page = driver.press(&locate(&page, Role::Link, "Elsewhere").unwrap()).await.unwrap();
    assert_eq!((page.status, page.body.as_str()), (200, r#"{"state":"ok"}"#));
    assert!(page.header("content-type").unwrap().starts_with("application/json"));
    let page = driver.open("/login").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(driver.seen(false).await.unwrap().exchanges.iter().any(|one| one.path() == "/login"));
}
