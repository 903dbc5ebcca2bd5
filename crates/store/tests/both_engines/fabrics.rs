//! Fabrics: every field round-trips, what cannot be meant cannot be stored, secrets stay where they belong.

use crate::bed::{add, ask, both_engines, claim, fabric, sealed, t};
use model::Code;
use model::operation::Verb;
use model::policy::{Policy, Suspension, Window, WindowKind};
use store::fabrics::{Dependents, FabricFilter, FabricSort, SecretChange, SecretChanges};
use store::*;

fn endpoint(name: &str) -> FabricSpec {
    FabricSpec {
        name: name.into(),
        description: "two spines, \"four\" leaves; 100 % ours".into(),
        cluster: Cluster::Endpoint {
            server: "https://10.0.0.1:6443".into(),
            ca_pem: Some("-----BEGIN".into()),
            login: EndpointLogin::Token,
        },
        verify_tls: false,
        namespace: "fab".into(),
        source: Source::Remote {
            url: "ssh://git@git.example/fabric.git".into(),
            credential_kind: CredentialKind::Ssh,
            username: Some("git".into()),
            known_hosts: Some("git.example ssh-ed25519 AAAA".into()),
        },
        branch: "trunk".into(),
        path: "sites/ä".into(),
        sync_enabled: false,
        deadline_seconds: 77,
        policy: Policy {
            sync_interval_seconds: Some(600),
            self_heal: true,
            windows: vec![Window {
                kind: WindowKind::Deny,
                schedule: "0 8 * * 1-5".into(),
                minutes: 600,
                time_zone: "Europe/Berlin".into(),
            }],
            ..Policy::default()
        },
    }
}

fn endpoint_secrets() -> FabricSecrets {
    FabricSecrets { endpoint: sealed("token"), ssh_key: sealed("key"), ..FabricSecrets::default() }
}

