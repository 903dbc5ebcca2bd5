//! A client certificate beside its key in the form: what is refused is refused at its field, and what is stored is kept,
//! sealed and never shown. And what an operation says of a stored secret that cannot be opened.

use crate::console::{Browser, Console};
use crate::forms::{contents, send, set};
use crate::verbs::{follow, press};
use auth::Place;
use http::StatusCode;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use secrecy::SecretString;
use store::fabrics::NewFabric;
use store::{Cluster, CredentialKind, EndpointLogin, FabricSecrets, FabricSpec, Scope, Source};

/// A certificate of its own authority that is valid until the start of a year, and its key.
fn certificate(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["hedgerow".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

type Form = Vec<(String, String)>;

async fn endpoint_form(browser: &mut Browser) -> Form {
    let mut fields = contents(&browser.open("/fabrics/add/").await);
    set(&mut fields, "name", "lab-1");
    set(&mut fields, "cluster_kind", "endpoint");
    set(&mut fields, "server", "https://127.0.0.1:1");
    fields
}

/// The fields that a refused form names.
async fn refused(browser: &mut Browser, path: &str, form: &Form, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut form = form.clone();
    for (name, value) in changes {
        set(&mut form, name, value);
    }
    let token = browser.token().await;
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.call(path, &token, &pairs).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{changes:?}: {}", answer.body);
    for line in ["PRIVATE", "MII", "MIG"] {
        assert!(!answer.body.contains(line), "a key or certificate came back: {}", answer.body);
    }
    let fields = answer.json()["fields"].as_object().unwrap().clone();
    fields.into_iter().map(|(name, words)| (name, words.as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_24_a_client_certificate_round_trips_and_its_faults_stand_at_their_field() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let ((pem, key), (other, other_key), (old, old_key)) = (certificate(2090), certificate(2090), certificate(2025));
    let mut form = endpoint_form(&mut browser).await;
    for (changes, field, words) in [
        (vec![("client_certificate", pem.as_str())], "client_key", "Paste the private key"),
        (vec![("client_key", key.as_str())], "client_certificate", "Paste the certificate"),
        (vec![("client_certificate", &pem), ("client_key", &other_key)], "client_key", "does not belong to"),
        (vec![("client_certificate", "hello"), ("client_key", &key)], "client_certificate", "no certificate in PEM"),
        (vec![("client_certificate", &pem), ("client_key", "hello")], "client_key", "no private key in PEM"),
        (vec![("client_certificate", &old), ("client_key", &old_key)], "client_certificate", "expired on 2025-01-01"),
        (vec![("client_certificate", &pem), ("client_key", &key), ("token", "t")], "token", "not both"),
        (vec![], "token", "or a client certificate"),
    ] {
        let found = refused(&mut browser, "/fabrics/add/", &form, &changes).await;
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert!(found[0].0 == field && found[0].1.contains(words), "{field}, {words}: {found:?}");
    }

    set(&mut form, "client_certificate", &pem);
    set(&mut form, "client_key", &key);
    let added = send(&mut browser, "/fabrics/add/", &form).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text());
    let page = added.header("location").to_owned();
    let id: i64 = page.trim_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    let stored = console.store.fabrics().get(&Scope::System, id).await.unwrap();
    let login = EndpointLogin::Certificate { pem: pem.trim().to_owned() };
    assert_eq!(stored.cluster, Cluster::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: None, login });

    let settings = format!("{page}edit/");
    let shown = browser.open(&settings).await;
    assert!(!shown.body.contains("PRIVATE KEY-----\nM"), "the key is shown");
    let mut again = contents(&shown);
    let value = |name: &str| again.iter().find(|(field, _)| field == name).unwrap().1.clone();
    assert_eq!((value("client_certificate").trim(), value("client_key").as_str()), (pem.trim(), ""));
    let saved = send(&mut browser, &settings, &again).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let after = console.store.fabrics().get(&Scope::System, id).await.unwrap();
    assert_eq!(after.spec(), stored.spec());
    let sealed = console.store.fabrics().secrets(id).await.unwrap().endpoint.unwrap();
    let opened = console.sealer.open(Place::fabric("client_key", id), &sealed).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&opened).trim(), key.trim(), "an empty field keeps the key");
    assert!(console.sealer.open(Place::fabric("token", id), &sealed).is_err(), "a key is never opened as a token");

    // Another certificate needs its own key, and a token is no key.
    again = contents(&browser.open(&settings).await);
    let found = refused(&mut browser, &settings, &again, &[("client_certificate", &other)]).await;
    assert_eq!(found[0].0, "client_key", "{found:?}");
    let found = refused(&mut browser, &settings, &again, &[("client_certificate", "")]).await;
    assert_eq!(found[0].0, "token", "{found:?}");
    set(&mut again, "client_certificate", "");
    set(&mut again, "token", "a-token");
    assert_eq!(send(&mut browser, &settings, &again).await.status, StatusCode::SEE_OTHER);
    let sealed = console.store.fabrics().secrets(id).await.unwrap().endpoint.unwrap();
    assert!(console.sealer.open(Place::fabric("token", id), &sealed).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_opened_is_a_setting_of_its_own_side() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let lab = lab::Lab::start(lab::Options { empty: true, ..lab::Options::default() }).await.unwrap();
    let id = console.store.fabrics().reserve_id().await.unwrap();
    let seal = |column, text: &str| console.sealer.seal(Place::fabric(column, id), &SecretString::from(text)).unwrap();
    let new = NewFabric {
        id,
        spec: FabricSpec {
            name: "moved".into(),
            cluster: Cluster::Kubeconfig,
            source: Source::Remote {
                url: "https://127.0.0.1:1/a.git".into(),
                credential_kind: CredentialKind::Token,
                username: None,
                known_hosts: None,
            },
            ..FabricSpec::default()
        },
        secrets: FabricSecrets {
            kubeconfig: Some(seal("kubeconfig", &lab.kubeconfig())),
            // As if it had been copied from another column.
            source_token: Some(seal("ssh_key", "t")),
            ..FabricSecrets::default()
        },
    };
    let fabric = console.store.fabrics().create(&Scope::System, new, console.state.now()).await.unwrap();
    let url = press(&mut browser, &fabric, "sync-from-git-btn").await;
    let ended = follow(&mut browser, &url).await;
    assert_eq!(ended["code"], "source_config_invalid", "{ended}");
    let message = ended["message"].as_str().unwrap();
    assert!(message.contains("The token of the source cannot be opened"), "{message}");
    lab.stop().await;
}
