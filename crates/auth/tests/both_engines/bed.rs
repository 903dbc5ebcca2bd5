//! A fresh database of each engine, a clock that is moved by hand, and users.

use auth::*;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use store::*;

/// Declares tests that run on both engines.
macro_rules! both_engines {
    ($(async fn $name:ident($bed:ident) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                async fn run($bed: $crate::bed::Bed) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    run($crate::bed::Bed::sqlite().await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    run($crate::bed::Bed::postgres().await).await;
                }
            }
        )*
    };
}
pub(crate) use both_engines;

pub const PASSWORD: &str = "correct horse battery";
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// A database, a clock and the sessions over both.
pub struct Bed {
    pub store: Store,
    pub clock: ManualClock,
    pub sessions: Sessions,
    pub folder: tempfile::TempDir,
}

impl Bed {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store.db").to_str().unwrap()).await.unwrap();
        Self::over(store, folder)
    }

    pub async fn postgres() -> Self {
        let url = testkit::Postgres::shared().await.unwrap().database().await.unwrap();
        Self::over(Store::open(&url).await.unwrap(), tempfile::tempdir().unwrap())
    }

    fn over(store: Store, folder: tempfile::TempDir) -> Self {
        let clock = ManualClock::default();
        let sessions =
            Sessions::new(store.clone(), Arc::new(clock.clone()), Limits::default(), ThrottleLimits::default());
        Self { store, clock, sessions, folder }
    }

    pub async fn user(&self, name: &str) -> User {
        let password_hash = self.sessions.passwords().hash(SecretString::from(PASSWORD)).await.unwrap();
        let new = NewUser { username: name.into(), password_hash, is_superuser: false, is_active: true };
        self.store.users().create(new, self.clock.now()).await.unwrap()
    }

    pub async fn login(&self, name: &str, password: &str) -> Result<LoggedIn, LoginError> {
        self.sessions.login(name, SecretString::from(password), "192.0.2.1", "Firefox", None).await
    }
}