both_engines! {
    async fn who_stopped_the_automatic_syncs_is_kept(bed) {
        let lab = crate::bed::fabric(&bed, "lab").await;
        assert_eq!(lab.suspension, None);
        let why = Suspension { at: crate::bed::t(5), by: "anna".into(), reason: "cabling in row 4".into() };
        let stopped = bed.fabrics().set_suspension(&Scope::System, lab.id, Some(&why)).await.unwrap();
        assert_eq!((stopped.suspension.as_ref(), stopped.version), (Some(&why), lab.version));
        assert_eq!(bed.fabrics().get(&Scope::System, lab.id).await.unwrap(), stopped);
        let goes_on = bed.fabrics().set_suspension(&Scope::System, lab.id, None).await.unwrap();
        assert_eq!(goes_on, lab);
    }

    async fn lesson_24_every_field_round_trips(bed) {
        let created = add(&bed, endpoint("prod"), endpoint_secrets()).await.unwrap();
        assert_eq!(created.spec(), endpoint("prod"));
        assert_eq!((created.version, created.created_at, created.updated_at), (1, t(0), t(0)));
        assert_eq!(bed.fabrics().get(&Scope::System, created.id).await.unwrap(), created);
        assert_eq!(bed.fabrics().secrets(created.id).await.unwrap(), endpoint_secrets());

        let plain = add(&bed, FabricSpec { name: "lab".into(), ..FabricSpec::default() }, FabricSecrets::default());
        let plain = plain.await.unwrap();
        assert_eq!(plain.spec(), FabricSpec { name: "lab".into(), ..FabricSpec::default() });
        assert!(!plain.is_configured());

        // From one extreme to the other and back.
        let changes = SecretChanges {
            kubeconfig: SecretChange::Set(Sealed(b"config".to_vec())), ..SecretChanges::default()
        };
        let spec = FabricSpec { cluster: Cluster::Kubeconfig, name: "prod".into(), ..FabricSpec::default() };
        let changed = bed.fabrics().update(&Scope::System, created.id, 1, &spec, &changes, t(9)).await.unwrap();
        assert_eq!((changed.spec(), changed.version, changed.updated_at), (spec, 2, t(9)));
        let secrets = bed.fabrics().secrets(created.id).await.unwrap();
        assert_eq!(secrets, FabricSecrets { kubeconfig: sealed("config"), ..FabricSecrets::default() },
            "the token and the key that nothing uses any more are gone");
    }

    async fn lesson_12_impossible_combinations_cannot_be_stored(bed) {
        let secrets = endpoint_secrets;
        let none = FabricSecrets::default;
        let remote = |credential_kind, username: Option<&str>, known_hosts: Option<&str>| Source::Remote {
            url: "https://git.example/x".into(),
            credential_kind,
            username: username.map(str::to_owned),
            known_hosts: known_hosts.map(str::to_owned),
        };
        let with = |source: Source| FabricSpec { name: "x".into(), source, ..FabricSpec::default() };
        let cases: Vec<(&str, FabricSpec, FabricSecrets)> = vec![
            ("a fabric needs a name", FabricSpec::default(), none()),
            ("a fabric needs a namespace", FabricSpec { namespace: String::new(), ..endpoint("x") }, secrets()),
            ("a source needs a branch", FabricSpec { branch: String::new(), ..endpoint("x") }, secrets()),
            ("longer than nothing", FabricSpec { deadline_seconds: 0, ..endpoint("x") }, secrets()),
            ("needs a token", endpoint("x"), FabricSecrets { endpoint: None, ..secrets() }),
            ("address of the API server",
                FabricSpec { cluster: Cluster::Endpoint { server: String::new(), ca_pem: None, login: EndpointLogin::Token }, ..endpoint("x") },
                secrets()),
            ("needs a kubeconfig", FabricSpec { cluster: Cluster::Kubeconfig, ..with(Source::Local) }, none()),
            ("needs a kubeconfig", with(Source::Local),
                FabricSecrets { kubeconfig: sealed("config"), ..none() }),
            ("needs a token", with(Source::Local), FabricSecrets { endpoint: sealed("x"), ..none() }),
            ("by SSH needs a key", endpoint("x"), FabricSecrets { ssh_key: None, ..secrets() }),
            ("by token needs a token", with(remote(CredentialKind::Token, None, None)), none()),
            ("by token needs a token", with(Source::Local), FabricSecrets { source_token: sealed("x"), ..none() }),
            ("goes with a token or a key", with(remote(CredentialKind::None, Some("git"), None)), none()),
            ("known hosts go with an SSH key", with(remote(CredentialKind::Token, None, Some("x"))),
                FabricSecrets { source_token: sealed("x"), ..none() }),
            ("needs an address", with(Source::Remote {
                url: String::new(), credential_kind: CredentialKind::None, username: None, known_hosts: None,
            }), none()),
        ];
        for (sentence, spec, secrets) in cases {
            let refused = add(&bed, spec, secrets).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid(_)), "{sentence}: {refused:?}");
            assert!(refused.to_string().contains(sentence), "{sentence}: {refused}");
            assert_eq!(refused.code(), Code::InvalidInput);
        }
        let left = bed.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await.unwrap();
        assert_eq!(left.total, 0);
    }

    async fn names_are_unique_and_so_is_a_namespace_of_a_cluster(bed) {
        let (one, two) = (fabric(&bed, "one").await, fabric(&bed, "two").await);
        let spec = FabricSpec { name: "one".into(), ..FabricSpec::default() };
        let taken = add(&bed, spec, FabricSecrets::default()).await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Unique::FabricName)), "{taken:?}");

        bed.fabrics().set_cluster_uid(&Scope::System, one.id, "uid-1").await.unwrap();
        let taken = bed.fabrics().set_cluster_uid(&Scope::System, two.id, "uid-1").await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Unique::ClusterNamespace)), "{taken:?}");
        let taken = bed.fabrics().adopt_cluster_uid(two.id, "uid-1").await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Unique::ClusterNamespace)), "{taken:?}");

        let who = async |uid: &str, namespace: &str, scope: &Scope| {
            let filter = FabricFilter { manages: Some((uid.into(), namespace.into())), ..FabricFilter::default() };
            let found = bed.fabrics().list(scope, &filter, Page::all()).await.unwrap();
            found.rows.into_iter().map(|fabric| fabric.name).collect::<Vec<_>>()
        };
        assert_eq!(who("uid-1", "default", &Scope::System).await, ["one"]);
        assert!(who("uid-1", "default", &Scope::None).await.is_empty(), "outside of the scope there is none");
        assert!(who("uid-2", "default", &Scope::System).await.is_empty());
        assert!(who("uid-1", "second", &Scope::System).await.is_empty());
        // Another namespace of the same cluster is another fabric.
        let spec = FabricSpec { namespace: "second".into(), ..two.spec() };
        let keep = SecretChanges::default();
        let two = bed.fabrics().update(&Scope::System, two.id, two.version, &spec, &keep, t(1)).await.unwrap();
        bed.fabrics().set_cluster_uid(&Scope::System, two.id, "uid-1").await.unwrap();
        // And moving it onto the first one's namespace is refused as well.
        let spec = FabricSpec { namespace: "default".into(), ..spec };
        let taken = bed.fabrics().update(&Scope::System, two.id, two.version, &spec, &keep, t(1)).await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Unique::ClusterNamespace)), "{taken:?}");
    }

    async fn lesson_44_the_cluster_is_remembered_and_another_one_noted(bed) {
        let fabric = fabric(&bed, "lab").await;
        assert_eq!(bed.fabrics().adopt_cluster_uid(fabric.id, "first").await.unwrap(), "first");
        assert_eq!(bed.fabrics().adopt_cluster_uid(fabric.id, "second").await.unwrap(), "first");
        bed.fabrics().set_seen_uid(fabric.id, Some("second")).await.unwrap();
        let seen = bed.fabrics().get(&Scope::System, fabric.id).await.unwrap();
        assert_eq!(seen.cluster_uid.as_deref(), Some("first"));
        assert_eq!(seen.cluster_seen_uid.as_deref(), Some("second"));
        assert_eq!(seen.version, fabric.version, "what is observed is no edit: an open form stays good");
        bed.fabrics().set_cluster_uid(&Scope::System, fabric.id, "second").await.unwrap();
        let confirmed = bed.fabrics().get(&Scope::System, fabric.id).await.unwrap();
        assert_eq!((confirmed.cluster_uid.as_deref(), confirmed.cluster_seen_uid), (Some("second"), None));
    }

    async fn a_change_names_the_version_that_it_was_made_from(bed) {
        let fabric = fabric(&bed, "lab").await;
        let keep = SecretChanges::default();
        let spec = FabricSpec { description: "mine".into(), ..fabric.spec() };
        bed.fabrics().update(&Scope::System, fabric.id, 1, &spec, &keep, t(1)).await.unwrap();
        let stale = bed.fabrics().update(&Scope::System, fabric.id, 1, &fabric.spec(), &keep, t(2)).await.unwrap_err();
        assert!(matches!(stale, Error::Stale("fabric")), "{stale:?}");
        assert_eq!(bed.fabrics().get(&Scope::System, fabric.id).await.unwrap().description, "mine");
        let off = bed.fabrics().set_sync_enabled(&Scope::System, fabric.id, false, t(3)).await.unwrap();
        assert_eq!((off.sync_enabled, off.version), (false, 3));
    }

    async fn a_kept_secret_is_not_sent_to_another_server(bed) {
        let fabric = add(&bed, endpoint("prod"), endpoint_secrets()).await.unwrap();
        let keep = SecretChanges::default();
        let to = |server: &str, url: &str| FabricSpec {
            cluster: Cluster::Endpoint { server: server.into(), ca_pem: None, login: EndpointLogin::Token },
            source: Source::Remote {
                url: url.into(), credential_kind: CredentialKind::Ssh, username: None, known_hosts: None,
            },
            ..endpoint("prod")
        };
        let (server, url) = ("https://10.0.0.1:6443", "ssh://git@git.example/fabric.git");
        for (server, url, sentence) in [
            ("https://attacker.example:6443", url, "enter its token or key again"),
            ("http://10.0.0.1:6443", url, "enter its token or key again"),
            (server, "ssh://git@attacker.example/fabric.git", "enter its credentials again"),
            (server, "attacker@evil.example:fabric.git", "enter its credentials again"),
        ] {
            let spec = to(server, url);
            let refused = bed.fabrics().update(&Scope::System, fabric.id, 1, &spec, &keep, t(1)).await.unwrap_err();
            assert!(refused.to_string().contains(sentence), "{refused}");
        }
        // Another path on the same server, and another server with its own token, are fine.
        let spec = to("https://10.0.0.1:6443/", "ssh://git@git.example/other.git");
        bed.fabrics().update(&Scope::System, fabric.id, 1, &spec, &keep, t(1)).await.unwrap();
        let set = SecretChanges { endpoint: SecretChange::Set(Sealed(b"new".to_vec())), ..SecretChanges::default() };
        let spec = to("https://10.0.0.2:6443", "ssh://git@git.example/other.git");
        bed.fabrics().update(&Scope::System, fabric.id, 2, &spec, &set, t(1)).await.unwrap();
        assert_eq!(bed.fabrics().secrets(fabric.id).await.unwrap().endpoint, sealed("new"));
    }

    async fn a_key_stays_with_its_certificate_and_is_never_a_token(bed) {
        let with = |login: EndpointLogin| FabricSpec {
            cluster: Cluster::Endpoint { server: "https://10.0.0.1:6443".into(), ca_pem: None, login }, ..endpoint("prod")
        };
        let certificate = |pem: &str| EndpointLogin::Certificate { pem: pem.into() };
        let fabric = add(&bed, with(certificate("one")), endpoint_secrets()).await.unwrap();
        assert_eq!(fabric.spec(), with(certificate("one")), "the certificate comes back");
        let keep = SecretChanges::default();
        let same = FabricSpec { description: "other".into(), ..with(certificate("one")) };
        bed.fabrics().update(&Scope::System, fabric.id, 1, &same, &keep, t(1)).await.unwrap();
        assert_eq!(bed.fabrics().secrets(fabric.id).await.unwrap().endpoint, endpoint_secrets().endpoint);
        for (login, sentence) in [
            (certificate("two"), "enter its key again"),
            (EndpointLogin::Token, "an endpoint needs a token"),
        ] {
            let refused = bed.fabrics().update(&Scope::System, fabric.id, 2, &with(login), &keep, t(2)).await;
            assert!(refused.as_ref().unwrap_err().to_string().contains(sentence), "{refused:?}");
        }
        let set = SecretChanges { endpoint: SecretChange::Set(Sealed(b"new".to_vec())), ..SecretChanges::default() };
        let changed = bed.fabrics().update(&Scope::System, fabric.id, 2, &with(EndpointLogin::Token), &set, t(3)).await;
        assert_eq!(changed.unwrap().spec(), with(EndpointLogin::Token));
        assert_eq!(bed.fabrics().secrets(fabric.id).await.unwrap().endpoint, sealed("new"));
    }

    async fn lesson_23_deleting_takes_what_hangs_on_it(bed) {
        let doomed = fabric(&bed, "doomed").await;
        let other = fabric(&bed, "other").await;
        bed.operations().enqueue(ask(doomed.id, Verb::SyncToKubernetes, "a"), t(0)).await.unwrap();
        bed.operations().enqueue(ask(other.id, Verb::SyncToKubernetes, "a"), t(0)).await.unwrap();
        let counted = bed.fabrics().dependents(doomed.id).await.unwrap();
        assert_eq!(counted, Dependents { operations: 1, comparisons: 0, objects: 0, attempts: 0 });

        let running = claim(&bed, Some(doomed.id), "p", 1).await.unwrap();
        let refused = bed.fabrics().delete(&Scope::System, doomed.id).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict(Unique::OneWriter)), "{refused:?}");
        let end = store::operations::Finish {
            state: model::operation::OperationState::Succeeded,
            code: None,
            message: String::new(),
            error_object: None,
            result: serde_json::Value::Null,
            phases: vec![],
        };
        assert!(bed.operations().finish(running.id, "p", &end, t(2)).await.unwrap());

        bed.fabrics().delete(&Scope::System, doomed.id).await.unwrap();
        assert!(matches!(bed.fabrics().get(&Scope::System, doomed.id).await, Err(Error::NotFound("fabric"))));
        assert!(matches!(bed.operations().get(running.id).await, Err(Error::NotFound("operation"))));
        assert_eq!(bed.fabrics().dependents(other.id).await.unwrap().operations, 1);
        assert!(matches!(bed.fabrics().delete(&Scope::System, doomed.id).await, Err(Error::NotFound("fabric"))));
        let id = bed.fabrics().reserve_id().await.unwrap();
        assert!(id > other.id, "ids are never used twice");
    }

    async fn lesson_26_lists_filter_sort_and_page(bed) {
        for (i, name) in ["beta", "Alpha", "gamma_1", "gammax1", "50%"].into_iter().enumerate() {
            let spec = FabricSpec {
                name: name.into(),
                description: if i == 0 { "the LAB".into() } else { String::new() },
                ..FabricSpec::default()
            };
            let id = bed.fabrics().reserve_id().await.unwrap();
            let new = NewFabric { id, spec, secrets: FabricSecrets::default() };
            bed.fabrics().create(&Scope::System, new, t(100 - i as i64)).await.unwrap();
        }
        let list = async |filter: FabricFilter, page: Page| {
            let listed = bed.fabrics().list(&Scope::All, &filter, page).await.unwrap();
            (listed.rows.into_iter().map(|f| f.name).collect::<Vec<_>>(), listed.total)
        };
        let all = list(FabricFilter::default(), Page::all()).await;
        assert_eq!(all, (["50%", "Alpha", "beta", "gamma_1", "gammax1"].map(String::from).to_vec(), 5));
        let filter = FabricFilter { direction: Direction::Descending, ..FabricFilter::default() };
        assert_eq!(list(filter, Page::new(2, 1)).await, (["gamma_1", "beta"].map(String::from).to_vec(), 5));
        let filter = FabricFilter { sort: FabricSort::Created, ..FabricFilter::default() };
        assert_eq!(list(filter, Page::first(1)).await, (vec!["50%".to_owned()], 5));
        for (search, found) in
            [("GAMMA_", vec!["gamma_1"]), ("lab", vec!["beta"]), ("%", vec!["50%"]), ("\\", vec![]), ("", vec!["50%", "Alpha", "beta", "gamma_1", "gammax1"])]
        {
            let filter = FabricFilter { search: Some(search.into()), ..FabricFilter::default() };
            assert_eq!(list(filter, Page::all()).await.0, found, "{search}");
        }
    }
}
