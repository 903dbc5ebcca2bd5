//! What can go wrong with a source, in the stable codes of `model::Code`. Git says it in words; they are read under
//! `LC_ALL=C`, where git, curl and ssh do not translate them.

use crate::config::ConfigError;
use model::Code;

/// A failed action on a source: the code says what kind, the message what happened, to whom, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable code; its `what_to_do` is the next step.
    pub code: Code,
    /// One or two sentences. Never holds a credential or a path of this server.
    pub message: String,
    /// The last words of git itself, redacted and bounded; for the log and for the curious.
    pub detail: Option<String>,
    /// Whether the same may succeed in a moment without anybody changing anything.
    pub transient: bool,
}

impl Error {
    /// An error in our own words.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let transient = matches!(code, Code::SourceUnreachable | Code::SourceTimeout);
        Self { code, message: message.into(), detail: None, transient }
    }

    /// The repository outgrew its limit.
    pub(crate) fn too_large() -> Self {
        Self::new(Code::SourceTooLarge, "The repository is larger than the limit; what it sent was not taken.")
    }

    /// A failure of this server's disk.
    pub(crate) fn disk(doing: &str, error: &std::io::Error) -> Self {
        Self::new(Code::StoreUnavailable, format!("{doing} failed on this server's disk: {}.", error.kind()))
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::SourceConfigInvalid, error.to_string())
    }
}

/// Whom a call talks to.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Nobody: the repository on this server.
    Local,
    /// A remote, by its host's name.
    Remote {
        /// The host, for messages.
        host: String,
    },
}

impl Place {
    /// `" on git.example.com"`, or nothing.
    pub(crate) fn of(&self) -> String {
        match self {
            Self::Local => String::new(),
            Self::Remote { host } => format!(" on {host}"),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Local => "The local repository",
            Self::Remote { host } => host,
        }
    }
}

/// What the caller may want to do about a failure, beyond telling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The server answered with a redirect, which is not followed.
    Redirect,
    /// The branch is not there.
    NoBranch,
    /// The server cannot give a part of a history.
    NoShallow,
    /// The repository outgrew its limit.
    TooLarge,
    /// The branch is not where the push expected it.
    Moved,
    /// The server does not take this push to this branch.
    Refused,
    /// Anything else.
    Other,
}

/// One rule: any of the texts in git's words (lower case) gives this code and sentence.
struct Rule {
    any: &'static [&'static str],
    trouble: Trouble,
    code: Code,
    /// What is said after the place's name.
    says: &'static str,
    /// Whether it stays as it is until somebody changes something, although its code alone would let one try again.
    stays: bool,
}

const fn rule(any: &'static [&'static str], code: Code, says: &'static str) -> Rule {
    Rule { any, trouble: Trouble::Other, code, says, stays: false }
}

const fn stays(any: &'static [&'static str], code: Code, says: &'static str) -> Rule {
    Rule { stays: true, ..rule(any, code, says) }
}

