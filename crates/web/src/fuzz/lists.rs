//! The filters of lists, and the constraints of permissions: what is taken means the same the second time, and the
//! database can be asked it.

use super::{check, text};
use crate::layers::cookies;
use crate::layers::origin;
use crate::pages::objects;
use crate::pages::operations::filter::Wanted;
use crate::state::{AppState, WebSettings};
use crate::view::{Query, View};
use crate::{guard, url};
use auth::{Clock, Limits, ManualClock, MasterKey, ObjectType, SessionToken, Sessions, ThrottleLimits};
use engine::Engine;
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use secrecy::SecretString;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use store::activity::Seen;
use store::fabrics::{FabricFilter, NewFabric};
use store::{FabricSecrets, FabricSpec, NewUser, Page, Scope, Store};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// A console with one user, who may do everything, and one fabric.
struct Bed {
    runtime: Runtime,
    state: AppState,
    headers: HeaderMap,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn make() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (state, token) = runtime.block_on(async {
            let store = Store::open(folder.path().join("hedgerow.db").to_str().unwrap()).await.unwrap();
            let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::now()));
            let sessions = Sessions::new(store.clone(), clock.clone(), Limits::default(), ThrottleLimits::default());
            let settings = engine::Settings::new(folder.path().to_path_buf());
            let unseal: engine::Unseal = Arc::new(|_, _, _| Err("nothing is sealed here".to_owned()));
            let engine = Engine::start(store.clone(), unseal, settings, Arc::new(Timestamp::now)).await.unwrap();
            let id = store.fabrics().reserve_id().await.unwrap();
            let spec = FabricSpec { name: "lab".into(), ..FabricSpec::default() };
            let fabric = NewFabric { id, spec, secrets: FabricSecrets::default() };
            store.fabrics().create(&Scope::System, fabric, clock.now()).await.unwrap();
            let password = || SecretString::from("correct horse battery");
            let password_hash = auth::Passwords::default().hash(password()).await.unwrap();
            let user = NewUser { username: "alice".into(), password_hash, is_superuser: true, is_active: true };
            store.users().create(user, clock.now()).await.unwrap();
            let let_in = sessions.login("alice", password(), "127.0.0.1", "", None).await.unwrap();
            let key = MasterKey::random().unwrap();
            let settings = WebSettings::default();
            let state = AppState::new(store, sessions, &key, engine, settings, clock, CancellationToken::new());
            (state, let_in.token)
        });
        let headers = cookie_of(&state, &token);
        Self { runtime, state, headers, _folder: folder }
    }

    /// Who looks, at this address.
    fn view(&self, address: &str) -> View {
        let login = self.runtime.block_on(guard::session(&self.state, &self.headers, false));
        View {
            state: self.state.clone(),
            login: login.unwrap_or_else(|problem| panic!("{}", problem.message)),
            headers: self.headers.clone(),
            uri: address.parse().unwrap(),
            request_id: String::new(),
            from: origin::From::Here,
            now: self.state.now(),
        }
    }
}

fn cookie_of(state: &AppState, token: &SessionToken) -> HeaderMap {
    let set = cookies::set_session(&state.settings, token.reveal()).unwrap();
    let pair = set.to_str().unwrap().split(';').next().unwrap();
    HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).unwrap())])
}

