//! What the stand-in keeps, in memory: its people, their sessions, its fabrics, and how often each was synced.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{StandInFabric, StandInStatus, StandInUser};
use crate::machine::secret;

pub(super) struct Site {
    users: Vec<StandInUser>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    fabrics: BTreeMap<u64, Stored>,
    /// The names of those who are logged in, by what stands in their cookies.
    sessions: HashMap<String, String>,
}

struct Stored {
    fabric: StandInFabric,
    syncs: u64,
}

impl Site {
    pub(super) fn new(users: Vec<StandInUser>) -> Self {
        Self { users, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The person with this name and password.
    pub(super) fn person(&self, name: &str, password: &str) -> Option<&StandInUser> {
        self.users.iter().find(|user| user.name == name && user.password == password)
    }

    /// The person whom a token of the REST API belongs to.
    pub(super) fn owner(&self, token: &str) -> Option<&StandInUser> {
        self.users.iter().find(|user| user.token.as_deref() == Some(token))
    }

    /// Begins a session, and gives what its cookie holds.
    pub(super) fn log_in(&self, user: &StandInUser) -> String {
        let session = secret();
        self.kept().sessions.insert(session.clone(), user.name.clone());
        session
    }

    /// Who is logged in with this cookie.
    pub(super) fn logged_in(&self, session: &str) -> Option<&StandInUser> {
        let name = self.kept().sessions.get(session).cloned()?;
        self.users.iter().find(|user| user.name == name)
    }

    pub(super) fn log_out(&self, session: &str) {
        self.kept().sessions.remove(session);
    }

    pub(super) fn end_sessions(&self) {
        self.kept().sessions.clear();
    }

    pub(super) fn add(&self, fabric: StandInFabric) -> u64 {
        let mut kept = self.kept();
        let id = kept.fabrics.last_key_value().map_or(1, |(last, _)| last + 1);
        kept.fabrics.insert(id, Stored { fabric, syncs: 0 });
        id
    }

    pub(super) fn fabric(&self, id: u64) -> Option<StandInFabric> {
        self.kept().fabrics.get(&id).map(|stored| stored.fabric.clone())
    }

    pub(super) fn fabrics(&self) -> Vec<(u64, StandInFabric)> {
        self.kept().fabrics.iter().map(|(id, stored)| (*id, stored.fabric.clone())).collect()
    }

    pub(super) fn syncs(&self, id: u64) -> u64 {
        self.kept().fabrics.get(&id).map_or(0, |stored| stored.syncs)
    }

    pub(super) fn count_sync(&self, id: u64) {
        if let Some(stored) = self.kept().fabrics.get_mut(&id) {
            stored.syncs += 1;
        }
    }

    /// Writes down that a sync went well. An error that stands there stays.
    pub(super) fn store_in_sync(&self, id: u64) {
        if let Some(stored) = self.kept().fabrics.get_mut(&id) {
            stored.fabric.status = StandInStatus::InSync;
            stored.fabric.last_sync = Some(Timestamp::now());
        }
    }
}
