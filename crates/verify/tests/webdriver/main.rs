//! The driver with real browsers, both, at a small site. One browser walks through all of it, because a start costs more
//! than a page.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, also in what it calls")]

mod hard;
mod site;
mod walk;

use std::process::Command;
use std::time::{Duration, Instant};
use verify::drivers::Driver;
use verify::drivers::webdriver::{BrowserDriver, BrowserKind, BrowserOptions};
use verify::exchange::{Budget, Log};
use verify::obstacle::Obstacle;
use verify::redact::Redactor;

fn options(kind: BrowserKind) -> BrowserOptions {
    let mut options = BrowserOptions::new(kind);
    if kind == BrowserKind::Firefox {
        options.driver_program = Some(testkit::geckodriver().unwrap());
    }
    options
}

async fn started(kind: BrowserKind, base: &str) -> BrowserDriver {
    let redactor = Redactor::default();
    redactor.tell("the password of the login", &"open sesame".into());
    BrowserDriver::start(&options(kind), base, Log::new(redactor, Budget::new(1000))).await.unwrap()
}

#[tokio::test]
async fn chromium_walks() {
    let base = site::serve().await;
    walk::everything(&mut started(BrowserKind::Chromium, &base).await, &base).await;
}

#[tokio::test]
async fn chromium_copes() {
    let base = site::serve().await;
    hard::everything(&mut started(BrowserKind::Chromium, &base).await).await;
}

#[tokio::test]
async fn firefox_copes() {
    let base = site::serve().await;
    hard::everything(&mut started(BrowserKind::Firefox, &base).await).await;
}

#[tokio::test]
async fn firefox_walks() {
    let base = site::serve().await;
    walk::everything(&mut started(BrowserKind::Firefox, &base).await, &base).await;
}

/// Not a test by itself: the run that is killed below.
#[tokio::test]
#[ignore = "it is started, and killed, by another test"]
async fn a_run_that_is_killed() {
    let _browsers =
        [started(BrowserKind::Chromium, "http://x/").await, started(BrowserKind::Firefox, "http://x/").await];
    let folders: Vec<String> = _browsers.iter().map(|one| one.folder().unwrap().display().to_string()).collect();
    println!("\nfolders {}", folders.join(" "));
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_run_that_was_killed() {
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_run_that_is_killed", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    let folders =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("folders ").map(str::to_owned)).unwrap();
    assert!(folders.split(' ').all(|folder| belonging(folder).len() > 1));
    run.kill().unwrap();
    run.wait().unwrap();
    for folder in folders.split(' ') {
        nothing_is_left(folder).await;
    }
}

#[tokio::test]
async fn an_authority_is_trusted_and_nobody_else() {
    let authority = testkit::tls::Authority::new("the site's").unwrap();
    let base = site::serve_tls(&authority.server(&["localhost"]).unwrap()).await;
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let log = || Log::new(Redactor::default(), Budget::new(100));
        let mut stranger = BrowserDriver::start(&options(kind), &base, log()).await.unwrap();
        let said = stranger.open("/").await.unwrap_err();
        assert!(matches!(said, Obstacle::NoAnswer { .. }), "{said}");
        let trusting = BrowserOptions { ca: Some(authority.certificate().to_owned()), ..options(kind) };
        let mut friend = BrowserDriver::start(&trusting, &base, log()).await.unwrap();
        assert_eq!(friend.open("/").await.unwrap().title(), "Home");
        let other = base.replace("localhost", "127.0.0.1");
        if kind == BrowserKind::Firefox {
            let said = friend.open(&other).await.unwrap_err();
            assert!(matches!(said, Obstacle::NoAnswer { .. }), "{said}");
        }
    }
}

/// What `openssl req -x509` makes is an authority that serves; here it is the second of a bundle.
#[tokio::test]
async fn the_targets_own_certificate_is_trusted() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let identity = testkit::tls::Identity { certificate: certificate.clone(), key: key.serialize_pem() };
    let base = site::serve_tls(&identity).await;
    let other = testkit::tls::Authority::new("another's").unwrap();
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let bundle = Some(format!("{}{certificate}", other.certificate()));
        let trusting = BrowserOptions { ca: bundle, ..options(kind) };
        let log = Log::new(Redactor::default(), Budget::new(100));
        let mut friend = BrowserDriver::start(&trusting, &base, log).await.unwrap();
        assert_eq!(friend.open("/").await.unwrap().title(), "Home", "{}", kind.name());
    }
}

