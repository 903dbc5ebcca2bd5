//! What is desired, read in a fresh clone that the user's own `git` makes of the newest commit of a branch. Hooks and
//! templates are left out, nothing is ever asked on a terminal, and a password is in no argument.

mod environment;
mod error;
mod git;
mod manifests;

pub use error::GitError;

use super::{Read, Reading};
use git::Git;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// How long cloning and reading may take together.
const WITHIN: Duration = Duration::from_secs(60);

/// One manifest, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DesiredObject {
    /// `VPC`
    pub kind: String,
    /// `vpc.githedgehog.com/v1beta1`
    pub api_version: String,
    /// Its namespace, where the manifest names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Value,
    /// Its annotations.
    pub annotations: Value,
    /// Its spec.
    pub spec: Value,
    /// The file, from the repository's root.
    pub file: String,
    /// The line at which its document begins.
    pub line: usize,
}

impl DesiredObject {
    /// `vpc.githedgehog.com`
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// What a branch's newest commit desires.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Desired {
    /// The commit's id.
    pub commit: String,
    /// When its author wrote it.
    pub author_time: Timestamp,
    /// Hedgehog's manifests, by file and line.
    pub objects: Vec<DesiredObject>,
    /// How many YAML files were read.
    pub files: usize,
    /// How many documents in them are not Hedgehog's.
    pub others: usize,
}

impl Desired {
    /// The manifests of a kind and name: one, unless it stands in the repository twice.
    pub fn find(&self, kind: &str, name: &str) -> Vec<&DesiredObject> {
        self.objects.iter().filter(|one| one.kind == kind && one.name == name).collect()
    }
}

/// Who clones.
#[derive(Debug, Clone)]
struct Login {
    /// May be a token as well.
    user: SecretString,
    /// Without it, the user's own git looks for one.
    password: Option<SecretString>,
}

/// The oracle of one branch of one repository.
#[derive(Debug, Clone)]
pub struct GitOracle {
    url: String,
    branch: String,
    folder: String,
    login: Option<Login>,
    ssh_command: Option<String>,
    program: String,
    within: Duration,
}

