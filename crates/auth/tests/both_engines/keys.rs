//! The installation's key: made once, kept private, and known to be the right one before it is used.

use crate::bed::both_engines;
use auth::*;
use secrecy::{ExposeSecret, SecretString};
use std::os::unix::fs::PermissionsExt;
use store::fabrics::TABLE;
use store::*;

both_engines! {
    async fn the_key_is_made_once_and_opens_what_it_sealed(bed) {
        let path = bed.folder.path().join("secret.key");
        let place = Place::fabric("token", 7);
        let first = MasterKey::open(&bed.store, &path).await.unwrap();
        let sealed = Sealer::new(&first).seal(place, &SecretString::from("hunter2")).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = MasterKey::open(&bed.store, &path).await.unwrap();
        assert_eq!(Sealer::new(&again).open(place, &sealed).unwrap().expose_secret(), "hunter2");
        let text = std::fs::read_to_string(&path).unwrap();
        let by_setting = MasterKey::from_setting(&bed.store, &SecretString::from(text)).await.unwrap();
        assert_eq!(Sealer::new(&by_setting).open(place, &sealed).unwrap().expose_secret(), "hunter2");
        let left: Vec<_> = std::fs::read_dir(bed.folder.path()).unwrap().flatten().map(|f| f.file_name()).collect();
        assert!(!left.iter().any(|f| f.to_string_lossy().contains("draft")), "{left:?}");
    }

    async fn a_wrong_or_missing_key_is_a_clear_error(bed) {
        let path = bed.folder.path().join("secret.key");
        MasterKey::open(&bed.store, &path).await.unwrap();
        let kept = std::fs::read_to_string(&path).unwrap();

        std::fs::remove_file(&path).unwrap();
        let missing = MasterKey::open(&bed.store, &path).await.unwrap_err();
        assert!(matches!(missing, KeyError::Missing(_)), "{missing:?}");
        assert!(!path.exists(), "and none is made in its place");

        std::fs::write(&path, "ab".repeat(32)).unwrap();
        let exposed = MasterKey::open(&bed.store, &path).await;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let readable = MasterKey::open(&bed.store, &path).await;
        assert!(matches!(readable, Err(KeyError::Exposed(_))), "{exposed:?} {readable:?}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(MasterKey::open(&bed.store, &path).await, Err(KeyError::Wrong)));
        std::fs::write(&path, "not a key").unwrap();
        let malformed = MasterKey::open(&bed.store, &path).await.unwrap_err();
        assert!(matches!(malformed, KeyError::Malformed) && !malformed.to_string().contains("not a key"));

        std::fs::write(&path, kept).unwrap();
        assert!(MasterKey::open(&bed.store, &path).await.is_ok());
    }

    async fn of_two_first_starts_at_once_both_get_the_same_key(bed) {
        let path = bed.folder.path().join("secret.key");
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (store, path) = (bed.store.clone(), path.clone());
            starts.spawn(async move { MasterKey::open(&store, &path).await.unwrap() });
        }
        let keys = starts.join_all().await;
        let place = Place::fabric("token", 1);
        let sealed = Sealer::new(&keys[0]).seal(place, &SecretString::from("x")).unwrap();
        for key in &keys {
            assert!(Sealer::new(key).open(place, &sealed).is_ok());
        }
    }

    async fn an_exchange_loses_nothing_and_leaves_the_new_key_alone(bed) {
        let (path, kept) = (bed.folder.path().join("secret.key"), bed.folder.path().join("secret.key.until-x"));
        let lines = |path: &std::path::Path| -> Vec<String> {
            std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
        };
        let place = Place::fabric("token", 7);
        let running = Sealer::new(&MasterKey::open(&bed.store, &path).await.unwrap());
        let first = lines(&path);
        let old = running.seal(place, &SecretString::from("hunter2")).unwrap();
        // So that the file shows that it was changed.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;

        let key = MasterKey::begin_exchange(&bed.store, &path).await.unwrap();
        let both = lines(&path);
        assert!(key.is_in_exchange() && both.len() == 2 && both[1] == first[0] && both[0] != first[0], "new before old");
        let again = MasterKey::begin_exchange(&bed.store, &path).await.unwrap();
        assert!(again.is_in_exchange() && lines(&path) == both, "it goes on with the one that began");
        let sealer = Sealer::new(&again);
        let new = sealer.reseal(place, &old).unwrap().expect("it is sealed with the key before");
        assert_eq!(sealer.reseal(place, &new), Ok(None), "and now with the new one");
        assert_eq!(running.open(place, &new).unwrap().expose_secret(), "hunter2", "who runs reads the file again");

        again.end_exchange(&bed.store, &path, &kept).await.unwrap();
        assert_eq!((lines(&path), lines(&kept)), (both[..1].to_vec(), first));
        let after = Sealer::new(&MasterKey::open(&bed.store, &path).await.unwrap());
        assert_eq!(after.open(place, &new).unwrap().expose_secret(), "hunter2");
        assert_eq!(after.open(place, &old).unwrap_err(), SealError::OtherKey);
        assert!(matches!(MasterKey::open(&bed.store, &kept).await, Err(KeyError::Wrong)), "the check is the new key's");
    }

    async fn lesson_33_the_database_holds_no_secret_in_clear(bed) {
        let key = MasterKey::random().unwrap();
        let sealer = Sealer::new(&key);
        let id = bed.store.fabrics().reserve_id().await.unwrap();
        let secret = "kubeconfig-with-a-token-in-it";
        let sealed = sealer.seal(Place::fabric("kubeconfig", id), &SecretString::from(secret)).unwrap();
        let new = NewFabric {
            id,
            spec: FabricSpec { name: "lab".into(), cluster: Cluster::Kubeconfig, ..FabricSpec::default() },
            secrets: FabricSecrets { kubeconfig: Some(sealed), ..FabricSecrets::default() },
        };
        bed.store.fabrics().create(&Scope::System, new, bed.clock.now()).await.unwrap();
        let stored = bed.store.fabrics().secrets(id).await.unwrap().kubeconfig.unwrap();
        assert!(!stored.0.windows(10).any(|w| secret.as_bytes().windows(10).any(|s| s == w)));
        let place = Place { table: TABLE, column: "kubeconfig", row: id };
        assert_eq!(sealer.open(place, &stored).unwrap().expose_secret(), secret);
        assert!(sealer.open(Place { row: id + 1, ..place }, &stored).is_err(), "copied to another fabric");
        if bed.store.engine() == Engine::Sqlite {
            for end in ["", "-wal"] {
                let file = std::fs::read(bed.folder.path().join(format!("store.db{end}"))).unwrap();
                assert!(!file.windows(secret.len()).any(|w| w == secret.as_bytes()), "store.db{end}");
            }
        }
    }
}