/// A query with what a text says, so that it can stand in an address.
fn query(text: &str) -> String {
    let pairs = ::url::form_urlencoded::parse(text.as_bytes());
    ::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A query of parts that are taken, each by itself: words at random hardly ever make one.
fn said(bytes: &[u8], parts: &[(&str, &[&str])]) -> String {
    let mut query = ::url::form_urlencoded::Serializer::new(String::new());
    for two in bytes.chunks_exact(2).take(4) {
        let (name, words) = parts[usize::from(two[0]) % parts.len()];
        query.append_pair(name, words[usize::from(two[1]) % words.len()]);
    }
    query.finish()
}

#[test]
fn a_filter_of_the_activity_is_refused_or_the_same_from_its_own_link() {
    const WORDS: &[&str] = &[
        "show=",
        "fabric=",
        "actor=",
        "verb=",
        "state=",
        "code=",
        "since=",
        "before=",
        "page=",
        "&",
        "=",
        "operations",
        "refused",
        "attempts",
        "1",
        "alice",
        "sync",
        "test_connection",
        "failed",
        "succeeded",
        "partial",
        "2026-02-03",
        "T14:00",
        "Z",
        "[Europe/Berlin]",
        "+01:00",
        "%",
        "-",
        "9999-12-31",
        " ",
    ];
    const TAKEN: &[(&str, &[&str])] = &[
        ("show", &["operations", "attempts", "refused", ""]),
        ("fabric", &["1"]),
        ("actor", &["alice", "%"]),
        ("verb", &["sync", "test_connection"]),
        ("state", &["failed", "succeeded", "cancelled"]),
        ("code", &["partial", "permission_denied"]),
        ("since", &["2026-02-03", "2026-02-03T14:00:00Z"]),
        ("before", &["2026-02-03T14:00", "9999-12-31"]),
        ("page", &["1", "7"]),
    ];
    let bed = AssertUnwindSafe(Bed::make());
    check!(|bytes: &[u8]| {
        let read = |address: &str| {
            let view = bed.view(address);
            bed.runtime.block_on(Wanted::read(&bed.state, &view, url::activity(), None, None))
        };
        let written = text(bytes, WORDS);
        for written in [query(&written), said(bytes, TAKEN)] {
            let wanted = match read(&format!("/activity/?{written}")) {
                Ok(wanted) => wanted,
                Err(problem) => {
                    assert_eq!(problem.http_status(), 400, "{written}: {}", problem.message);
                    continue;
                }
            };
            let mut pairs = wanted.pairs();
            pairs.push(("page".to_owned(), wanted.page.to_string()));
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let link = url::with_query(&wanted.path, &pairs);
            let Ok(again) = read(&link) else { panic!("{written} was taken, and its own link {link} is not") };
            assert_eq!(again.pairs(), wanted.pairs(), "{link}");
            assert_eq!(format!("{:?}", again.filter), format!("{:?}", wanted.filter), "{link}");
            assert_eq!(again.page, wanted.page, "{link}");
            let _ = (wanted.exports(), wanted.timeline(), wanted.chips(), wanted.choices());
            let seen = Seen { fabrics: &Scope::All, people: true, own: None };
            let listed = bed.state.store.activity();
            let listed = bed.runtime.block_on(listed.list(&seen, &wanted.filter, Page::first(5)));
            listed.unwrap_or_else(|error| panic!("{link} cannot be asked: {error}"));
        }
    });
}

#[test]
fn a_filter_of_the_objects_is_refused_or_the_same_from_its_own_link() {
    const WORDS: &[&str] = &[
        "kind=",
        "state=",
        "name=",
        "sort=",
        "wide=1",
        "page=",
        "&",
        "=",
        "VPC",
        ".",
        "vpc.githedgehog.com",
        "differs",
        "equal",
        "missing",
        "-",
        "name",
        "kind",
        "rank",
        "%",
        "*",
        "1",
        " ",
        "é",
    ];
    const TAKEN: &[(&str, &[&str])] = &[
        ("kind", &["VPC", "VPC.vpc.githedgehog.com"]),
        ("state", &["differs", "equal", "missing"]),
        ("name", &["vpc-01", "%"]),
        ("sort", &["name", "-kind", "state"]),
        ("wide", &["1"]),
    ];
    let bed = AssertUnwindSafe(Bed::make());
    check!(|bytes: &[u8]| {
        let written = text(bytes, WORDS);
        for written in [query(&written), said(bytes, TAKEN)] {
            let query = Query::of(&written);
            let (filter, link) = match (objects::filter_of(&query), objects::link_of(&query)) {
                (Ok(filter), Ok(link)) => (filter, link),
                (Err(problem), Err(_)) => {
                    assert_eq!(problem.http_status(), 400, "{written}");
                    continue;
                }
                _ => panic!("{written} is taken and not taken"),
            };
            let there = Query::of(link.split_once('?').map_or("", |(_, query)| query));
            let Ok(again) = objects::filter_of(&there) else {
                panic!("{written} was taken, and its own link {link} is not")
            };
            assert_eq!(format!("{again:?}"), format!("{filter:?}"), "{link}");
            assert_eq!(there.get("wide") == Some("1"), query.get("wide") == Some("1"), "{link}");
            let listed = bed.state.store.objects();
            let listed = bed.runtime.block_on(listed.list(1, &filter, Page::first(5)));
            listed.unwrap_or_else(|error| panic!("{link} cannot be asked: {error}"));
        }
    });
}

#[test]
fn a_constraint_is_refused_or_can_be_asked_of_the_database() {
    const WORDS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"name\"",
        "\"id\"",
        "\"name__",
        "startswith\"",
        "in\"",
        "regex\"",
        "iregex\"",
        "n\"",
        "isnull\"",
        "gte\"",
        "\"is_superuser\"",
        ":",
        ",",
        "\"lab-\"",
        "1",
        "true",
        "null",
        "\"$user\"",
        "-1",
        "1e99",
        "\"(\"",
        "\"[a\"",
        "\"%_\\\\\"",
        "[1,2]",
        "[]",
        "{\"name__startswith\":\"l\"}",
        "{\"id__gt\":0}",
        "\"\\u0000\"",
    ];
    let bed = AssertUnwindSafe(Bed::make());
    check!(|bytes: &[u8]| {
        let written = text(bytes, WORDS);
        for written in [written.clone(), format!("{{\"name__{written}}}"), format!("{{\"id__{written}}}")] {
            let Ok(constraints) = serde_json::from_str(&written) else { continue };
            for of in ObjectType::ALL {
                let taken = auth::check_constraints(&[*of], &constraints);
                let scope = auth::matching(*of, Some(&constraints), 7);
                assert_eq!(taken.is_ok(), scope.is_ok(), "{written}");
                let Ok(scope) = scope else { continue };
                // Of what is taken, every comparison is one that there is.
                let objects = std::iter::once(&constraints).chain(constraints.as_array().into_iter().flatten());
                for key in objects.filter_map(serde_json::Value::as_object).flat_map(serde_json::Map::keys) {
                    let lookup = key.split_once("__").map_or("", |(_, lookup)| lookup);
                    assert!(!["regex", "iregex", "isnull"].contains(&lookup), "{written}");
                }
                let again = serde_json::from_str(&constraints.to_string()).unwrap();
                let same = auth::matching(*of, Some(&again), 7).unwrap();
                assert_eq!(format!("{same:?}"), format!("{scope:?}"), "{written}");
                if *of == ObjectType::Fabric {
                    let listed = bed.state.store.fabrics();
                    let listed = bed.runtime.block_on(listed.list(&scope, &FabricFilter::default(), Page::first(5)));
                    listed.unwrap_or_else(|error| panic!("{written} cannot be asked: {error}"));
                }
            }
        }
    });
}
