//! A whole console in this process, over its router, with a client that behaves as a browser does: it keeps cookies,
//! sends what browsers send, follows nothing by itself, and takes tokens and addresses from the pages it gets.

use auth::{Clock, Limits, ManualClock, MasterKey, Place, Sealer, Sessions, ThrottleLimits};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use engine::Engine;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::fabrics::NewFabric;
use store::{Cluster, Fabric, FabricSecrets, FabricSpec, NewUser, ObjectPermission, Scope, Store, User};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use web::{AppState, WebSettings};

/// The host that the console is reached by.
pub const HOST: &str = "127.0.0.1:8480";
/// The password of every user here.
pub const PASSWORD: &str = "correct horse battery";

/// A console.
pub struct Console {
    pub store: Store,
    pub state: AppState,
    pub clock: ManualClock,
    pub sealer: Sealer,
    pub folder: tempfile::TempDir,
    router: Router,
}

impl Console {
    /// A console that nobody has used yet.
    pub async fn start() -> Self {
        Self::with(WebSettings::default()).await
    }

    /// A console with these settings.
    pub async fn with(settings: WebSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("hedgerow.db").to_str().unwrap()).await.unwrap();
        let clock = ManualClock::at(Timestamp::now());
        let key = MasterKey::random().unwrap();
        let sealer = Sealer::new(&key);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let sessions = Sessions::new(store.clone(), shared.clone(), Limits::default(), ThrottleLimits::default());
        let opener = sealer.clone();
        let unseal: engine::Unseal = Arc::new(move |id, column, sealed| {
            opener.open(Place::fabric(column, id), sealed).map_err(|e| e.to_string())
        });
        let engine_settings = engine::Settings::new(folder.path().to_path_buf());
        let engine = Engine::start(store.clone(), unseal, engine_settings, Arc::new(Timestamp::now)).await.unwrap();
        let state = AppState::new(store.clone(), sessions, &key, engine, settings, shared, CancellationToken::new());
        Self { router: web::router(state.clone()), store, state, clock, sealer, folder }
    }

    /// A user who may do everything.
    pub async fn admin(&self) -> User {
        self.user("alice", true).await
    }

    /// A user.
    pub async fn user(&self, name: &str, is_superuser: bool) -> User {
        let hash = auth::Passwords::default().hash(SecretString::from(PASSWORD)).await.unwrap();
        let new = NewUser { username: name.into(), password_hash: hash, is_superuser, is_active: true };
        self.store.users().create(new, self.clock.now()).await.unwrap()
    }

    /// Gives a user a permission on fabrics.
    pub async fn permit(&self, user: &User, actions: &[&str], constraints: Option<Value>) {
        let permission = ObjectPermission {
            id: 0,
            name: format!("{} {actions:?} {constraints:?}", user.username),
            enabled: true,
            object_types: vec!["hedgerow.fabric".into()],
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            constraints,
        };
        let id = self.store.permissions().create(&permission).await.unwrap();
        self.store.permissions().give_to_user(id, user.id).await.unwrap();
    }

    /// A permission on objects of a type, given to nobody yet.
    pub async fn permission(&self, name: &str, object_type: &str, actions: &[&str], constraints: Option<Value>) -> i64 {
        let permission = ObjectPermission {
            id: 0,
            name: name.into(),
            enabled: true,
            object_types: vec![object_type.into()],
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            constraints,
        };
        self.store.permissions().create(&permission).await.unwrap()
    }

    /// Gives a user a permission on objects of a type.
    pub async fn permit_on(&self, user: &User, object_type: &str, actions: &[&str], constraints: Option<Value>) -> i64 {
        let name = format!("{} {object_type} {actions:?} {constraints:?}", user.username);
        let id = self.permission(&name, object_type, actions, constraints).await;
        self.store.permissions().give_to_user(id, user.id).await.unwrap();
        id
    }

    /// A fabric without a cluster.
    pub async fn fabric(&self, name: &str) -> Fabric {
        self.fabric_of(FabricSpec { name: name.into(), ..FabricSpec::default() }, None).await
    }

    /// A fabric of a cluster.
    pub async fn fabric_on(&self, name: &str, kubeconfig: &str) -> Fabric {
        let spec = FabricSpec { name: name.into(), cluster: Cluster::Kubeconfig, ..FabricSpec::default() };
        self.fabric_of(spec, Some(kubeconfig)).await
    }

    async fn fabric_of(&self, spec: FabricSpec, kubeconfig: Option<&str>) -> Fabric {
        let id = self.store.fabrics().reserve_id().await.unwrap();
        let seal = |text: &str| self.sealer.seal(Place::fabric("kubeconfig", id), &SecretString::from(text)).unwrap();
        let secrets = FabricSecrets { kubeconfig: kubeconfig.map(seal), ..FabricSecrets::default() };
        let fabric = NewFabric { id, spec, secrets };
        self.store.fabrics().create(&Scope::System, fabric, self.clock.now()).await.unwrap()
    }

    /// Puts manifests into a fabric's local repository.
    pub async fn commit(&self, fabric: &Fabric, path: &str, content: &str) {
        let folder = engine::source_dir(self.folder.path(), fabric.id);
        let config = source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false };
        let repository = source::Repository::open(&folder, config).await.unwrap();
        let author = source::Author { name: "t".into(), email: "t@example.com".into() };
        let change = source::Change { path: path.into(), content: Some(content.into()) };
        repository.commit(&[change], &author, "Change", None).await.unwrap();
    }

    /// A browser that has not been here.
    pub fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: BTreeMap::new(), secure: false }
    }

    /// A browser in which the user has logged in by the form.
    pub async fn logged_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.log_in(name, PASSWORD, "/").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let session = browser.script("/session/").await;
        assert_eq!(session.json()["user"]["username"], name, "logging in is the precondition");
        browser
    }
}

