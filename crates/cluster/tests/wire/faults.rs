//! Servers that hang, stall, cut, refuse and lie: each failure has its kind, in time, and no secret in its words.

use crate::support::{Answer, Server, Shown, access, connect, half, limits, status, text, vpc, vpc_kind};
use cluster::{Cluster, Conflict, Error, ErrorKind, Limits, TlsReason};
use model::Code;
use serde_json::json;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn list(cluster: &Cluster) -> Result<usize, Error> {
    cluster.list(&vpc_kind(), "default", &|_, _| ()).await.map(|l| l.objects.len())
}

/// The failure of a list, after checking what holds for every failure.
async fn failure(cluster: &Cluster) -> Error {
    let error = list(cluster).await.expect_err("the server does not serve");
    assert_eq!(error.operation, "list VPC in default");
    assert!(!format!("{error:?} {error}").contains("s3cr3t"), "{error:?}");
    error
}

fn quick(request: u64) -> Limits {
    Limits { connect: Duration::from_millis(800), request: Duration::from_millis(request), ..limits() }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time() {
    let server = Server::start(|_| pending::<Answer>()).await;
    let cluster = server.cluster_with(quick(700));
    let start = Instant::now();
    let error = failure(&cluster).await;
    assert_eq!((error.kind, error.code(), error.outcome_unknown), (ErrorKind::Timeout, Code::KubernetesTimeout, false));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let error = cluster.create(&vpc_kind(), &vpc("a"), false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.outcome_unknown, "a create that was sent may have been done");
    let error = cluster.create(&vpc_kind(), &vpc("a"), true).await.unwrap_err();
    assert!(!error.outcome_unknown, "a dry run changes nothing");
    assert_eq!(server.requests(), 3, "neither of them is repeated");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((tcp, _)) = listener.accept().await {
            connections.push(tcp);
        }
    });
    let ca = Server::start(|_| pending::<Answer>()).await.ca;
    let start = Instant::now();
    let error = failure(&connect(&url, &ca, Limits { request: Duration::from_secs(30), ..quick(0) })).await;
    assert_eq!((error.kind, error.code()), (ErrorKind::Unreachable, Code::ConnectionFailed), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "the connect limit covers TLS: {:?}", start.elapsed());
    held.abort();
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up_in_time() {
    const HALF: &str = r#"{"kind":"VPCList","items":["#;
    let server = Server::start(|_| async { half(HALF, None) }).await;
    let error = failure(&server.cluster_with(quick(700))).await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.message.contains(&format!("after {} bytes", HALF.len())), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_read_again_but_never_written_again() {
    let cut = || io::Error::from(io::ErrorKind::ConnectionReset);
    let server = Server::start(move |_| async move { half(r#"{"kind":"VPCList","items":["#, Some(cut())) }).await;
    let cluster = server.cluster();
    let error = failure(&cluster).await;
    assert_eq!((error.kind, error.code()), (ErrorKind::ConnectionCut, Code::KubernetesUnavailable), "{error}");
    assert_eq!(server.requests(), 3);
    let error = cluster.create(&vpc_kind(), &vpc("a"), false).await.unwrap_err();
    assert_eq!((error.kind, error.outcome_unknown), (ErrorKind::ConnectionCut, true));
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn a_read_survives_one_cut() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            match first {
                true => half("{", Some(io::Error::from(io::ErrorKind::BrokenPipe))),
                false => crate::support::page(&["a"], "", None),
            }
        }
    })
    .await;
    assert_eq!(list(&server.cluster()).await.unwrap(), 1);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let table = [
        (401, "Unauthorized", "Unauthorized", ErrorKind::Unauthorized),
        (403, "Forbidden", r#"vpcs is forbidden: User "x" cannot list resource "vpcs""#, ErrorKind::Forbidden),
        (403, "Forbidden", r#"admission webhook "v" denied the request: no"#, ErrorKind::Rejected),
        (409, "AlreadyExists", r#"vpcs "a" already exists"#, ErrorKind::Conflict(Conflict::AlreadyExists)),
        (500, "InternalError", r#"failed calling webhook "m": refused"#, ErrorKind::WebhookDown),
        (503, "ServiceUnavailable", "not ready", ErrorKind::Server),
    ];
    for (code, reason, message, kind) in table {
        let server = Server::start(move |_| async move { status(code, reason, message) }).await;
        let error = failure(&server.cluster()).await;
        assert_eq!((error.kind, error.status), (kind, Some(code)), "{error}");
        assert_eq!(server.requests(), 1, "{code} is not repeated");
    }
}

#[tokio::test]
async fn the_servers_own_time_limit_is_no_gateway_before_it() {
    // As kube-apiserver writes it: without kind, and without a content type.
    let body = r#"{"metadata":{},"status":"Failure","message":"Timeout: request did not complete within the allotted timeout","reason":"Timeout","details":{},"code":504}"#;
    let server = Server::start(move |_| async move { text(504, "text/plain; charset=utf-8", body) }).await;
    let error = failure(&server.cluster()).await;
    assert_eq!((error.kind, error.code()), (ErrorKind::Timeout, Code::KubernetesTimeout));
    assert_eq!(error.message, "Timeout: request did not complete within the allotted timeout");
    let server = Server::start(move |_| async move { text(504, "text/html", "<html></html>") }).await;
    assert!(failure(&server.cluster()).await.message.contains("gateway"), "another's word is another's");
}

#[tokio::test]
async fn other_peoples_pages_are_no_kubernetes_api() {
    let login = "<html><head><title>Sign in</title></head></html>";
    let server = Server::start(move |_| async move { text(200, "text/html", login) }).await;
    let error = failure(&server.cluster()).await;
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("Sign in"), "{error}");
    let server = Server::start(|_| async { text(302, "text/html", "") }).await;
    assert_eq!(failure(&server.cluster()).await.kind, ErrorKind::Protocol);
    let server = Server::start(|_| async { text(200, "application/json", "{\"items\": tru") }).await;
    assert_eq!(failure(&server.cluster()).await.kind, ErrorKind::Protocol);
    let server = Server::start(|_| async { crate::support::json(200, &json!({"kind": "Cat"})) }).await;
    assert_eq!(
        failure(&server.cluster()).await.kind,
        ErrorKind::Protocol,
        "success of the wrong kind is no empty list"
    );
}

#[tokio::test]
async fn tls_failures_name_their_reason() {
    let serve = |_| async { crate::support::page(&[], "", None) };
    let good = Server::start(serve).await;
    let expired = Server::showing(Shown { until: 2021, ..Shown::default() }, serve).await;
    let elsewhere = Server::showing(Shown { names: vec!["kubernetes.example"], ..Shown::default() }, serve).await;
    let strict = Server::showing(Shown { wants_client: true, ..Shown::default() }, serve).await;
    let reason = |error: Error| (error.kind, error.code());
    let tls = |reason| (ErrorKind::Tls(reason), Code::ConnectionFailed);

    let error = failure(&connect(&good.url(), &elsewhere.ca, limits())).await;
    assert_eq!(reason(error), tls(TlsReason::UnknownCa), "another CA of the same name");
    let foreign = testkit::tls::Authority::new("somebody else").unwrap();
    let error = failure(&connect(&good.url(), foreign.certificate(), limits())).await;
    assert_eq!(reason(error), tls(TlsReason::UnknownCa));
    let error = failure(&expired.cluster()).await;
    assert!(error.message.contains("2021-01-01"), "{error}");
    assert_eq!(reason(error), tls(TlsReason::Expired));
    let error = failure(&elsewhere.cluster()).await;
    assert_eq!(error.message, "The server's certificate is not for 127.0.0.1, but for kubernetes.example.");
    assert_eq!(reason(error), tls(TlsReason::WrongName));
    assert_eq!(reason(failure(&strict.cluster()).await), tls(TlsReason::ClientCertificate));
    // What `openssl req -x509` makes is trusted when it is given itself, as by kubectl, within its days and for its names.
    let own = |shown| Server::showing(Shown { as_authority: true, ..shown }, serve);
    let itself = own(Shown::default()).await;
    assert_eq!(list(&itself.cluster()).await.unwrap(), 0);
    let another = own(Shown::default()).await;
    let error = failure(&connect(&itself.url(), &another.ca, limits())).await;
    assert_eq!(reason(error), tls(TlsReason::CaAsServer), "one that was not given");
    let error = failure(&own(Shown { until: 2021, ..Shown::default() }).await.cluster()).await;
    assert!(error.message.contains("2021-01-01"), "{error}");
    assert_eq!(reason(error), tls(TlsReason::Expired));
    let error = failure(&own(Shown { names: vec!["kubernetes.example"], ..Shown::default() }).await.cluster()).await;
    assert_eq!(reason(error), tls(TlsReason::WrongName));

    // The control: the same servers without verification, and with the name that the certificate has.
    assert_eq!(list(&good.cluster()).await.unwrap(), 0);
    for server in [&good, &expired, &elsewhere] {
        let cluster = Cluster::connect(&access(&server.url(), &good.ca, false), limits()).unwrap();
        assert_eq!(list(&cluster).await.unwrap(), 0);
    }
    let kubeconfig = testkit::kubeconfig::with_token(&elsewhere.url(), &elsewhere.ca, "t").replace(
        "    certificate-authority-data",
        "    tls-server-name: kubernetes.example\n    certificate-authority-data",
    );
    let credentials = cluster::Credentials::Kubeconfig(kubeconfig.into());
    let by_name = Cluster::connect(&cluster::Access::new(&credentials, true).unwrap(), limits()).unwrap();
    assert_eq!(list(&by_name).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with_a_bad_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let ca = Server::start(|_| pending::<Answer>()).await.ca;
    let error = failure(&connect(&url, &ca, limits())).await;
    assert_eq!(error.kind, ErrorKind::Tls(TlsReason::NotTls), "{error}");
}

#[tokio::test]
async fn nobody_there_and_no_such_name() {
    let ca = Server::start(|_| pending::<Answer>()).await.ca;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = failure(&connect(&format!("https://{closed}"), &ca, limits())).await;
    assert_eq!((error.kind, error.code()), (ErrorKind::Unreachable, Code::ConnectionFailed));
    assert!(error.message.contains("refused"), "{error}");
    let patient = Limits { connect: Duration::from_secs(60), request: Duration::from_secs(60), ..limits() };
    let error = failure(&connect("https://no-such-host.invalid", &ca, patient)).await;
    assert_eq!((error.kind, error.code()), (ErrorKind::Dns, Code::ConnectionFailed), "{error}");
    assert!(error.message.contains("no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn a_pause_is_waited_out_by_everybody() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let mut answer =
                if first { text(429, "text/plain", "later") } else { crate::support::page(&["a"], "", None) };
            if first {
                answer.headers_mut().insert("retry-after", "1".parse().unwrap());
            }
            answer
        }
    })
    .await;
    let cluster = server.cluster();
    let start = Instant::now();
    assert_eq!(list(&cluster).await.unwrap(), 1);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_an_error_at_once() {
    let server = Server::start(|_| async {
        let mut answer = text(429, "text/plain", "later");
        answer.headers_mut().insert("retry-after", "60".parse().unwrap());
        answer
    })
    .await;
    let cluster = server.cluster();
    let start = Instant::now();
    let error = failure(&cluster).await;
    assert_eq!((error.kind, error.status), (ErrorKind::TooMany, Some(429)));
    assert!(error.retry_after.is_some_and(|t| t > Duration::from_secs(50)), "{error:?}");
    assert!(failure(&cluster).await.retry_after.is_some(), "the others are told without asking again");
    assert_eq!(server.requests(), 1);
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn calls_share_one_http2_connection_and_keep_to_the_limit() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let server = Server::start(move |request| {
        assert_eq!(request.version(), http::Version::HTTP_2);
        assert!(request.headers()["authorization"].to_str().unwrap().ends_with("s3cr3t-token"));
        let (now, most) = (now.clone(), seen.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            crate::support::page(&[], "", None)
        }
    })
    .await;
    let cluster = server.cluster_with(Limits { concurrency: 3, ..limits() });
    list(&cluster).await.unwrap();
    futures::future::try_join_all((0..24).map(|_| list(&cluster))).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cluster_that_hangs_does_not_hold_up_another() {
    let hung = Server::start(|_| pending::<Answer>()).await.cluster_with(quick(60_000));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let hung = hung.clone();
            tokio::spawn(async move { list(&hung).await })
        })
        .collect();
    let healthy = Server::start(|_| async { crate::support::page(&["a"], "", None) }).await.cluster();
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(list(&healthy).await.unwrap(), 1);
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(waiting.iter().all(|w| !w.is_finished()), "the control: the others do hang");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_connection_that_died_is_replaced() {
    let server = Server::start(|_| async { crate::support::page(&["a"], "", None) }).await;
    let proxy = testkit::ChaosProxy::start(&format!("127.0.0.1:{}", server.port)).await.unwrap();
    let cluster = connect(&format!("https://{}", proxy.address()), &server.ca, limits());
    assert_eq!(list(&cluster).await.unwrap(), 1);
    proxy.set(testkit::Chaos::Cut);
    let cut = testkit::eventually(Duration::from_secs(20), "the proxy is cut", || async {
        list(&cluster).await.err().ok_or("still answered")
    });
    let error = cut.await.unwrap();
    assert!(matches!(error.kind, ErrorKind::Unreachable | ErrorKind::ConnectionCut), "{error:?}");
    proxy.set(testkit::Chaos::Pass);
    // The proxy listens again a moment later.
    testkit::eventually(Duration::from_secs(20), "the same client reads again", || list(&cluster)).await.unwrap();
}

#[tokio::test]
async fn calls_that_are_given_up_free_their_places() {
    let server = Server::start(|request| async move {
        match request.uri().path().ends_with("/version") {
            true => crate::support::json(200, &json!({"gitVersion": "v1"})),
            false => pending::<Answer>().await,
        }
    })
    .await;
    let cluster = server.cluster_with(Limits { concurrency: 2, ..limits() });
    for _ in 0..5 {
        let given_up =
            tokio::time::timeout(Duration::from_millis(50), futures::future::join(list(&cluster), list(&cluster)));
        assert!(given_up.await.is_err());
    }
    cluster.version().await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_its_connections() {
    let server = Server::start(|_| async { crate::support::page(&["a"], "", None) }).await;
    let proxy = testkit::ChaosProxy::start(&format!("127.0.0.1:{}", server.port)).await.unwrap();
    let cluster = connect(&format!("https://{}", proxy.address()), &server.ca, limits());
    list(&cluster).await.unwrap();
    assert_eq!(proxy.open(), 1);
    drop(cluster);
    let closed = testkit::eventually(Duration::from_secs(20), "the connection is closed", || async {
        if proxy.open() == 0 { Ok(()) } else { Err(format!("{} open", proxy.open())) }
    });
    closed.await.unwrap();
}

/// A proxy that forgets the connections it has: they stay open, and nothing comes through any more. New ones work. It
/// is what a stateful firewall does after a restart.
async fn forgetful_proxy(target: u16) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let forgotten = Arc::new(AtomicUsize::new(0));
    let (known, accepted) = (forgotten.clone(), AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (number, known) = (accepted.fetch_add(1, Ordering::SeqCst), known.clone());
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let (mut there, mut back) = ([0; 4096], [0; 4096]);
                loop {
                    let (from_near, count) = tokio::select! {
                        read = near.read(&mut there) => (true, read.unwrap_or(0)),
                        read = far.read(&mut back) => (false, read.unwrap_or(0)),
                    };
                    while number < known.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_secs(3600)).await;
                    }
                    let sent = match from_near {
                        true => far.write_all(&there[..count]).await,
                        false => near.write_all(&back[..count]).await,
                    };
                    if count == 0 || sent.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (url, forgotten)
}

#[tokio::test]
async fn a_connection_that_went_silent_is_noticed_and_replaced_within_one_call() {
    let server = Server::start(|_| async { crate::support::page(&["a"], "", None) }).await;
    let (url, forgotten) = forgetful_proxy(server.port).await;
    let cluster = connect(&url, &server.ca, Limits { request: Duration::from_secs(6), ..limits() });
    assert_eq!(list(&cluster).await.unwrap(), 1);
    forgotten.store(1, Ordering::SeqCst);
    assert_eq!(list(&cluster).await.unwrap(), 1);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2, "over a second connection");
}

#[tokio::test]
async fn a_server_without_http2_is_spoken_to_all_the_same() {
    let shown = Shown { old_http: true, ..Shown::default() };
    let server = Server::showing(shown, |request| async move {
        assert_eq!(request.version(), http::Version::HTTP_11);
        match request.uri().path().ends_with("/version") {
            true => crate::support::json(200, &json!({"gitVersion": "v1"})),
            false => half("{", Some(io::Error::from(io::ErrorKind::BrokenPipe))),
        }
    })
    .await;
    let cluster = server.cluster();
    assert_eq!(cluster.version().await.unwrap().http, "HTTP/1.1");
    let four = || cluster.version();
    futures::future::try_join_all([four(), four(), four(), four()]).await.unwrap();
    assert_eq!(failure(&cluster).await.kind, ErrorKind::ConnectionCut);
}