impl GitOracle {
    /// A repository at an address that git takes. A user and a password in it become the login; an empty folder is the
    /// whole repository.
    pub fn remote(url: &str, branch: &str, folder: &str) -> Result<Self, GitError> {
        let bad = |why: &str| GitError::Address { address: environment::shown(url), why: why.to_owned() };
        if branch.is_empty() || branch.starts_with('-') {
            return Err(bad("the branch has no name that git takes"));
        }
        let folder = folder.trim_matches('/').to_owned();
        if folder.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(bad("the folder is not below the repository's root"));
        }
        let mut oracle = Self {
            url: url.to_owned(),
            branch: branch.to_owned(),
            folder,
            login: None,
            ssh_command: None,
            program: "git".to_owned(),
            within: WITHIN,
        };
        match Url::parse(url) {
            Ok(mut parsed) if matches!(parsed.scheme(), "http" | "https") => {
                if let Some(login) = environment::take_login(&mut parsed) {
                    oracle.url = parsed.to_string();
                    return oracle.logged_in(login);
                }
            }
            Ok(parsed) if matches!(parsed.scheme(), "ssh" | "file") && parsed.password().is_none() => {}
            // `git@host:path` is no URL, or one whose scheme is the host.
            _ if environment::is_scp(url) => {}
            _ => return Err(bad("it is none of https, http, ssh and file")),
        }
        Ok(oracle)
    }

    /// A repository on this machine, bare or not.
    pub fn local(path: &Path, branch: &str, folder: &str) -> Result<Self, GitError> {
        let bad = |why: String| GitError::Address { address: path.display().to_string(), why };
        let path = path.canonicalize().map_err(|error| bad(format!("it cannot be opened: {error}")))?;
        // As an address, so that git copies what it reads, and does not link to it.
        let url = Url::from_file_path(&path).map_err(|()| bad("it is no absolute path".to_owned()))?;
        Self::remote(url.as_str(), branch, folder)
    }

    /// With a user and a password or token, in place of what the user's git would find by itself.
    pub fn with_login(self, user: &str, password: SecretString) -> Result<Self, GitError> {
        self.logged_in(Login { user: user.to_owned().into(), password: Some(password) })
    }

    fn logged_in(mut self, login: Login) -> Result<Self, GitError> {
        let bad = |why: &str| Err(GitError::Address { address: environment::shown(&self.url), why: why.to_owned() });
        match Url::parse(&self.url) {
            Ok(url) if url.scheme() == "https" || url.scheme() == "http" && environment::is_local(&url) => {}
            Ok(url) if url.scheme() == "http" => {
                return bad("it is plain HTTP: the credentials would cross the network in clear");
            }
            _ => return bad("a user and a password are for https only"),
        }
        self.login = Some(login);
        Ok(self)
    }

    /// With this `GIT_SSH_COMMAND`, in place of the environment's.
    #[must_use]
    pub fn with_ssh_command(mut self, command: &str) -> Self {
        self.ssh_command = Some(command.to_owned());
        self
    }

    /// With this program in place of the `git` in PATH.
    #[must_use]
    pub fn with_program(mut self, program: &str) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// Waits this long, instead of a minute.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// What it logs in with, that no answer and no record may show, by what it is.
    pub fn secrets(&self) -> Vec<(&'static str, SecretString)> {
        let Some(login) = &self.login else { return Vec::new() };
        let password = login.password.clone().map(|password| ("the password of the oracle's Git login", password));
        // A token may stand where others have a user; a short user is none, and stands in many words.
        let is_token = login.user.expose_secret().len() > 15 || login.password.is_none();
        let token = is_token.then(|| ("the token of the oracle's Git login", login.user.clone()));
        password.into_iter().chain(token).collect()
    }

    /// The address, without credentials.
    pub fn address(&self) -> &str {
        &self.url
    }

    /// The branch that is read.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The folder that is read; empty for the whole repository.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The version of the program, as it says itself; nothing where it does not.
    pub async fn version(&self) -> Option<String> {
        let mut command = tokio::process::Command::new(&self.program);
        command.arg("--version").env_clear().envs(environment::environment(self));
        let ended = crate::command::run(command, self.within).await.ok().flatten()?;
        let said = String::from_utf8_lossy(&ended.said).into_owned();
        ended.status.success().then(|| said.trim().trim_start_matches("git version ").to_owned())
    }

    /// Clones, and reads every manifest under the folder.
    pub async fn read(&self) -> Result<Read<Desired>, GitError> {
        let git = Git::clone(self).await?;
        let (commit, author_time) = git.newest().await?;
        let files = git.files().await?;
        let mut desired = Desired { commit, author_time, objects: Vec::new(), files: files.len(), others: 0 };
        for (file, bytes) in files {
            let (objects, others) = manifests::read(&file, &bytes).map_err(|broken| broken.of(git.address()))?;
            desired.objects.extend(objects);
            desired.others += others;
        }
        let names: Vec<String> = desired
            .objects
            .iter()
            .take(50)
            .map(|one| format!("{} {} ({}:{})", one.kind, one.name, one.file, one.line))
            .collect();
        let found = json!({
            "commit": desired.commit, "author_time": desired.author_time, "files": desired.files,
            "count": desired.objects.len(), "objects": names, "others": desired.others,
        });
        let place =
            if self.folder.is_empty() { "the repository".to_owned() } else { format!("folder {}", self.folder) };
        let asked = format!("clone branch {} and read the manifests of {place}", self.branch);
        Ok(Read { value: desired, reading: Reading::now(format!("git {}", self.url), asked, found) })
    }
}

#[cfg(test)]
mod tests;
