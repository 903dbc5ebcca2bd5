//! A small site with what a driver has to cope with: a login over redirects, answers in place, what is covered, hidden,
//! dead or late.

use axum::Router;
use axum::extract::{Form, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Presses that reached the server.
pub static PRESSES: AtomicU32 = AtomicU32::new(0);

const LOGIN: &str = r#"<!doctype html><title>Login</title><h1>Login</h1>
<form method=post action=/login><label for=u>User name</label><input id=u name=username>
<label>Password <input type=password name=password></label><button>Log in</button></form>"#;

const PARTS: &str = r#"<!doctype html><title>Parts</title><style>.gone { display: none } .away { visibility: hidden }
#veil { position: absolute; left: 0; top: 0; width: 300px; height: 60px; background: #ccc }
#under { position: absolute; left: 20px; top: 20px }</style>
<body><button id=under>Covered</button><div id=veil class=curtain>A veil</div><div style="height: 80px"></div>
<button class=gone>Hidden</button><button class=away>Invisible</button><div class=gone><a href=/x>Deep</a></div>
<div style="display: contents"><button onclick="late()">Answer late</button></div>
<button>Dead <span hidden>or alive</span></button><button disabled>Disabled</button><button onclick="this.remove()">Vanish</button>
<button onclick="document.getElementById('ask').showModal()">Open dialog</button>
<dialog id=ask><p>Sure?</p><button onclick="this.closest('dialog').close()">Close dialog</button></dialog>
<button onclick="count()">Count</button><p id=out>untouched</p>
<button onclick="if (confirm('Really?')) document.getElementById('out').textContent = 'confirmed'">Confirm</button>
<form action=/chosen><label>Colour <select name=colour><option value=r>Red</option><option value=g>Green</option></select></label>
<label>Sizes <select name=size multiple><option>S<option>M<option>L</select></label>
<label><input type=checkbox name=ok> Accept</label><label>Day <input type=date name=day></label>
<label><input type=radio name=way value=up> Up</label><label><input type=radio name=way value=down checked> Down</label>
<label>Text <textarea name=text>old</textarea></label><button>Choose</button></form>
<button onclick="broken.call()">Break</button><button onclick="fetch('/nothing-here')">Ask in vain</button>
<div style="height: 3000px"></div><button onclick="count()">Far below</button>
<script>
const out = document.getElementById("out");
async function late() {
  document.body.setAttribute("aria-busy", "true");
  out.textContent = (await (await fetch("/late", { method: "POST", body: "n=1" })).text());
  document.body.removeAttribute("aria-busy");
}
async function count() { out.textContent = "counted " + await (await fetch("/press", { method: "POST" })).text(); }
</script>"#;

const HARD: &str = r#"<!doctype html><title>Hard</title><h1>Hard</h1>
<form method=post action=/refused><button>Be refused</button></form>
<a href=/data target=_blank>Elsewhere</a> <a href=/file>Download</a> <a href=/empty>Empty</a>
<button onclick="fetch('/never')">Wait in vain</button>
<button onclick="setTimeout(() => out.textContent = 'by itself', 700)">Later</button>
<button onclick="document.body.innerHTML = document.body.innerHTML">Render again</button>
<iframe src=/login></iframe><p id=out></p>
<script>const out = document.getElementById("out"); new EventSource("/stream").onmessage = () => {};</script>"#;

fn cookies() -> AppendHeaders<[(header::HeaderName, &'static str); 2]> {
    AppendHeaders([
        (header::SET_COOKIE, "test_session=0123456789abcdef0123; Path=/; HttpOnly; SameSite=Lax"),
        (header::SET_COOKIE, "plain=visible-value; Max-Age=3600"),
    ])
}

async fn login(Form(fields): Form<HashMap<String, String>>) -> impl IntoResponse {
    if fields.get("password").is_some_and(|password| password == "open sesame") {
        return (cookies(), Redirect::to("/hop")).into_response();
    }
    (StatusCode::FORBIDDEN, Html("<!doctype html><p role=alert>Wrong")).into_response()
}

async fn echo(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    let told = ["origin", "cookie", "sec-fetch-site", "x-mine", "content-type", "user-agent"]
        .map(|name| format!("{name}={}", text(name)));
    Html(format!("<!doctype html><p>{} {} [{}]</p>", parts.method, told.join(" "), String::from_utf8_lossy(&body)))
}

async fn home(headers: HeaderMap) -> Html<String> {
    let user = if headers.get("cookie").is_some() { "ada" } else { "nobody" };
    Html(format!(
        "<!doctype html><title>Home</title><h1>Home</h1><p id=user>{user}</p><script>console.error('a line of the page')</script>"
    ))
}

async fn stream() -> impl IntoResponse {
    let first = futures::stream::once(async { Ok::<_, std::io::Error>("data: one\n\n") });
    let body = axum::body::Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending()));
    ([(header::CONTENT_TYPE, "text/event-stream")], body)
}

/// The routes.
pub fn router() -> Router {
    let csp = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
    Router::new()
        .route("/", get(home))
        .route("/login", get(async || Html(LOGIN)).post(login))
        .route("/hop", get(async || Redirect::to("/")))
        .route("/parts", get(async || Html(PARTS)))
        .route("/chosen", get(async |request: Request| request.uri().query().unwrap_or_default().to_owned()))
        .route("/press", post(async || PRESSES.fetch_add(1, Ordering::Relaxed).to_string()))
        .route("/late", post(async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "late answer"
        }))
        .route("/strict", get(async move || (csp, Html("<!doctype html><title>Strict</title><img src=/a.png><script>document.title = 'ran'</script><button>Still here</button>"))))
        .route("/data", get(async || axum::Json(serde_json::json!({"state": "ok"}))))
        .route("/echo", get(echo).post(echo))
        .route("/hard", get(async || Html(HARD)))
        .route("/refused", post(async || StatusCode::FORBIDDEN))
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/file", get(async || ([(header::CONTENT_DISPOSITION, "attachment; filename=a.csv")], "a,b")))
        .route("/never", get(async || std::future::pending::<()>().await))
        .route("/stream", get(stream))
        .route("/moved", get(async || Redirect::to("/data")))
}

/// Serves the site over TLS; its address.
pub async fn serve_tls(identity: &testkit::tls::Identity) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificate, key) = (identity.certificate.clone(), identity.key.clone());
    let tls = axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into()).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
    tokio::spawn(server.serve(router().into_make_service()));
    address
}

/// Serves the site; its address.
pub async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router()).await });
    address
}
