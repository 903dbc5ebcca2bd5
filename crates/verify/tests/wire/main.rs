//! What goes over the wire, and what is kept of it: which site a target is, who gets a cookie, whom a certificate makes
//! trusted, how much is read and for how long, and that what an answer shows is in the verdict and never in the record.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, also in what it calls")]

mod site;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use site::{Manners, PASSWORD};
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::tls::Identity;
use url::Url;
use verify::cause::Cause;
use verify::http::HttpUser;
use verify::oracle::{ClusterOracle, GitOracle, Kubeconfig};
use verify::profile::built_in;
use verify::results::Run;
use verify::run::{Runner, Silent};
use verify::site::{Account, DriverKind, Plan, Site};
use verify::verdict::{RunVerdict, Verdict};

fn plan(target: &str, journeys: &[&str]) -> Plan {
    Plan {
        target: Url::parse(target).unwrap(),
        account: Account { username: "O'Brien".to_owned(), password: PASSWORD.into() },
        second: None,
        reader: None,
        profile: built_in("netbox-hedgehog").unwrap(),
        drivers: vec![DriverKind::Http],
        journeys: journeys.iter().map(|name| (*name).to_owned()).collect(),
        fabric: None,
        unreachable_fabric: None,
        namespace: None,
        allow_sync: false,
        cluster: None,
        git: None,
        database: None,
        direct: None,
        ca: None,
        max_requests: 2_000,
        max_time: Duration::from_secs(120),
        patience: Duration::from_secs(30),
        max_wait: Duration::from_secs(5),
        secrets: Vec::new(),
        id: "0123456789ab".to_owned(),
    }
}

async fn walk(plan: Plan) -> Run {
    let mut runner = Runner::new(Site::new(plan, None));
    let stop = runner.walk(&mut Silent).await;
    runner.clean().await;
    runner.finish(stop, false)
}

fn some() -> Manners {
    Manners { fabrics: 3, ..Manners::default() }
}

