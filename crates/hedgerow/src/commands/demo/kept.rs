//! What a later start on the same folder must know: which fabrics are the demo's, and the administrator's password, so
//! that it can be printed again. A password in a file is for a demo and nothing else; the file has mode 0600.

use crate::console::Opened;
use crate::private_file;
use anyhow::Context as _;
use auth::Passwords;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
const FILE: &str = "demo.json";

/// What is kept.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    is_new: bool,
    username: String,
    password: Option<String>,
    /// Ids of the demo's fabrics, by name. What a user deleted stays deleted.
    fabrics: BTreeMap<String, i64>,
}

/// With what to log in.
pub(super) struct Access {
    /// Name.
    pub(super) username: String,
    /// Password, unless somebody has set another meanwhile.
    pub(super) password: Option<String>,
}

impl Kept {
    /// Reads what an earlier start kept in this folder.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let kept = match std::fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept { is_new: true, ..Kept::default() },
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Kept { path, ..kept })
    }

    /// Whether no demo was here before.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The fabric of this name, if an earlier start made it.
    pub(super) fn fabric(&self, name: &str) -> Option<i64> {
        self.fabrics.get(name).copied()
    }

    /// Remembers a fabric.
    pub(super) fn set_fabric(&mut self, name: &str, id: i64) -> anyhow::Result<()> {
        self.fabrics.insert(name.to_owned(), id);
        self.write()
    }

    /// The administrator: made at the first start, the same afterwards.
    pub(super) async fn administrator(&mut self, opened: &Opened) -> anyhow::Result<Access> {
        if let Some(first) = opened.first_administrator().await? {
            self.username = first.username;
            self.password = Some(first.password.expose_secret().to_owned());
            self.write()?;
        } else if let Some(password) = self.password.clone() {
            let user = opened.store.users().by_name(&self.username).await.context("cannot look for the user")?;
            let hash = user.filter(|user| user.is_active).map(|user| user.password_hash);
            let fits = Passwords::default().verify(password.into(), hash).await.context("cannot check the password")?;
            if !fits {
                self.password = None;
                self.write()?;
            }
        }
        Ok(Access { username: self.username.clone(), password: self.password.clone() })
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).context("cannot write down what the demo keeps")?;
        private_file::write(&self.path, &text)?;
        self.is_new = false;
        Ok(())
    }
}