/// The second authority of a bundle is one, too.
#[tokio::test]
async fn every_certificate_of_a_bundle_counts() {
    let (first, second) = (testkit::tls::Authority::new("one").unwrap(), testkit::tls::Authority::new("two").unwrap());
    let base = site::serve_tls(&second.server(&["localhost"]).unwrap()).await;
    let bundle = Some(format!("{}{}", first.certificate(), second.certificate()));
    let trusting = BrowserOptions { ca: bundle, ..options(BrowserKind::Firefox) };
    let log = Log::new(Redactor::default(), Budget::new(100));
    let mut friend = BrowserDriver::start(&trusting, &base, log).await.unwrap();
    assert_eq!(friend.open("/").await.unwrap().title(), "Home");
}

#[tokio::test]
async fn a_browser_asks_through_its_proxy() {
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let answer = axum::Router::new()
                .fallback(async |uri: axum::http::Uri| axum::response::Html(format!("<title>For {uri}</title>")));
            axum::serve(listener, answer).await
        });
        let proxy = Some(verify::http::BrowserProxy { address, none: vec!["not.example".to_owned()] });
        let base = "http://console.example.test/";
        let log = Log::new(Redactor::default(), Budget::new(100));
        let mut driver = BrowserDriver::start(&BrowserOptions { proxy, ..options(kind) }, base, log).await.unwrap();
        assert_eq!(driver.open("/login/").await.unwrap().title(), "For http://console.example.test/login/");
    }
}

#[tokio::test]
async fn a_webdriver_that_runs_elsewhere_is_used() {
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let base = site::serve().await;
        let elsewhere = verify::drivers::webdriver::Launched::start(&options(kind)).await.unwrap();
        let there = BrowserOptions { remote: Some(elsewhere.address().to_owned()), ..options(kind) };
        let log = Log::new(Redactor::default(), Budget::new(100));
        let mut driver = BrowserDriver::start(&there, &base, log).await.unwrap();
        assert_eq!(driver.open("/").await.unwrap().title(), "Home");
        assert!(
            driver.folder().is_none()
                && driver.version().to_lowercase().contains(if kind == BrowserKind::Chromium {
                    "chrome"
                } else {
                    "firefox"
                })
        );
        drop(driver);
        let mut again =
            BrowserDriver::start(&there, &base, Log::new(Redactor::default(), Budget::new(100))).await.unwrap();
        assert_eq!(again.open("/").await.unwrap().status, 200);
    }
}

/// Processes that name the folder in their arguments.
fn belonging(folder: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-af", folder]).output().unwrap();
    let lines = String::from_utf8_lossy(&found.stdout).into_owned();
    lines.lines().filter(|line| !line.contains("pgrep")).map(str::to_owned).collect()
}

async fn nothing_is_left(folder: &str) {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let left = belonging(folder);
        if left.is_empty() && !std::path::Path::new(folder).exists() {
            return;
        }
        assert!(Instant::now() < until, "{folder} is left with {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nothing_of_a_browser_is_left() {
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let base = site::serve().await;
        let mut driver = started(kind, &base).await;
        driver.open("/").await.unwrap();
        let folder = driver.folder().unwrap().display().to_string();
        assert!(belonging(&folder).len() > 1, "{folder} belongs to nobody");
        if kind == BrowserKind::Chromium {
            drop(driver);
            nothing_is_left(&folder).await;
            continue;
        }
        let panicked = tokio::spawn(async move {
            let _driver = driver;
            panic!("the run fails");
        });
        assert!(panicked.await.is_err());
        nothing_is_left(&folder).await;
    }
}

#[tokio::test]
async fn dark_scriptless_and_bounded() {
    for kind in [BrowserKind::Chromium, BrowserKind::Firefox] {
        let base = site::serve().await;
        let mut options = options(kind);
        (options.scripts, options.dark, options.size) = (false, true, (500, 700));
        options.user_agent_suffix = Some("hedgerow-verify/1".into());
        let log = Log::new(Redactor::default(), Budget::new(6));
        let mut driver = BrowserDriver::start(&options, &base, log).await.unwrap();
        walk::without_scripts(&mut driver).await;
        let over = loop {
            match driver.open("/data").await {
                Ok(_) => {}
                Err(obstacle) => break obstacle,
            }
        };
        assert!(matches!(over, Obstacle::Budget(_)), "{over}");
    }
}