/// The first rule that matches wins, so the precise ones stand first. Texts are git 2.31 to 2.5x, curl and OpenSSH.
const RULES: &[Rule] = &[
    rule(
        &["no space left on device", "disk quota exceeded"],
        Code::StoreUnavailable,
        ": this server's disk is full, so the objects could not be stored.",
    ),
    rule(
        &["error in libcrypto", "invalid format", "incorrect passphrase"],
        Code::SourceConfigInvalid,
        ": the SSH private key cannot be read. Enter an OpenSSH or PEM key without a passphrase.",
    ),
    rule(
        &["permission denied (publickey", "permission denied (password", "too many authentication failures"],
        Code::SourceUnauthorized,
        " refused the SSH key, or was shown none. Check that a key is entered, and that its public half may read this \
         repository.",
    ),
    rule(
        &["host key is known for"],
        Code::SourceConfigInvalid,
        " showed an SSH host key of which the known_hosts lines hold none. Compare its fingerprint with the one that the \
         server's operator gives, and enter the line for it.",
    ),
    rule(
        &["host key verification failed", "remote host identification has changed"],
        Code::SourceConfigInvalid,
        " showed another SSH host key than the known one. If the server's key was really renewed, enter its new \
         known_hosts lines.",
    ),
    stays(
        &["bad line length character"],
        Code::SourceUnreachable,
        " did not speak Git's protocol: the account there prints a text of its own, or may not run Git.",
    ),
    rule(
        &["no matching host key type", "no matching key exchange", "no matching cipher"],
        Code::SourceConfigInvalid,
        " and this server's ssh have no algorithm in common.",
    ),
    rule(
        &["could not read username", "could not read password", "authentication failed", "error: 401"],
        Code::SourceUnauthorized,
        " asks for credentials, or refused the ones it was sent (HTTP 401).",
    ),
    rule(
        &["error: 403", "write access to repository not granted", "access denied", "not authorized"],
        Code::SourceUnauthorized,
        " knows the credentials, but they may not read this repository (HTTP 403).",
    ),
    rule(&["error: 429"], Code::SourceUnreachable, " asks to be called less often (HTTP 429)."),
    Rule {
        any: &[
            "error: 301",
            "error: 302",
            "error: 303",
            "error: 307",
            "error: 308",
            "unable to update url base from redirection",
        ],
        trouble: Trouble::Redirect,
        code: Code::SourceConfigInvalid,
        says: " redirects this address to another one; redirects are not followed, because the credentials would go \
               along. Enter the final address.",
        stays: true,
    },
    Rule {
        any: &["couldn't find remote ref", "could not find remote ref"],
        trouble: Trouble::NoBranch,
        code: Code::SourceRefNotFound,
        says: " has no such branch in this repository.",
        stays: true,
    },
    Rule {
        any: &["does not support shallow", "does not support --depth", "does not support filter"],
        trouble: Trouble::NoShallow,
        code: Code::SourceUnreachable,
        says: " cannot give a part of the history.",
        stays: true,
    },
    rule(
        &[
            "error: 404",
            "error: 410",
            "repository not found",
            "' not found",
            "could not be found",
            "is this a git repository",
        ],
        Code::SourceNotFound,
        " has no repository at this address, or hides it from these credentials.",
    ),
    rule(
        &["does not appear to be a git repository", "not a git repository", "dubious ownership", "does not exist"],
        Code::SourceNotFound,
        " has no Git repository at this address that may be read.",
    ),
    rule(&["transport '", "protocol '"], Code::SourceConfigInvalid, " asks for a transport that is not allowed."),
    rule(
        &[
            "could not resolve host",
            "could not resolve proxy",
            "name or service not known",
            "temporary failure in name resolution",
        ],
        Code::SourceUnreachable,
        " is not known to the name service.",
    ),
    rule(
        &["operation too slow", "operation timed out", "connection timed out", "timeout, server"],
        Code::SourceTimeout,
        " does not answer.",
    ),
    rule(
        &["network is unreachable", "no route to host", "connection refused", "failed to connect", "couldn't connect"],
        Code::SourceUnreachable,
        " cannot be reached: nothing answers at this address and port.",
    ),
    stays(
        &["certificate", "gnutls_handshake", "ssl_connect", "ssl connect error", "tls connect error"],
        Code::SourceUnreachable,
        " has a TLS certificate that this server does not trust. Install the certificate's authority on this server.",
    ),
    rule(
        &["error: 500", "error: 502", "error: 503", "error: 504"],
        Code::SourceUnreachable,
        " answered with a server error.",
    ),
    stays(
        &["fsck error", "object corrupt", "is corrupt", "badtree", "inflate", "bad pack", "pack has bad object"],
        Code::SourceUnreachable,
        " sent objects that fail git's integrity check; nothing of them was taken.",
    ),
    rule(
        &["mismatched algorithms", "object format"],
        Code::SourceConfigInvalid,
        " keeps this repository in SHA-256 form, which is not supported.",
    ),
    rule(
        &[
            "early eof",
            "hung up unexpectedly",
            "connection reset",
            "empty reply",
            "connection closed",
            "unexpected disconnect",
            "rpc failed",
        ],
        Code::SourceUnreachable,
        " broke the connection off.",
    ),
];

/// How a failure is understood: what was being done, with whom, what git said, and what it answered on its standard
/// output; both are redacted.
pub(crate) type Classify = fn(&str, &Place, &str, &str) -> (Trouble, Error);

/// Turns git's words into a code and a sentence; for calls whose answer says nothing about a failure.
pub(crate) fn classify(doing: &str, place: &Place, said: &str, _answered: &str) -> (Trouble, Error) {
    let lower = said.to_lowercase();
    let detail = last_words(said);
    let here = matches!(place, Place::Local);
    // The rules are about servers; of a call that talks to none, only the disk's words mean something.
    for rule in RULES.iter().filter(|rule| !here || rule.code == Code::StoreUnavailable) {
        if rule.any.iter().any(|text| lower.contains(text)) {
            let message = format!("{}{}", place.name(), rule.says);
            let error = Error::new(rule.code, message);
            let transient = error.transient && !rule.stays;
            return (rule.trouble, Error { detail, transient, ..error });
        }
    }
    let code = if here { Code::Internal } else { Code::SourceUnreachable };
    let why = detail.clone().unwrap_or_else(|| "git gave no reason".into());
    (Trouble::Other, Error { detail, ..Error::new(code, format!("{doing} failed{}: {why}.", place.of())) })
}

