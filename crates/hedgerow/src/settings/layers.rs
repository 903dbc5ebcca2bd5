//! The four places that a setting can come from, laid over each other: flag, environment, file, default.

use super::file;
use super::nearest::nearest;
use super::value::Value;
use super::{REGISTRY, Setting};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Prefix of the environment variables that are ours.
const PREFIX: &str = "HEDGEROW_";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A line of the settings file.
    File(PathBuf, usize),
    /// The default.
    Default,
}

impl Origin {
    /// The kind of place, one word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Origin::Flag(_) => "flag",
            Origin::Environment(_) => "environment",
            Origin::File(..) => "file",
            Origin::Default => "default",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(name) => write!(f, "flag {name}"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::File(path, line) => write!(f, "file {}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Everything that is wrong with the settings, each with its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems(Vec<(String, String)>);

impl Problems {
    /// Adds one.
    pub(crate) fn add(&mut self, place: String, what: String) {
        self.0.push((place, what));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "the settings have a problem" } else { "the settings have problems" })?;
        self.0.iter().try_for_each(|(place, what)| write!(f, "\n  {place}: {what}"))
    }
}

impl std::error::Error for Problems {}

/// The texts of the settings that are set, from the highest place that sets each, and what was wrong on the way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    texts: BTreeMap<&'static str, (String, Origin)>,
    problems: Problems,
}

impl Layers {
    /// Lays file, environment and flags over each other. `set` holds `--set`, `flags` the flags that are a setting.
    pub(crate) fn gather(
        config: Option<PathBuf>,
        environment: impl Iterator<Item = (String, String)>,
        set: &[(String, String)],
        flags: Vec<(&'static str, &'static str, Option<String>)>,
    ) -> Self {
        let mut layers = Self::default();
        let environment: Vec<(String, String)> =
            environment.filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
        let named = environment.iter().find(|(name, _)| name == "HEDGEROW_CONFIG").map(|(_, path)| PathBuf::from(path));
        if let Some(path) = config.or(named) {
            layers.add_file(&path);
        }
        layers.add_environment(&environment);
        for (key, value) in set {
            match find(key) {
                Some(setting) => layers.put(setting.key, value.clone(), Origin::Flag("--set")),
                None => layers.problems.add(format!("--set {key}"), unknown_key(key)),
            }
        }
        for (flag, key, value) in flags {
            if let Some(value) = value {
                layers = layers.with_flag(flag, key, value);
            }
        }
        layers
    }

    /// Adds one flag over everything.
    pub(crate) fn with_flag(mut self, flag: &'static str, key: &'static str, value: String) -> Self {
        self.put(key, value, Origin::Flag(flag));
        self
    }

    /// What was wrong with the places themselves.
    pub(super) fn problems(&self) -> Problems {
        self.problems.clone()
    }

    /// The text of a setting and where it comes from.
    pub(super) fn text(&self, key: &str) -> (String, Origin) {
        match self.texts.get(key) {
            Some((text, origin)) => (text.clone(), origin.clone()),
            None => (find(key).map(|setting| setting.default.to_owned()).unwrap_or_default(), Origin::Default),
        }
    }

    /// Whether nobody set it.
    pub(crate) fn is_default(&self, key: &str) -> bool {
        !self.texts.contains_key(key)
    }

    /// Where a setting comes from, as an error names it.
    pub(super) fn place(&self, key: &str) -> String {
        match self.text(key).1 {
            Origin::Flag(name) => name.to_owned(),
            Origin::Environment(name) => name,
            Origin::File(path, line) => format!("{}:{line}", path.display()),
            Origin::Default => format!("default of '{key}'"),
        }
    }

