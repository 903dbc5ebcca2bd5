//! Credentials, handed to git by its environment only: nothing of them stands in an argument list or a settings
//! file. The one exception is an SSH key, which `ssh` reads as a file: it lies in a private folder inside the
//! repository's own one, and is removed when git has ended.

use crate::address::{Address, Transport};
use crate::config::{Credentials, Remote};
use crate::scratch::Scratch;
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Sent beside a token when no user name is set; GitHub, GitLab, Gitea and Azure DevOps accept any.
const TOKEN_USER: &str = "x-access-token";

/// What one call to git needs to get into a remote. Dropping it removes the key file.
#[derive(Default)]
pub(crate) struct Access {
    /// Further environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Further git settings, which also travel by environment.
    pub(crate) settings: Vec<(String, String)>,
    /// Texts that must never be repeated.
    pub(crate) secrets: Vec<SecretString>,
    _key: Option<Scratch>,
}

impl Access {
    /// Prepares the way to a remote. `folder` is the repository's own folder, `scratch` the one for temporary files.
    pub(crate) fn prepare(remote: &Remote, address: &Address, folder: &Path, scratch: &Path) -> io::Result<Self> {
        let mut access = Self { settings: transport_settings(address.transport), ..Self::default() };
        match &remote.credentials {
            Credentials::Token { username, token } => access.token(username.as_deref(), token),
            Credentials::SshKey { private_key, known_hosts } => {
                access.ssh(Some(private_key), known_hosts.as_deref(), folder, scratch)?;
            }
            Credentials::None if address.transport == Transport::Ssh => access.ssh(None, None, folder, scratch)?,
            Credentials::None => {}
        }
        Ok(access)
    }

    /// Basic authentication as a header that git adds to each request. It goes to one host only, because redirects
    /// are off. An askpass program would need a file, and a second round trip for every request.
    fn token(&mut self, username: Option<&str>, token: &SecretString) {
        let user = username.filter(|u| !u.is_empty()).unwrap_or(TOKEN_USER);
        let pair = format!("{user}:{}", token.expose_secret());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.settings.push(("http.extraHeader".into(), format!("Authorization: Basic {encoded}")));
        self.secrets.extend([token.clone(), SecretString::from(encoded)]);
    }

    fn ssh(
        &mut self,
        key: Option<&SecretString>,
        known_hosts: Option<&str>,
        folder: &Path,
        scratch: &Path,
    ) -> io::Result<()> {
        let private = Scratch::new(scratch)?;
        let mut options = vec![
            "BatchMode=yes".to_owned(),
            "ConnectTimeout=15".into(),
            "ServerAliveInterval=10".into(),
            "ServerAliveCountMax=3".into(),
            "ClearAllForwardings=yes".into(),
            "PermitLocalCommand=no".into(),
            "IdentityAgent=none".into(),
            "IdentitiesOnly=yes".into(),
            "PreferredAuthentications=publickey".into(),
            "GlobalKnownHostsFile=/dev/null".into(),
            "LogLevel=ERROR".into(),
        ];
        let hosts = match known_hosts {
            Some(text) => {
                let file = private.path().join("known_hosts");
                write_private(&file, &unix_lines(text))?;
                options.push("StrictHostKeyChecking=yes".into());
                file
            }
            None => {
                options.push("StrictHostKeyChecking=accept-new".into());
                folder.join("known_hosts")
            }
        };
        options.push(format!("UserKnownHostsFile=\"{}\"", ssh_path(&hosts)));
        let mut command = "ssh -F none".to_owned();
        for option in &options {
            command.push_str(" -o ");
            command.push_str(&quoted(option));
        }
        if let Some(key) = key {
            let file = private.path().join("key");
            write_private(&file, &unix_lines(key.expose_secret()))?;
            command.push_str(" -i ");
            command.push_str(&quoted(&ssh_path(&file)));
        }
        self.environment.extend([("GIT_SSH_COMMAND", command), ("GIT_SSH_VARIANT", "ssh".into())]);
        self._key = Some(private);
        Ok(())
    }
}

fn transport_settings(transport: Transport) -> Vec<(String, String)> {
    vec![(format!("protocol.{}.allow", transport.word()), "always".into())]
}

/// Text with line feeds alone and one at the end; `ssh` refuses a key without it.
fn unix_lines(text: &str) -> String {
    let mut lines: String = text.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    lines.push('\n');
    lines
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// A path as ssh's options read it: `%` starts a token there.
fn ssh_path(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%%")
}

/// One word of a shell command; git hands `GIT_SSH_COMMAND` to a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(url: &str, credentials: Credentials) -> (Access, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let address = Address::parse(url, true).unwrap();
        let remote = Remote { url: url.into(), credentials };
        (Access::prepare(&remote, &address, dir.path(), dir.path()).unwrap(), dir)
    }

    #[test]
    fn only_the_transport_in_use_is_allowed() {
        let (access, _dir) = prepare("https://git.example.com/a.git", Credentials::None);
        assert_eq!(access.settings, [("protocol.https.allow".to_owned(), "always".to_owned())]);
        assert!(access.environment.is_empty());
    }

    #[test]
    fn a_token_travels_as_a_header_setting() {
        let token = Credentials::Token { username: Some("ci".into()), token: "s3cret".into() };
        let (access, _dir) = prepare("https://git.example.com/a.git", token);
        assert!(access.settings.contains(&("http.extraHeader".into(), "Authorization: Basic Y2k6czNjcmV0".into())));
        assert_eq!(access.secrets.len(), 2);
    }

    #[test]
    fn an_ssh_key_is_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let key = Credentials::SshKey { private_key: "line one\r\nline two".into(), known_hosts: None };
        let (access, dir) = prepare("git@git.example.com:a.git", key);
        let folder = access._key.as_ref().unwrap().path().to_owned();
        let file = folder.join("key");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "line one\nline two\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let command = &access.environment[0].1;
        assert!(command.contains("StrictHostKeyChecking=accept-new"), "{command}");
        assert!(command.contains("IdentitiesOnly=yes"), "{command}");
        drop(access);
        assert!(!folder.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn given_host_keys_are_strict() {
        let key = Credentials::SshKey { private_key: "k".into(), known_hosts: Some("h ssh-ed25519 AAAA".into()) };
        let (access, _dir) = prepare("ssh://git@git.example.com/a.git", key);
        assert!(access.environment[0].1.contains("StrictHostKeyChecking=yes"));
    }

    #[test]
    fn shell_words_are_quoted() {
        assert_eq!(quoted("a'b c"), r"'a'\''b c'");
        assert_eq!(ssh_path(Path::new("/data/100%/x")), "/data/100%%/x");
    }
}
