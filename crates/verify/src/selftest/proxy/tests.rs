//! The proxy before a small server that says what it was asked.

use super::*;
use std::time::Duration;

/// A console that answers with the request's line, host, cookie and body; `/set` sets a cookie as a login does.
async fn console() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(
                TokioIo::new(stream),
                hyper::service::service_fn(|request: Request<Incoming>| async move {
                    let header = |name: &str| {
                        request.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
                    };
                    let (host, cookie, line) =
                        (header("host"), header("cookie"), format!("{} {}", request.method(), request.uri()));
                    let login = request.uri().path() == "/login/";
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let said = format!("{line}|{host}|{cookie}|{}", String::from_utf8_lossy(&body));
                    let mut answer = Response::builder();
                    if login {
                        answer = answer
                            .status(303)
                            .header("location", "/")
                            .header("set-cookie", "hedgerow_session=of-reader; Path=/; HttpOnly");
                    }
                    Ok::<_, io::Error>(answer.body(Full::new(Bytes::from(said))).unwrap())
                }),
            ));
        }
    });
    format!("http://{address}")
}

async fn proxy(rules: Vec<Rule>) -> (Proxy, reqwest::Client) {
    let console = console().await;
    let proxy = Proxy::start(&console, Inside::new(&console, Vec::new())).await.unwrap();
    proxy.set(rules);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().tls_certs_only([]);
    (proxy, client.build().unwrap())
}

async fn get(proxy: &Proxy, client: &reqwest::Client, path: &str) -> (u16, String) {
    let answer = client.get(format!("{}{path}", proxy.url())).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn without_rules_everything_passes_as_it_is() {
    let (proxy, client) = proxy(Vec::new()).await;
    let (status, said) = get(&proxy, &client, "a?b=c").await;
    assert_eq!((status, said), (200, format!("GET /a?b=c|{}||", proxy.url().authority())), "the host is the driver's");
}

#[tokio::test]
async fn requests_and_answers_are_altered_and_counted() {
    let rules = vec![
        Rule::on("GET", "^/page$").text("GET", "GOT"),
        Rule::on("GET", "^/other$").change(|asked| asked.address = "/elsewhere".into()),
        Rule::on("GET", "^/nth$").only(2).answer(|_| Answered::page(418, "second")),
        Rule::on("GET", "^/page$").text("no such words", "x"),
    ];
    let (proxy, client) = proxy(rules).await;
    assert!(get(&proxy, &client, "page").await.1.starts_with("GOT /page"));
    assert!(get(&proxy, &client, "other").await.1.starts_with("GET /elsewhere"));
    let nth = [get(&proxy, &client, "nth").await.0, get(&proxy, &client, "nth").await.0];
    assert_eq!(nth, [200, 418]);
    let counted: Vec<u64> = proxy.set(Vec::new()).iter().map(Rule::touched).collect();
    assert_eq!(counted, [1, 1, 1, 0], "a rule that found nothing to alter did nothing");
}

#[tokio::test]
async fn it_knows_who_asks_by_the_login_that_it_saw() {
    let rules = vec![Rule::on("GET", "^/page$").by("reader").answer(|_| Answered::page(200, "for the reader"))];
    let (proxy, client) = proxy(rules).await;
    let login = client.post(format!("{}login/", proxy.url())).form(&[("username", "reader")]).send().await.unwrap();
    assert_eq!(login.status(), 303);
    assert!(get(&proxy, &client, "page").await.1.starts_with("GET /page"), "somebody else");
    let page = client.get(format!("{}page", proxy.url())).header("cookie", "hedgerow_session=of-reader");
    assert_eq!(page.send().await.unwrap().text().await.unwrap(), "for the reader");
}

#[tokio::test]
async fn connections_are_cut_and_answers_never_come() {
    let (proxy, client) = proxy(vec![Rule::on("GET", "^/cut$").cut(), Rule::on("GET", "^/hang$").hang()]).await;
    let cut = client.get(format!("{}cut", proxy.url())).send().await.unwrap_err();
    assert!(!cut.is_timeout(), "{cut}");
    let late = client.get(format!("{}hang", proxy.url())).timeout(Duration::from_millis(200)).send().await;
    assert!(late.unwrap_err().is_timeout());
}