    /// The value of a setting; a text that does not fit is added to the problems.
    pub(super) fn value<T: Value>(&self, key: &'static str, problems: &mut Problems) -> Option<T> {
        let (text, _) = self.text(key);
        match T::parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                let shown = if T::SECRET { "its value".to_owned() } else { format!("'{text}'") };
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                problems.add(self.place(key), format!("'{key}' cannot be {shown}{why}; expected {}", T::FORM));
                None
            }
        }
    }

    fn put(&mut self, key: &'static str, text: String, origin: Origin) {
        self.texts.insert(key, (text, origin));
    }

    fn add_file(&mut self, path: &Path) {
        let entries = match file::read(path) {
            Ok(entries) => entries,
            Err(error) => {
                let place = match &error {
                    file::Error::Syntax { line, .. } => format!("{}:{line}", path.display()),
                    file::Error::Read(_) => path.display().to_string(),
                };
                self.problems.add(place, error.to_string());
                return;
            }
        };
        for entry in entries {
            let place = format!("{}:{}", path.display(), entry.line);
            match (find(&entry.key), entry.text) {
                (None, _) => self.problems.add(place, unknown_key(&entry.key)),
                (Some(setting), Err(why)) => {
                    let what = format!("'{}': {why}; expected {}", setting.key, setting.form);
                    self.problems.add(place, what);
                }
                (Some(setting), Ok(text)) => {
                    let text = beside_the_file(setting, path, text);
                    self.put(setting.key, text, Origin::File(path.to_owned(), entry.line));
                }
            }
        }
    }

    fn add_environment(&mut self, environment: &[(String, String)]) {
        for (name, value) in environment {
            match REGISTRY.iter().find(|setting| setting.variable() == *name) {
                Some(setting) => self.put(setting.key, value.clone(), Origin::Environment(name.clone())),
                None if is_not_a_setting(name) => {}
                None => {
                    let names: Vec<String> = REGISTRY.iter().map(Setting::variable).collect();
                    let hint = nearest(name, names.iter().map(String::as_str));
                    let hint = hint.map_or_else(
                        || "`hedgerow config` lists all settings".to_owned(),
                        |near| format!("did you mean {near}?"),
                    );
                    self.problems.add(name.clone(), format!("there is no such setting; {hint}"));
                }
            }
        }
    }
}

/// Variables with our prefix that are not settings: the file's own, those of the commands that ask a server, those of
/// tests and of the build, and those that Kubernetes puts into every pod beside a Service named `hedgerow`.
fn is_not_a_setting(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest == "CONFIG"
        || rest == "TOKEN"
        || rest == "SERVER"
        || rest == "BIN"
        || rest.starts_with("TEST_")
        || rest.starts_with("BUILD_")
        || rest == "SERVICE_HOST"
        || rest == "PORT"
        || rest.starts_with("SERVICE_PORT")
        || rest.strip_prefix("PORT_").is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()))
}

