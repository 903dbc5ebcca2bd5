//! What each browser has to do alike.

use crate::site::PRESSES;
use std::sync::atomic::Ordering;
use std::time::Instant;
use verify::drivers::webdriver::BrowserDriver;
use verify::drivers::{Ask, Driver, Forgery};
use verify::obstacle::Obstacle;
use verify::page::{Found, Locator, Page, Role};

/// Finds a control.
pub fn locate(page: &Page, role: Role, name: &str) -> Result<Found, Obstacle> {
    page.find(&Locator { role, names: vec![name.to_owned()], hints: Vec::new() })
}

/// Finds a button.
pub fn button(page: &Page, name: &str) -> Found {
    locate(page, Role::Button, name).unwrap()
}

fn field(page: &Page, name: &str) -> Found {
    locate(page, Role::Field, name).unwrap()
}

/// Everything, in one window.
pub async fn everything(driver: &mut BrowserDriver, base: &str) {
    login(driver, base).await;
    answers_in_place(driver).await;
    what_cannot_be_pressed(driver).await;
    what_is_filled(driver).await;
    what_goes_wrong(driver).await;
    asks(driver).await;
    forges(driver).await;
    elsewhere(driver, base).await;
}

async fn login(driver: &mut BrowserDriver, base: &str) {
    let page = driver.open("/login").await.unwrap();
    assert_eq!((page.status, page.title().as_str()), (200, "Login"));
    assert!(page.body.starts_with("<!DOCTYPE html>") && page.is_html(), "{}", page.body);
    driver.seen(false).await.unwrap();
    driver.fill(&field(&page, "User name"), "ada lovelace").await.unwrap();
    driver.fill(&field(&page, "Password"), "open sesame").await.unwrap();
    let shown = driver.look().await.unwrap();
    assert!(!shown.body.contains("open sesame") && !shown.body.contains("lovelace"));
    let seen = driver.seen(true).await.unwrap();
    let tree = seen.tree.unwrap().to_string();
    assert!(tree.contains("Log in") && tree.contains("button") && !tree.contains("lovelace"), "{tree}");
    assert!(size(&seen.screenshot.unwrap()).0 > 0);
    let page = driver.press(&button(&page, "Log in")).await.unwrap();
    assert_eq!((page.status, page.title().as_str(), page.url.as_str()), (200, "Home", format!("{base}/").as_str()));
    assert_eq!(page.text("#user").unwrap(), "ada");
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let seen = driver.seen(false).await.unwrap();
    let told: Vec<(String, u16, String, String)> = seen
        .exchanges
        .iter()
        .filter(|one| one.kind == "document")
        .map(|one| (one.method.clone(), one.status, one.path(), one.kind.clone()))
        .collect();
    let document = || "document".to_owned();
    let wanted = [("POST", 303, "/login"), ("GET", 303, "/hop"), ("GET", 200, "/")];
    assert_eq!(told, wanted.map(|(method, status, path)| (method.to_owned(), status, path.to_owned(), document())));
    let post = seen.exchanges.iter().find(|one| one.method == "POST").unwrap();
    assert_eq!(post.request_body.as_deref(), Some("username=ada+lovelace&password=[redacted]"));
    let set = |one: &(String, String)| one.0.eq_ignore_ascii_case("set-cookie");
    let set: Vec<&str> = post.response_headers.iter().filter(|one| set(one)).map(|one| one.1.as_str()).collect();
    assert_eq!(set, ["test_session=[redacted]; Path=/; HttpOnly; SameSite=Lax", "plain=[redacted]; Max-Age=3600"]);
    let last = seen.exchanges.iter().find(|one| one.path() == "/" && one.kind == "document").unwrap();
    assert!(last.response_body.as_deref().unwrap().contains("<h1>Home</h1>") && last.response_bytes > 100);
    let sent = |one: &&(String, String)| one.0.eq_ignore_ascii_case("cookie");
    assert!(last.request_headers.iter().find(sent).unwrap().1.contains("test_session=[redacted]"));
    let all = format!("{:?}", seen.exchanges);
    for secret in ["sesame", "0123456789abcdef0123", "visible-value"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(seen.console.iter().any(|line| line.level == "SEVERE" && line.text.contains("a line of the page")));
    let mut cookies = driver.cookies().await.unwrap();
    cookies.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(cookies.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["plain", "test_session"]);
    assert_eq!(cookies[1].value, "0123456789abcdef0123");
    assert_eq!(cookies[1].attributes, ["Path=/", "HttpOnly", "SameSite=Lax"]);
    assert_eq!(cookies[0].attribute("samesite"), None, "{:?}", cookies[0].attributes);
    assert!(cookies[0].attribute("expires").unwrap().ends_with(" GMT"), "{:?}", cookies[0].attributes);
}

async fn answers_in_place(driver: &mut BrowserDriver) {
    let page = driver.open("/parts").await.unwrap();
    let page = driver.press(&button(&page, "Answer late")).await.unwrap();
    assert_eq!(page.text("#out").unwrap(), "late answer");
    let seen = driver.seen(false).await.unwrap();
    let late = seen.exchanges.iter().find(|one| one.path() == "/late").unwrap();
    assert_eq!((late.kind.as_str(), late.status, late.response_body.as_deref()), ("fetch", 200, Some("late answer")));
    assert!(late.ms >= 290 && late.request_body.as_deref() == Some("n=1"), "{late:?}");
    let clock = Instant::now();
    driver.press(&button(&page, "Dead")).await.unwrap();
    assert!(clock.elapsed().as_millis() > 2900, "a page that does not react is waited for");
    assert!(locate(&page, Role::Button, "Close dialog").is_err(), "a closed dialog is not seen");
    let open = driver.press(&button(&page, "Open dialog")).await.unwrap();
    assert!(locate(&open, Role::Button, "Dead").is_err(), "nobody reaches behind a dialog");
    let page = driver.press(&button(&open, "Close dialog")).await.unwrap();
    assert!(locate(&page, Role::Button, "Dead").is_ok());
    let before = PRESSES.load(Ordering::Relaxed);
    driver.press_twice(&button(&page, "Count")).await.unwrap();
    assert_eq!(PRESSES.load(Ordering::Relaxed), before + 2);
    let page = driver.press(&button(&page, "Far below")).await.unwrap();
    assert!(page.text("#out").unwrap().starts_with("counted"));
    let page = driver.press(&button(&page, "Confirm")).await.unwrap();
    assert_eq!(page.text("#out").unwrap(), "confirmed", "whoever presses it means it");
}

async fn what_cannot_be_pressed(driver: &mut BrowserDriver) {
    let page = driver.open("/parts").await.unwrap();
    for hidden in ["Hidden", "Invisible"] {
        assert!(matches!(locate(&page, Role::Button, hidden), Err(Obstacle::Missing(_))), "{hidden} was found");
    }
    assert!(locate(&page, Role::Link, "Deep").is_err());
    let said = driver.press(&button(&page, "Covered")).await.unwrap_err();
    assert!(matches!(&said, Obstacle::Unusable(why) if why.contains("div#veil.curtain “A veil”")), "{said}");
    let said = driver.press(&button(&page, "Disabled")).await.unwrap_err();
    assert!(matches!(&said, Obstacle::Unusable(why) if why.contains("disabled")), "{said}");
    let (vanish, moved) = (button(&page, "Vanish"), button(&page, "Open dialog"));
    driver.press(&vanish).await.unwrap();
    let said = driver.press(&vanish).await.unwrap_err();
    assert!(matches!(said, Obstacle::Missing(_)), "{said}");
    // Where it was is another now.
    let open = driver.press(&moved).await.unwrap();
    assert!(locate(&open, Role::Button, "Close dialog").is_ok());
}

async fn what_is_filled(driver: &mut BrowserDriver) {
    let page = driver.open("/parts").await.unwrap();
    let wanted = [
        ("Colour", "Green"),
        ("Sizes", "S,L"),
        ("Accept", "on"),
        ("Day", "2026-02-28"),
        ("Up", "up"),
        ("Text", "a new\nline"),
    ];
    for (name, value) in wanted {
        driver.fill(&field(&page, name), value).await.unwrap();
    }
    let said = driver.fill(&field(&page, "Colour"), "Mauve").await.unwrap_err();
    assert!(matches!(&said, Obstacle::Unusable(why) if why.contains("Red") && !why.contains("Mauve")), "{said}");
    let page = driver.press(&button(&page, "Choose")).await.unwrap();
    assert_eq!(page.body, "colour=g&size=S&size=L&ok=on&day=2026-02-28&way=up&text=a+new%0D%0Aline");
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
}

async fn what_goes_wrong(driver: &mut BrowserDriver) {
    let page = driver.open("/nowhere").await.unwrap();
    assert_eq!((page.status, page.url.path()), (404, "/nowhere"));
    let seen = driver.seen(false).await.unwrap();
    let lost = seen.exchanges.iter().find(|one| one.path() == "/nowhere").unwrap();
    assert_eq!((lost.status, lost.error.as_deref()), (404, None));
    let page = driver.open("/parts").await.unwrap();
    driver.seen(false).await.unwrap();
    driver.press(&button(&page, "Break")).await.unwrap();
    driver.press(&button(&page, "Ask in vain")).await.unwrap();
    let seen = driver.seen(false).await.unwrap();
    assert!(seen.console.iter().any(|line| line.level == "SEVERE" && line.text.contains("broken is not defined")));
    assert_eq!(
        seen.exchanges.iter().map(|one| (one.path(), one.status)).collect::<Vec<_>>(),
        [("/nothing-here".into(), 404)]
    );
    let page = driver.open("/strict").await.unwrap();
    assert_eq!(page.title(), "Strict", "the page's policy holds");
    assert!(page.header("content-security-policy").unwrap().contains("default-src"));
    button(&page, "Still here");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let said = driver.open(&closed).await.unwrap_err();
    assert!(matches!(&said, Obstacle::NoAnswer { why, timed_out: false, .. } if why.len() < 60), "{said:?}");
}

async fn asks(driver: &mut BrowserDriver) {
    let page = driver.ask(&Ask::get("/moved")).await.unwrap();
    assert_eq!((page.status, page.url.path(), page.body.as_str()), (200, "/data", r#"{"state":"ok"}"#));
    assert_eq!(page.json().unwrap()["state"], "ok");
    let page = driver.ask(&Ask::post("/echo").with("X-Mine", "yes")).await.unwrap();
    for part in
        ["POST", "x-mine=yes", "content-type=application/json", "sec-fetch-site=same-origin", "[{}]", "test_session="]
    {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    let seen = driver.seen(false).await.unwrap();
    let told: Vec<(String, u16)> = seen.exchanges.iter().map(|one| (one.path(), one.status)).collect();
    assert!(told.ends_with(&[("/moved".into(), 303), ("/data".into(), 200), ("/echo".into(), 200)]), "{told:?}");
    let page = driver.open("/data").await.unwrap();
    assert_eq!(page.body, r#"{"state":"ok"}"#);
}

async fn forges(driver: &mut BrowserDriver) {
    let fields = vec![("name".to_owned(), "a \"b\" & <c>".to_owned())];
    let page = driver.forge(&Forgery { address: "/echo".into(), fields }).await.unwrap();
    let text = page.visible_text();
    for part in ["POST", "origin=null", "sec-fetch-site=cross-site", "[name=a+%22b%22+%26+%3Cc%3E]"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("test_session="), "a cookie that is Lax went with a form of another site: {text}");
    let seen = driver.seen(false).await.unwrap();
    assert!(seen.exchanges.iter().all(|one| one.url.starts_with("http")), "{:?}", seen.exchanges);
}

async fn elsewhere(driver: &mut BrowserDriver, base: &str) {
    let other = base.replace("127.0.0.1", "localhost");
    driver.open(&format!("{other}/")).await.unwrap();
    assert_eq!(driver.cookies().await.unwrap().len(), 2, "those of the target");
    assert_eq!(driver.look().await.unwrap().url.host_str(), Some("localhost"), "the window stays where it was");
    driver.forget().await.unwrap();
    let page = driver.open("/").await.unwrap();
    assert_eq!(page.text("#user").unwrap(), "nobody");
    assert!(driver.cookies().await.unwrap().is_empty());
}

/// What is different without scripts.
pub async fn without_scripts(driver: &mut BrowserDriver) {
    assert!(!driver.runs_scripts());
    let page = driver.open("/echo").await.unwrap();
    assert!(page.body.contains("hedgerow-verify/1"), "{}", page.body);
    let page = driver.open("/login").await.unwrap();
    driver.fill(&field(&page, "User name"), "ada").await.unwrap();
    let page = driver.press(&button(&page, "Log in")).await.unwrap();
    assert_eq!((page.status, page.text("[role=alert]").as_deref()), (403, Some("Wrong")));
    driver.open("/").await.unwrap();
    let seen = driver.seen(true).await.unwrap();
    assert!(!seen.console.iter().any(|line| line.text.contains("a line of the page")), "the page's script ran");
    let picture = seen.screenshot.unwrap();
    assert_eq!(size(&picture), (500, 700));
}

/// Width and height of a picture: of PNG from its header, of WebP from its frame or its canvas.
fn size(picture: &[u8]) -> (u32, u32) {
    if picture.starts_with(b"\x89PNG") {
        let side = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        return (side(16), side(20));
    }
    assert_eq!((&picture[..4], &picture[8..12]), (b"RIFF".as_slice(), b"WEBP".as_slice()));
    let two = |at: usize| u32::from(u16::from_le_bytes(picture[at..at + 2].try_into().unwrap()));
    match &picture[12..16] {
        b"VP8 " => (two(26) & 0x3fff, two(28) & 0x3fff),
        b"VP8X" => (two(24) + 1, two(27) + 1),
        other => panic!("another sort of WebP: {other:?}"),
    }
}
