//! What strangers do to a port, over bare sockets: too slow, too large, ambiguous, broken. Each is cut or answered, and
//! no answer tells more than that.

use crate::running::Running;
use crate::serving::serve;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A server, and where it listens.
fn started(home: &std::path::Path) -> (Running, String) {
    let mut server = serve(home, &["--json"]);
    let ready = server.json();
    let url = ready["url"].as_str().unwrap();
    (server, url.trim_start_matches("http://").trim_end_matches('/').to_owned())
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

/// Everything that comes until the server closes, or until `patience` is over; and whether it closed.
fn read(stream: &mut TcpStream, patience: Duration) -> (String, bool) {
    let (began, mut all, mut buffer) = (Instant::now(), Vec::new(), [0; 16 << 10]);
    let closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break true,
        }
        if began.elapsed() > patience {
            break false;
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), closed)
}

/// One request on a connection of its own, and what is answered.
fn ask(address: &str, request: &[u8]) -> String {
    let mut stream = connect(address);
    // Whoever is refused early may find the door shut while it still talks.
    let _ = stream.write_all(request);
    read(&mut stream, Duration::from_secs(20)).0
}

/// A form without a session, as a script sends it.
fn post(path: &str, media: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nConnection: close\r\nContent-Type: {media}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

const FORM: &str = "application/x-www-form-urlencoded";

#[track_caller]
fn assert_problem(answer: &str, status: u16, home: &std::path::Path) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    for header in ["content-security-policy: ", "x-request-id: ", "cache-control: no-store"] {
        assert!(head.contains(header), "{header} is missing: {head}");
    }
    for told in [home.to_str().unwrap(), "/src/", ".rs", "panicked", "hyper", "axum"] {
        assert!(!body.contains(told), "it tells {told}: {body}");
    }
}

#[test]
fn what_is_too_large_or_ambiguous_or_broken_is_refused_and_no_more_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (mut server, address) = started(home.path());
    let large = "x".repeat((1 << 20) + 10);
    assert_problem(&ask(&address, &post("/login/", FORM, &large)), 413, home.path());
    assert_problem(&ask(&address, &post("/login/", FORM, &"a&".repeat(40_000))), 413, home.path());
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(40_000));
    assert_problem(&ask(&address, &post("/login/", "application/json", &many)), 413, home.path());
    let deep = "[".repeat(100_000);
    assert_problem(&ask(&address, &post("/login/", "application/json", &deep)), 400, home.path());
    assert_problem(&ask(&address, &post("/login/", "text/xml", "<a/>")), 415, home.path());

    let get = |line: &str, more: &str| {
        let text = format!("GET {line} HTTP/1.1\r\n{more}Accept: application/json\r\nConnection: close\r\n\r\n");
        ask(&address, text.as_bytes())
    };
    assert_problem(&ask(&address, &post("/login/", FORM, "username=a%00b")), 400, home.path());
    assert_problem(&get("/fabrics/?name=a%00b", "Host: h\r\n"), 400, home.path());
    assert_problem(&get("/fabrics/", "Host: a\r\nHost: b\r\n"), 400, home.path());
    for path in ["/%", "/%zz/", "/%ff/", "/../etc/passwd", "/static/x/%2e%2e%2fsecret.key"] {
        assert_problem(&get(path, "Host: h\r\n"), 404, home.path());
    }
    assert_problem(&get("/docs/codes/%ff/", "Host: h\r\n"), 400, home.path());
    // These are refused before there is a request that a page could answer: a status and nothing else.
    let headers: String = (0..1000).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(100_000));
    for (more, status) in [
        (headers.as_str(), 431),
        (long.as_str(), 431),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Content-Length: -1\r\n", 400),
        ("X Y: 1\r\n", 400),
    ] {
        let answer = get("/login/", &format!("Host: h\r\n{more}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?} to {more:.60}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head} to {more:.60}");
        assert_eq!(body, "", "to {more:.60}");
    }
    // A request of two lengths, refused before its body was read, ends the connection and says so: what stands behind it
    // is never taken for another request, whichever length a proxy in front believes.
    let both = "POST /login/ HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nContent-Length: 300\r\n\
                Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answers = ask(&address, both.as_bytes());
    assert!(answers.starts_with("HTTP/1.1 403 "), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    assert!(answers.to_lowercase().contains("\r\nconnection: close\r\n"), "{answers}");
    server.stop("-TERM");
}

/// Sends a byte a second until the server has enough of it; gives its answer and how long that took.
fn drip(address: &str, head: &str) -> (String, Duration) {
    let (mut stream, began) = (connect(address), Instant::now());
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    while began.elapsed() < Duration::from_secs(90) {
        let (more, closed) = read(&mut stream, Duration::from_secs(1));
        answer.push_str(&more);
        if closed || stream.write_all(b"a").is_err() {
            break;
        }
    }
    (answer, began.elapsed())
}

/// Asks for ever more and reads nothing, until the server has enough of it; gives how long that took.
fn gorge(address: &str) -> Duration {
    let (mut stream, request) = (connect(address), "GET /static/x/pages.css HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500));
    let until = Instant::now() + Duration::from_secs(30);
    while stream.write_all(request.as_bytes()).is_ok() {
        assert!(Instant::now() < until, "it is never full");
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) && stream.take_error().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(500));
    }
    began.elapsed()
}

#[test]
fn who_is_too_slow_is_cut() {
    let home = tempfile::tempdir().unwrap();
    let (mut server, address) = started(home.path());
    let address = address.as_str();
    let within = |what: &str, took: Duration, from: u64, to: u64| {
        let range = Duration::from_secs(from)..Duration::from_secs(to);
        assert!(range.contains(&took), "{what} was cut after {took:?}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| within("a head that never ends", drip(address, "GET / HTTP/1.1\r\nHost: h\r\nX: ").1, 13, 30));
        scope.spawn(|| {
            let (mut silent, began) = (connect(address), Instant::now());
            assert!(read(&mut silent, Duration::from_secs(60)).1);
            within("who says nothing", began.elapsed(), 13, 30);
        });
        scope.spawn(|| {
            let (mut idle, began) = (connect(address), Instant::now());
            idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let (answer, closed) = read(&mut idle, Duration::from_secs(60));
            assert!(answer.starts_with("HTTP/1.1 200") && closed, "{answer}");
            within("who has nothing more to say", began.elapsed(), 13, 30);
        });
        scope.spawn(|| {
            let head = "POST /login/ HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nContent-Length: 5000\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\n\r\n";
            let (answer, took) = drip(address, head);
            assert_problem(&answer, 408, home.path());
            within("a form that never ends", took, 28, 50);
        });
        scope.spawn(|| within("who takes nothing", gorge(address), 15, 90));
        // Beside all of them others are served.
        scope.spawn(|| {
            let began = Instant::now();
            let answer = ask(address, b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            within("an honest one", began.elapsed(), 0, 10);
        });
    });
    server.stop("-TERM");
}