/// A relative path in the file is meant relative to the file, so that it does not depend on where one stands.
fn beside_the_file(setting: &Setting, file: &Path, text: String) -> String {
    let relative = setting.kind == <PathBuf as Value>::TYPE && !text.is_empty() && !text.starts_with(['/', '~']);
    match file.parent().filter(|parent| relative && !parent.as_os_str().is_empty()) {
        Some(parent) => parent.join(text).display().to_string(),
        None => text,
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    REGISTRY.iter().find(|setting| setting.key == key)
}

fn unknown_key(key: &str) -> String {
    match nearest(key, REGISTRY.iter().map(|setting| setting.key)) {
        Some(near) => format!("unknown key '{key}'; did you mean '{near}'?"),
        None => format!("unknown key '{key}'; `hedgerow config` lists all keys"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, shown};

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file_with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hedgerow.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn flag_over_environment_over_file_over_default() {
        let (_folder, path) =
            file_with("listen = '127.0.0.1:1'\n[session]\nidle = '2m'\nabsolute = '3h'\n[log]\nlevel = 'warn'\n");
        let environment = pairs(&[("HEDGEROW_LISTEN", "127.0.0.1:2"), ("HEDGEROW_SESSION_IDLE", "30m"), ("PATH", "x")]);
        let flags = vec![("--listen", "listen", Some("127.0.0.1:3".to_owned()))];
        let layers = Layers::gather(Some(path.clone()), environment.into_iter(), &[], flags);
        Settings::load(&layers).unwrap();
        let origin = |key: &str| shown(&layers).into_iter().find(|s| s.setting.key == key).map(|s| (s.value, s.origin));
        assert_eq!(origin("listen"), Some(("127.0.0.1:3".into(), Origin::Flag("--listen"))));
        assert_eq!(origin("session.idle"), Some(("30m".into(), Origin::Environment("HEDGEROW_SESSION_IDLE".into()))));
        assert_eq!(origin("session.absolute"), Some(("3h".into(), Origin::File(path, 4))));
        assert_eq!(origin("compare.interval"), Some(("1m".into(), Origin::Default)));
    }

    #[test]
    fn all_problems_are_named_with_their_places() {
        let (_folder, path) = file_with("lisen = 'x'\n[session]\nidle = 'soon'\nabsolut = '1h'\n");
        let environment = pairs(&[("HEDGEROW_LOG_LEVL", "info"), ("HEDGEROW_LOG_FORMAT", "xml")]);
        let layers = Layers::gather(Some(path), environment.into_iter(), &pairs(&[("nothing.like.it", "1")]), vec![]);
        let text = Settings::load(&layers).unwrap_err().to_string();
        for part in [
            "hedgerow.toml:1: unknown key 'lisen'; did you mean 'listen'?",
            "hedgerow.toml:3: 'session.idle' cannot be 'soon'",
            "expected a duration such as",
            "hedgerow.toml:4: unknown key 'session.absolut'; did you mean 'session.absolute'?",
            "HEDGEROW_LOG_LEVL: there is no such setting; did you mean HEDGEROW_LOG_LEVEL?",
            "HEDGEROW_LOG_FORMAT: 'log.format' cannot be 'xml'; expected text or json",
            "--set nothing.like.it: unknown key 'nothing.like.it'",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
    }

    #[test]
    fn a_secret_is_not_repeated_in_an_error() {
        let environment = pairs(&[("HEDGEROW_DATABASE_URL", "mysql://root:s3cret@db/x")]);
        let layers = Layers::gather(None, environment.into_iter(), &[], vec![]);
        let text = Settings::load(&layers).unwrap_err().to_string();
        assert!(text.contains("HEDGEROW_DATABASE_URL") && !text.contains("s3cret"), "{text}");
    }

    #[test]
    fn variables_of_kubernetes_and_of_tests_are_left_alone() {
        let environment = pairs(&[
            ("HEDGEROW_SERVICE_HOST", "10.43.0.7"),
            ("HEDGEROW_SERVICE_PORT_HTTP", "80"),
            ("HEDGEROW_PORT", "tcp://10.43.0.7:80"),
            ("HEDGEROW_PORT_80_TCP_ADDR", "10.43.0.7"),
            ("HEDGEROW_TEST_BROWSER", "1"),
            ("HEDGEROW_LISTEN", ""),
        ]);
        let layers = Layers::gather(None, environment.into_iter(), &[], vec![]);
        assert_eq!(Settings::load(&layers).unwrap().listen.port(), 8480);
    }

    #[test]
    fn paths_in_the_file_are_relative_to_it() {
        let (folder, path) = file_with("data = 'state'\n[tls]\ncert = '/etc/chain.pem'\nkey = 'key.pem'\n");
        let settings = Settings::load(&Layers::gather(Some(path), std::iter::empty(), &[], vec![])).unwrap();
        assert_eq!(settings.data, folder.path().join("state"));
        assert_eq!(settings.tls_cert.unwrap(), Path::new("/etc/chain.pem"));
        assert_eq!(settings.tls_key.unwrap(), folder.path().join("key.pem"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let layers = Layers::gather(Some("/nowhere/hedgerow.toml".into()), std::iter::empty(), &[], vec![]);
        let text = Settings::load(&layers).unwrap_err().to_string();
        assert!(text.contains("/nowhere/hedgerow.toml: cannot read the settings file"), "{text}");
    }
}