/// What `openssl req -x509` makes: an authority that serves.
fn own_certificate() -> Identity {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Identity { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

#[tokio::test]
async fn a_target_that_leads_to_itself_with_tls_is_walked_there() {
    let identity = own_certificate();
    let port = site::serve_tls(some(), &identity).await;
    let front = site::leading_to(format!("https://127.0.0.1:{port}")).await;
    let run = walk(Plan { ca: Some(identity.certificate.clone()), ..plan(&front, &["login_logout", "crawl"]) }).await;
    assert_eq!(run.verdict, RunVerdict::Pass, "{}", run.sentence);
    let fact = run.preconditions.iter().find(|check| check.observed.contains("leads to")).unwrap();
    assert_eq!(
        (fact.held, fact.observed.clone()),
        (Some(true), format!("{front}/ leads to https://127.0.0.1:{port}/"))
    );
    let crawled = run.journeys[1].checks.iter().find(|check| check.observed.contains(" pages")).unwrap();
    assert_eq!(crawled.observed, "4 pages", "the list and three fabrics");
    // Asked there at once from then on, and with the origin of the page.
    let later = run.steps.iter().skip(3).flat_map(|step| &step.exchanges);
    assert!(later.clone().count() > 5 && later.clone().all(|one| one.url.starts_with("https:")));
    // The same certificate of somebody else is not trusted.
    let stranger = own_certificate().certificate;
    let run = walk(Plan { ca: Some(stranger), ..plan(&front, &["login_logout"]) }).await;
    assert_eq!(run.verdict, RunVerdict::Invalid, "{}", run.sentence);
}

#[tokio::test]
async fn a_cookie_that_is_not_secure_is_found_where_the_target_leads_to_tls() {
    let identity = own_certificate();
    let port = site::serve_tls(Manners { forgets_secure: true, ..some() }, &identity).await;
    let front = site::leading_to(format!("https://127.0.0.1:{port}")).await;
    let run = walk(Plan { ca: Some(identity.certificate.clone()), ..plan(&front, &["login_logout"]) }).await;
    let finding = run.journeys[0].finding.as_ref().unwrap();
    assert_eq!(finding.cause, Cause::CookieUnsafe, "{}", run.sentence);
    assert!(finding.observed.contains("it lacks Secure"), "{}", finding.observed);
}

#[tokio::test]
async fn another_host_is_another_site() {
    let there = site::serve(some()).await;
    let front = site::leading_to(there).await.replace("127.0.0.1", "localhost");
    let run = walk(plan(&front, &["login_logout"])).await;
    let finding = run.journeys.iter().find_map(|one| one.finding.clone()).or(run.finding.clone()).unwrap();
    assert_eq!(finding.cause, Cause::ForeignRedirect, "{}", run.sentence);
    assert!(!run.preconditions.iter().any(|check| check.observed.contains("leads to")));
}

/// Whose login page leads elsewhere, or back to plain HTTP, or has a form that sends elsewhere: nothing is typed there.
#[tokio::test]
async fn name_and_password_go_to_the_target_only() {
    let (port, seen) = site::elsewhere().await;
    let elsewhere = format!("http://localhost:{port}/login/");
    let there = site::serve(some()).await;
    let identity = own_certificate();
    let to_plain = site::serve_tls(Manners { leads: Some(format!("{there}/login/")), ..some() }, &identity).await;
    let trusting = |target: &str| Plan { ca: Some(identity.certificate.clone()), ..plan(target, &["login_logout"]) };
    for target in [
        site::serve(Manners { form: Some(elsewhere.clone()), ..some() }).await,
        // Another port is another site, too: somebody else may listen there.
        site::serve(Manners { leads: Some(format!("{there}/login/")), ..some() }).await,
        format!("https://127.0.0.1:{to_plain}"),
    ] {
        let run = walk(trusting(&target)).await;
        assert_eq!((run.verdict, run.exit_code), (RunVerdict::Invalid, 4), "{target}: {}", run.sentence);
        let finding = run.finding.as_ref().unwrap();
        assert_eq!(finding.cause, Cause::ForeignRedirect, "{target}: {}", finding.observed);
        assert!(finding.observed.contains("nothing was typed"), "{target}: {}", finding.observed);
        let sent: Vec<_> =
            run.steps.iter().flat_map(|step| &step.exchanges).filter(|one| one.method == "POST").collect();
        assert!(sent.is_empty(), "{target}: {sent:?}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_is_unpacked_as_a_browser_does() {
    let base = site::serve(some()).await;
    let page = HttpUser::new(&base).unwrap().get("/small").await.unwrap();
    assert_eq!((page.status, page.title().as_str()), (200, "Small"), "{}", page.body);
}

#[tokio::test]
async fn another_site_gets_no_cookie_and_its_cookies_are_its_own() {
    let (port, seen) = site::elsewhere().await;
    let elsewhere = Some(format!("http://localhost:{port}/"));
    let base = site::serve(Manners { elsewhere, ..some() }).await;
    let mut user = HttpUser::new(&base).unwrap();
    let form = user.visit("/login/").await.unwrap();
    let answer = user.submit(&form, "form", &[("username", "O'Brien"), ("password", PASSWORD)]).await.unwrap();
    let away = user.arrive(answer).await.unwrap();
    assert_eq!(away.url.port(), Some(port));
    let page = user.get("/plugins/hedgehog/fabrics/1/").await.unwrap();
    assert_eq!(page.status, 200, "the session was lost to another site's cookie");
    user.visit("/plugins/hedgehog/fabrics/").await.unwrap();
    let cookies: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|headers| headers.get("cookie").map_or(String::new(), |value| value.to_str().unwrap().to_owned()))
        .collect();
    assert_eq!(cookies, ["", "sessionid=theirs"]);
    assert_eq!(user.own_cookies().len(), 1);
}

#[tokio::test]
async fn what_an_answer_shows_fails_the_run_whatever_else_it_came_to() {
    let base = site::serve(Manners { shows_session: true, ..some() }).await;
    // The journey is skipped: only the preconditions have met it.
    let run = walk(plan(&base, &["sync_by_button"])).await;
    assert_eq!(run.journeys[0].verdict, Verdict::Skipped);
    assert_eq!((run.verdict, run.exit_code), (RunVerdict::Fail, 1), "{}", run.sentence);
    assert_eq!(run.finding.as_ref().unwrap().cause, Cause::SecretShown);
    assert!(run.sentence.contains("GET /plugins/hedgehog/fabrics/"), "{}", run.sentence);
    assert!(!serde_json::to_string(&run).unwrap().contains("0123456789abcdef0123"), "the record holds it");
}

#[tokio::test]
async fn no_form_of_a_password_is_in_a_record() {
    for shows in [
        "R&amp;D &lt;x&gt;&#39;s &quot;word&quot;",
        "/?q=R%26D%20%3Cx%3E%27s%20%22word%22",
        "/?q=R%26D+%3Cx%3E%27s+%22word%22",
        r#"<script>const said = "R\u0026D \u003cx\u003e's \"word\""</script>"#,
    ] {
        let base = site::serve(Manners { shows: shows.to_owned(), ..some() }).await;
        let run = walk(plan(&base, &["crawl"])).await;
        assert_eq!(run.verdict, RunVerdict::Fail, "{shows}: {}", run.sentence);
        let record = serde_json::to_string(&run).unwrap();
        let written = serde_json::to_string(shows).unwrap();
        assert!(!record.contains(written.trim_matches('"')), "{shows} stands in the record");
    }
}

#[tokio::test]
async fn a_password_that_every_page_shows_is_said_to_be_a_word() {
    let base = site::serve(some()).await;
    let mut plan = plan(&base, &["crawl"]);
    // The word stands on the login page; who logs in is somebody else.
    plan.second = Some(Account { username: "eve".to_owned(), password: "NetBox".into() });
    plan.reader = Some(Account { username: "bob".to_owned(), password: "bob".into() });
    let run = walk(plan).await;
    assert_eq!(run.verdict, RunVerdict::Pass, "{}", run.sentence);
    let notes: Vec<&str> =
        run.preconditions.iter().filter(|one| one.held.is_none()).map(|one| one.observed.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].contains("password of bob has fewer") && notes[1].contains("hold the password of eve"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_fabric_is_found_beyond_the_first_page() {
    let base = site::serve(Manners { fabrics: 120, ..Manners::default() }).await;
    let run = walk(Plan { fabric: Some("fabric-117".to_owned()), ..plan(&base, &["login_logout"]) }).await;
    assert_eq!(run.verdict, RunVerdict::Pass, "{}", run.sentence);
    assert_eq!(run.target.fabric.as_deref(), Some("fabric-117"));
    let run = walk(Plan { fabric: Some("fabric-999".to_owned()), ..plan(&base, &["login_logout"]) }).await;
    assert_eq!(run.verdict, RunVerdict::Invalid, "{}", run.sentence);
    // Nobody reads on who needs nothing there.
    let run = walk(plan(&base, &["login_logout"])).await;
    assert!(!run.steps.iter().any(|step| step.url.contains("page=2")));
}

#[tokio::test]
async fn the_preconditions_are_within_the_runs_time() {
    let base = site::serve(Manners { slow: Duration::from_secs(25), ..some() }).await;
    let began = Instant::now();
    let run = walk(Plan { max_time: Duration::from_secs(2), ..plan(&base, &["login_logout"]) }).await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(run.verdict, RunVerdict::Inconclusive, "{}", run.sentence);
    assert!(run.sentence.contains("2 s were over before its preconditions"), "{}", run.sentence);
}

#[tokio::test]
async fn an_answer_is_read_to_a_limit() {
    let base = site::serve(some()).await;
    let why = HttpUser::new(&base).unwrap().get("/large").await.unwrap_err().to_string();
    assert!(why.contains("/large: the answer is larger than 16 MiB"), "{why}");
}

#[test]
fn what_the_oracles_log_in_with_is_hidden_too() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["me".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let pem = key.serialize_pem();
    let kubeconfig = format!(
        "current-context: a\ncontexts:\n- {{name: a, context: {{cluster: c, user: u}}}}\nclusters:\n\
         - {{name: c, cluster: {{server: 'https://10.0.0.1:6443'}}}}\nusers:\n- name: u\n  user: {{token: 'a-bearer-token', \
         client-certificate-data: {}, client-key-data: {}}}\n",
        encode(&certificate),
        encode(&pem)
    );
    let kubeconfig = Kubeconfig::parse(&kubeconfig, "config", Path::new("/"), None).unwrap();
    let git = GitOracle::remote("https://bob:hunter22@git.example.net/fabric.git", "main", "").unwrap();
    let mut plan = plan("http://127.0.0.1:1/", &[]);
    (plan.cluster, plan.git) = (Some(ClusterOracle::new(kubeconfig).unwrap()), Some(git));
    let redactor = verify::site::redactor(&plan);
    let line = pem.lines().nth(1).unwrap();
    for text in ["curl -H 'Authorization: Bearer a-bearer-token'", line, encode(&pem).as_str(), "login bob hunter22"] {
        let hidden = redactor.text(text);
        assert!(hidden.contains("[redacted]") && !hidden.contains("hunter22"), "{hidden}");
    }
    assert_eq!(redactor.text("-----BEGIN PUBLIC KEY-----"), "-----BEGIN PUBLIC KEY-----");
}