/// A client that behaves as a browser does.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    pub cookies: BTreeMap<String, String>,
    pub secure: bool,
}

/// A stream of events that is open.
pub struct Stream {
    body: Body,
}

impl Stream {
    /// The next event's text, comments aside; empty at the stream's end. `None` when none came in time.
    pub async fn event(&mut self, within: Duration) -> Option<String> {
        let next = async {
            loop {
                let Some(frame) = self.body.frame().await else { return String::new() };
                let bytes = frame.unwrap().into_data().unwrap_or_default();
                if !bytes.starts_with(b":") {
                    return String::from_utf8_lossy(&bytes).into_owned();
                }
            }
        };
        tokio::time::timeout(within, next).await.ok()
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.body))
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of the first hidden field of this name in the page.
    pub fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&marker).nth(1).unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }

    /// The page's text without its markup.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut inside = false;
        for c in self.body.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    text.push(' ');
                }
                c if !inside => text.push(c),
                _ => {}
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

const NAVIGATION: &[(&str, &str)] = &[
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-site", "same-origin"),
];
const SCRIPT: &[(&str, &str)] = &[
    ("accept", "application/json, application/problem+json"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-site", "same-origin"),
];

impl Browser {
    /// Sends a request with exactly these headers, the cookies and the host.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let (parts, body) = self.exchange(method, path, headers, body).await;
        let streams = parts.headers.get(header::CONTENT_TYPE).is_some_and(|media| media == "text/event-stream");
        let bytes = if streams { Default::default() } else { body.collect().await.unwrap().to_bytes() };
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Opens a stream of events.
    pub async fn stream(&mut self, path: &str) -> Stream {
        let (parts, body) = self.exchange("GET", path, &[("accept", "text/event-stream")], None).await;
        assert_eq!(parts.status, StatusCode::OK, "{path}");
        Stream { body }
    }

    async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> (http::response::Parts, Body) {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let mut request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            // A browser keeps nothing that is marked as secure on a plain address.
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else if self.secure || !cookie.contains("; Secure") {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        (parts, body)
    }

    /// Opens a page.
    pub async fn open(&mut self, path: &str) -> Answer {
        self.send("GET", path, NAVIGATION, None).await
    }

    /// Asks as a script of a page.
    pub async fn script(&mut self, path: &str) -> Answer {
        self.send("GET", path, SCRIPT, None).await
    }

    /// Data, asked for as a page does by itself, which is no activity.
    pub async fn script_in_background(&mut self, path: &str) -> Value {
        let headers = [SCRIPT, &[("x-hedgerow-background", "1")]].concat();
        self.send("GET", path, &headers, None).await.json()
    }

    /// Sends a form.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("http://{HOST}");
        let mut headers = NAVIGATION.to_vec();
        headers.extend([("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())]);
        self.send("POST", path, &headers, Some(encode(fields))).await
    }

    /// Sends a form by script, with the token in the header, as the pages' scripts do.
    pub async fn call(&mut self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("http://{HOST}");
        let mut headers = SCRIPT.to_vec();
        headers.extend([
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
            ("x-csrftoken", token),
            ("x-requested-with", "XMLHttpRequest"),
        ]);
        self.send("POST", path, &headers, Some(encode(fields))).await
    }

    /// Logs in by the form: opens it, takes its token, sends it.
    pub async fn log_in(&mut self, name: &str, password: &str, next: &str) -> Answer {
        let page = self.open(&format!("/login/?next={next}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let (token, next) = (page.field("csrfmiddlewaretoken"), page.field("next"));
        let fields =
            [("csrfmiddlewaretoken", token.as_str()), ("next", &next), ("username", name), ("password", password)];
        self.submit("/login/", &fields).await
    }

    /// A token of this browser's session, from a page.
    pub async fn token(&mut self) -> String {
        let page = self.open("/fabrics/").await;
        assert_eq!(page.status, StatusCode::OK);
        page.field("csrfmiddlewaretoken")
    }
}

pub fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