/// The lines that carry the reason: `fatal:`, `error:`, `remote:` and ssh's own, without progress, at most 400
/// characters.
fn last_words(said: &str) -> Option<String> {
    let progress = |line: &str| line.contains('%') || line.contains("done.") || line.starts_with("hint:");
    let lines: Vec<&str> = said.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty() && !progress(l)).collect();
    let start = lines.len().saturating_sub(4);
    let lines: Vec<&str> = lines[start..].iter().map(|line| line.trim_end_matches('.')).collect();
    let text: String = lines.join("; ").chars().filter(|c| !c.is_control()).take(400).collect();
    let text = text.trim_end_matches('.').to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(said: &str) -> Code {
        classify("Fetching", &Place::Remote { host: "git.example.com".into() }, said, "").1.code
    }

    #[test]
    fn words_of_git_have_their_codes() {
        let cases = [
            ("fatal: could not read Username for 'https://x': terminal prompts disabled", Code::SourceUnauthorized),
            ("fatal: Authentication failed for 'https://x/'", Code::SourceUnauthorized),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 403", Code::SourceUnauthorized),
            ("git@x: Permission denied (publickey).", Code::SourceUnauthorized),
            ("fatal: repository 'https://x/y/' not found", Code::SourceNotFound),
            ("remote: Repository not found.\nfatal: repository 'https://x/y/' not found", Code::SourceNotFound),
            ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", Code::SourceNotFound),
            ("fatal: 'y.git' does not appear to be a git repository", Code::SourceNotFound),
            ("fatal: couldn't find remote ref refs/heads/nope", Code::SourceRefNotFound),
            ("fatal: unable to access 'https://x/': Could not resolve host: x", Code::SourceUnreachable),
            ("ssh: Could not resolve hostname x: Name or service not known", Code::SourceUnreachable),
            (
                "fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused",
                Code::SourceUnreachable,
            ),
            (
                "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none",
                Code::SourceUnreachable,
            ),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 502", Code::SourceUnreachable),
            ("fatal: unable to access 'https://x/': The requested URL returned error: 301", Code::SourceConfigInvalid),
            ("fatal: transport 'ext' not allowed", Code::SourceConfigInvalid),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", Code::SourceConfigInvalid),
            (
                "No ED25519 host key is known for [x]:2222 and you have requested strict checking.\r\nHost key verification \
                 failed.",
                Code::SourceConfigInvalid,
            ),
            ("fatal: unable to access 'https://x/': Operation too slow. Less than 1 bytes/sec", Code::SourceTimeout),
            ("error: file write error: No space left on device\nfatal: unable to write", Code::StoreUnavailable),
            ("fatal: the remote end hung up unexpectedly", Code::SourceUnreachable),
            ("something nobody has seen", Code::SourceUnreachable),
        ];
        for (said, expected) in cases {
            assert_eq!(code(said), expected, "{said}");
        }
    }

    #[test]
    fn what_stays_as_it_is_is_not_worth_another_try() {
        let transient = |said: &str| classify("Fetching", &Place::Remote { host: "x".into() }, said, "").1.transient;
        for said in [
            "fatal: unable to access 'https://x/': The requested URL returned error: 502",
            "fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused",
            "fatal: unable to access 'https://x/': Operation too slow. Less than 1 bytes/sec",
            "fatal: the remote end hung up unexpectedly",
        ] {
            assert!(transient(said), "{said}");
        }
        for said in [
            "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none",
            "fatal: protocol error: bad line length character: This",
            "fatal: fsck error in packed object",
            "fatal: Authentication failed for 'https://x/'",
            "fatal: couldn't find remote ref refs/heads/nope",
            "Host key verification failed.\nfatal: Could not read from remote repository.",
            "error: file write error: No space left on device\nfatal: unable to write",
        ] {
            assert!(!transient(said), "{said}");
        }
    }

    #[test]
    fn a_damaged_folder_of_ours_is_not_the_server_s_fault() {
        let (_, error) = classify("Reading files", &Place::Local, "fatal: not a git repository: '[repository]'", "");
        assert_eq!(error.code, Code::Internal);
        assert!(error.message.starts_with("Reading files failed: fatal: not a git repository"), "{error}");
        let (_, error) = classify("Writing the commit", &Place::Local, "error: No space left on device", "");
        assert_eq!(error.code, Code::StoreUnavailable);
    }

    #[test]
    fn the_detail_is_bounded_and_without_progress() {
        let said = format!("Receiving objects:  45% (9/20)\r{}\nfatal: {}", "x".repeat(50), "y".repeat(2_000));
        let (_, error) = classify("Fetching", &Place::Local, &said, "");
        let detail = error.detail.unwrap();
        assert!(detail.chars().count() <= 400 && !detail.contains('%'), "{detail}");
    }
}
