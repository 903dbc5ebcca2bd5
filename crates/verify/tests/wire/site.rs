//! A small site with fabrics behind a login, which can be reached and be wrong in the ways that these tests are about.

use axum::Router;
use axum::body::Body;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::tls::Identity;

pub const PASSWORD: &str = "R&D <x>'s \"word\"";
const SESSION: &str = "0123456789abcdef0123456789abcdef";
/// `<title>Small</title>`, as gzip writes it.
const SMALL: [u8; 35] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 179, 41, 201, 44, 201, 73, 181, 11, 206, 77, 204, 201, 177, 209, 135, 112, 0,
    11, 71, 138, 65, 20, 0, 0, 0,
];
const LIST: &str = "/plugins/hedgehog/fabrics/";

/// How the site is.
#[derive(Clone, Default)]
pub struct Manners {
    /// How many fabrics it has, of which a page shows fifty.
    pub fabrics: usize,
    /// Whether its list shows the session's cookie.
    pub shows_session: bool,
    /// What its fabrics' pages show besides.
    pub shows: String,
    /// How long its login page takes.
    pub slow: Duration,
    /// Where its list redirects to, if it does.
    pub elsewhere: Option<String>,
    /// Whether its cookie goes over plain HTTP as well.
    pub forgets_secure: bool,
    /// Where its login page redirects to, if it does.
    pub leads: Option<String>,
    /// Where the form of its login page sends to, if not to where the page is.
    pub form: Option<String>,
    /// Whether it is served with TLS.
    pub tls: bool,
}

#[derive(Clone)]
struct Site {
    manners: Manners,
    open: Arc<Mutex<bool>>,
}

fn known(site: &Site, headers: &HeaderMap) -> bool {
    let cookies = headers.get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    *site.open.lock().unwrap() && cookies.contains(&format!("sessionid={SESSION}"))
}

fn page(title: &str, user: bool, body: &str) -> Html<String> {
    let person = if user { "<span>O'Brien</span> <a href=\"/logout/\">Log Out</a>" } else { "" };
    Html(format!("<!doctype html><title>{title} | NetBox</title>{person}<main><h1>{title}</h1>{body}</main>"))
}

async fn login_page(State(site): State<Site>) -> Response {
    if let Some(leads) = &site.manners.leads {
        return Redirect::to(leads).into_response();
    }
    tokio::time::sleep(site.manners.slow).await;
    let action = site.manners.form.map(|form| format!(" action=\"{form}\"")).unwrap_or_default();
    page(
        "Log In",
        false,
        &format!(
            "<form method=post{action}><label>Username <input name=username></label>\
             <label>Password <input type=password name=password></label><button>Sign In</button></form>"
        ),
    )
    .into_response()
}

async fn login(
    State(site): State<Site>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = format!("{}://{host}", if site.manners.tls { "https" } else { "http" });
    // With HTTP/2 the host is no header.
    let foreign =
        headers.get(header::ORIGIN).is_some_and(|origin| !host.is_empty() && origin.as_bytes() != ours.as_bytes());
    if foreign {
        return StatusCode::FORBIDDEN.into_response();
    }
    if form.get("password").is_none_or(|password| password != PASSWORD) {
        return page("Log In", false, "Please enter a correct username and password").into_response();
    }
    *site.open.lock().unwrap() = true;
    let secure = if site.manners.tls && !site.manners.forgets_secure { "; Secure" } else { "" };
    let cookie = format!("sessionid={SESSION}; Path=/; HttpOnly; SameSite=Lax{secure}");
    let next = query.get("next").filter(|next| next.starts_with('/')).map_or(LIST, String::as_str).to_owned();
    ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
}

async fn list(State(site): State<Site>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    if !known(&site, &headers) {
        return Redirect::to("/login/").into_response();
    }
    if let Some(elsewhere) = &site.manners.elsewhere {
        return Redirect::to(elsewhere).into_response();
    }
    let number: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let rows: String = (1..=site.manners.fabrics)
        .skip((number - 1) * 50)
        .take(50)
        .map(|id| {
            format!(
                "<tr><td><a href=\"{LIST}{id}/\">fabric-{id}</a></td><td><span class=badge>In Sync</span></td></tr>"
            )
        })
        .collect();
    let next = if number * 50 < site.manners.fabrics {
        format!("<a href=\"?page={}\" aria-label=\"Next page\"><i></i></a>", number + 1)
    } else {
        String::new()
    };
    let shown = if site.manners.shows_session { SESSION } else { "" };
    page("Fabrics", true, &format!("<table><tbody>{rows}</tbody></table>{next} {shown}")).into_response()
}

async fn fabric(State(site): State<Site>, Path(id): Path<usize>, headers: HeaderMap) -> Response {
    if !known(&site, &headers) {
        return Redirect::to("/login/").into_response();
    }
    let shown = &site.manners.shows;
    page(&format!("fabric-{id}"), true, &format!("<span class=badge>In Sync</span> A fabric. {shown}")).into_response()
}

async fn logout(State(site): State<Site>) -> Response {
    *site.open.lock().unwrap() = false;
    ([(header::SET_COOKIE, "sessionid=; Path=/; Max-Age=0")], Redirect::to("/login/")).into_response()
}

fn router(manners: Manners) -> Router {
    let large = async || Body::from(vec![b'x'; 17 << 20]);
    let small = async |headers: HeaderMap| {
        let taken = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let coding = if taken.contains("gzip") { "gzip" } else { "none that is taken" };
        ([(header::CONTENT_ENCODING, coding)], SMALL)
    };
    Router::new()
        .route("/login/", get(login_page).post(login))
        .route("/logout/", get(logout))
        .route(LIST, get(list))
        .route("/plugins/hedgehog/fabrics/{id}/", get(fabric))
        .route("/large", get(large))
        .route("/small", get(small))
        .with_state(Site { manners, open: Arc::default() })
}

/// Serves it; its address.
pub async fn serve(manners: Manners) -> String {
    serve_any(router(manners)).await
}

/// Serves it with TLS; its port.
pub async fn serve_tls(manners: Manners, identity: &Identity) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificate, key) = (identity.certificate.clone(), identity.key.clone());
    let tls = axum_server::tls_rustls::RustlsConfig::from_pem(certificate.into(), key.into()).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
    tokio::spawn(server.serve(router(Manners { tls: true, ..manners }).into_make_service()));
    port
}

/// Serves nothing but redirects to another base; its address.
pub async fn leading_to(base: String) -> String {
    let lead = async move |uri: Uri| {
        let to = format!("{base}{}", uri.path_and_query().map_or("/", |path| path.as_str()));
        (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)])
    };
    serve_any(Router::new().fallback(lead)).await
}

/// A site of somebody else, which sets a cookie of the same name and writes down what it is sent; its port.
pub async fn elsewhere() -> (u16, Arc<Mutex<Vec<HeaderMap>>>) {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let kept = seen.clone();
    let answer = async move |headers: HeaderMap| {
        kept.lock().unwrap().push(headers);
        (
            [(header::SET_COOKIE, "sessionid=theirs; Path=/"), (header::CONTENT_TYPE, "text/html")],
            "<title>Elsewhere</title>",
        )
    };
    let address = serve_any(Router::new().fallback(answer)).await;
    (address.rsplit(':').next().unwrap().parse().unwrap(), seen)
}

async fn serve_any(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
