//! The settings: every one is a single entry below, with its key, type, default and meaning. The entry feeds the
//! typed struct, `hedgerow config`, the errors, the environment variables and `docs/reference/settings.md`.
//!
//! A flag goes before an environment variable, a variable before the file, the file before the default
//! ([`layers`]). Nothing is guessed: an unknown key or a value that does not fit ends the start with the place.

mod file;
mod layers;
mod nearest;
mod outside;
mod value;
mod verify;

pub(crate) use layers::{Layers, Problems};
pub(crate) use outside::{Header, Issuer, Mapped, Secret, Words};
pub(crate) use value::{Bytes, DatabaseUrl, LogFormat, LogLevel, PublicUrl, Token};

use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
pub(crate) use value::Value;

/// One setting, without its value.
pub(crate) struct Setting {
    /// Key in the file, with dots.
    pub(crate) key: &'static str,
    /// Heading on the reference page.
    pub(crate) section: &'static str,
    /// What it is for.
    pub(crate) doc: &'static str,
    /// Type, one or two words.
    pub(crate) kind: &'static str,
    /// The form that is expected.
    pub(crate) form: &'static str,
    /// The default as it would be written; empty when there is none.
    pub(crate) default: &'static str,
    /// Whether the text may hold a secret.
    pub(crate) secret: bool,
    /// Reads a text and gives it back as it is shown, or says what is wrong with it.
    show: fn(&str) -> Result<String, String>,
}

impl Setting {
    /// The environment variable of this setting.
    pub(crate) fn variable(&self) -> String {
        format!("HEDGEROW_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The flag of `serve`, for the few settings that have one of their own.
    pub(crate) fn flag(&self) -> Option<&'static str> {
        match self.key {
            "listen" => Some("--listen"),
            "data" => Some("--data"),
            "tls.cert" => Some("--tls-cert"),
            "tls.key" => Some("--tls-key"),
            _ => None,
        }
    }
}

macro_rules! settings {
    ($( $section:literal { $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $key:literal, $default:literal; )+ } )+) => {
        /// The settings, read and checked.
        #[derive(Debug, Clone)]
        pub(crate) struct Settings { $($( $(#[doc = $doc])+ pub(crate) $field: $type, )+)+ }

        /// Every setting, in the order of the reference page.
        pub(crate) const REGISTRY: &[Setting] = &[$($( Setting {
            key: $key,
            section: $section,
            doc: concat!($($doc),+),
            kind: <$type as Value>::TYPE,
            form: <$type as Value>::FORM,
            default: $default,
            secret: <$type as Value>::SECRET,
            show: |text| <$type as Value>::parse(text).map(|value| value.show()),
        }, )+)+];

        impl Settings {
            fn read(layers: &Layers, problems: &mut Problems) -> Option<Self> {
                $($( let $field = layers.value::<$type>($key, problems); )+)+
                Some(Self { $($( $field: $field?, )+)+ })
            }
        }
    };
}

settings! {
    "Server" {
        /// Address and port to listen on; port 0 takes a free one. Plain HTTP is served on loopback only, unless `trusted_proxies` names a proxy.
        listen: SocketAddr = "listen", "127.0.0.1:8480";
        /// Folder of the database, the key of the secrets and the local repositories. It is created with mode 0700. One server uses it at a time.
        data: PathBuf = "data", "~/.local/share/hedgerow";
        /// Address under which users reach the console, when it is not the one that it listens on, as behind a proxy. A form that comes from another origin is refused.
        public_url: Option<PublicUrl> = "public_url", "";
        /// Proxies in front of the console. Their `X-Forwarded-For` and `X-Forwarded-Host` are believed, nobody else's, and plain HTTP is served to them beyond loopback.
        trusted_proxies: Vec<IpNet> = "trusted_proxies", "";
        /// How long running requests may take to end after SIGTERM or Ctrl-C.
        shutdown_grace: Duration = "shutdown.grace", "10s";
    }
    "TLS" {
        /// Certificate chain in PEM, the server's own certificate first. Needs `tls.key`.
        tls_cert: Option<PathBuf> = "tls.cert", "";
        /// Private key of the certificate in PEM. Needs `tls.cert`.
        tls_key: Option<PathBuf> = "tls.key", "";
    }
    "Database and secrets" {
        /// The database. Without it, SQLite in the data folder; a PostgreSQL database is for several servers.
        database_url: Option<DatabaseUrl> = "database.url", "";
        /// File with the key that seals credentials in the database. Without it, `secret.key` in the data folder, made at the first start with mode 0600. Without this file the stored credentials cannot be read again: back it up, apart from the database.
        secret_key_file: Option<PathBuf> = "secret.key_file", "";
    }
    "Sessions" {
        /// A session ends when nobody used it for this long. Pages that only refresh themselves do not count as use.
        session_idle: Duration = "session.idle", "1h";
        /// A session ends this long after its login, used or not.
        session_absolute: Duration = "session.absolute", "12h";
        /// A page says this long before its session ends that it will, and offers to stay logged in as far as `session.absolute` allows; never earlier than halfway through `session.idle`. Must be shorter than `session.idle` when it is set.
        session_warn_before: Duration = "session.warn_before", "5m";
        /// A change after which somebody else could come in (a password, a user, a permission, an API token, a credential of a fabric) asks for the user's own password again when it was entered longer ago than this.
        session_reauthenticate: Duration = "session.reauthenticate", "15m";
    }
    "OpenID Connect" {
        /// Issuer of the OpenID Connect provider that people can log in by, exactly as the provider's own discovery document writes it. `https`; plain `http` only on loopback. Register at the provider this console's address with `/login/openid/callback/` to come back to after a login, and with `/login/` after a logout. Without it, logins are by password.
        openid_issuer: Option<Issuer> = "openid.issuer", "";
        /// Name of this console at the provider.
        openid_client_id: Option<String> = "openid.client_id", "";
        /// Secret of this console at the provider. Set it or `openid.client_secret_file`.
        openid_client_secret: Option<Secret> = "openid.client_secret", "";
        /// File with the secret of this console at the provider, which is read at the start.
        openid_client_secret_file: Option<PathBuf> = "openid.client_secret_file", "";
        /// What the button on the login page calls the provider.
        openid_name: String = "openid.name", "single sign-on";
        /// Scopes that are asked for.
        openid_scopes: Words = "openid.scopes", "openid profile email";
        /// Claim that names a new user. Who a user is, is told by the provider's own number for the person and never by this name.
        openid_username_claim: String = "openid.username_claim", "preferred_username";
        /// Claim that lists the person's groups; from the ID token, or from userinfo when it is not in there.
        openid_groups_claim: String = "openid.groups_claim", "groups";
        /// Groups of the provider and groups here, such as `noc=operators, net-admins=planners`. With each login the user becomes a member of exactly those of the groups named on the right whose group on the left the claim lists; other groups are left as they are.
        openid_groups: Mapped = "openid.groups", "";
        /// Group of the provider whose members may do everything here. With it, whoever logs in by the provider and is not in this group loses that, except the last administrator.
        openid_superuser_group: Option<String> = "openid.superuser_group", "";
        /// Make an account for whoever logs in by the provider for the first time. An account that is there already under the same name is never taken over; `hedgerow user link` connects it.
        openid_create_users: bool = "openid.create_users", "true";
        /// File of certificate authorities in PEM that the provider's certificate may be signed by, beside those of the system.
        openid_ca_file: Option<PathBuf> = "openid.ca_file", "";
    }
    "Login by a proxy" {
        /// Header in which a proxy of `trusted_proxies` names the user of each request, such as `Remote-User`. From any other address it is ignored. The proxy must take the header out of what clients send. Without it, no header logs anybody in.
        header_auth_user: Option<Header> = "header_auth.user", "";
        /// Header in which that proxy lists the user's groups, separated by commas.
        header_auth_groups: Option<Header> = "header_auth.groups", "";
        /// Groups of the proxy and groups here, as in `openid.groups`. They are looked at when a session begins.
        header_auth_mapping: Mapped = "header_auth.mapping", "";
        /// Make an account for whoever the proxy names for the first time.
        header_auth_create_users: bool = "header_auth.create_users", "true";
    }
    "Source" {
        /// Allow `file://` addresses as the source of a fabric. Who may edit a fabric can then read every repository that this process can read.
        source_allow_file: bool = "source.allow_file", "false";
        /// Longest time for a fetch from a remote repository.
        source_fetch_timeout: Duration = "source.fetch_timeout", "60s";
        /// Largest manifest file that is read.
        source_file_size: Bytes = "source.max_file_size", "8MiB";
        /// Most manifest files in one source.
        source_files: usize = "source.max_files", "20000";
        /// Most objects in one source.
        source_objects: usize = "source.max_objects", "200000";
        /// Deepest nesting in one manifest.
        source_depth: usize = "source.max_depth", "64";
    }
    "Comparison" {
        /// Pause between two background comparisons of a fabric.
        compare_interval: Duration = "compare.interval", "60s";
        /// Evidence that is older than this no longer says anything: the fabric is shown as unknown. Must be longer than `compare.interval`.
        compare_freshness: Duration = "compare.freshness", "180s";
        /// Watch every cluster, so that a change there is compared at once. Without it changes are found by the background comparison only.
        compare_watch: bool = "compare.watch", "true";
    }
    "Schedule" {
        /// Most background comparisons that work at once. One that waits for its cluster for longer than two seconds does not count; fabrics whose cluster did not answer the last time have a lane of their own, twice as wide.
        schedule_parallel_comparisons: usize = "schedule.parallel_comparisons", "8";
        /// Most automatic syncs at once. What people and scripts ask for does not count and does not wait.
        schedule_parallel_syncs: usize = "schedule.parallel_syncs", "4";
        /// Shortest interval of automatic syncs that a fabric may be given.
        schedule_shortest_interval: Duration = "schedule.shortest_interval", "60s";
    }
    "Operations" {
        /// A running operation renews its lease; when its process dies, the operation counts as interrupted after this time.
        operation_lease: Duration = "operation.lease", "15s";
        /// Operations that run at once. Those that stand still, because a cluster or a Git server does not answer, do not count; as many of them may be there besides. More wait their turn, fairly by fabric.
        operation_parallel: usize = "operation.parallel", "64";
        /// How often a step of an operation that failed in a way that passes (no connection, no answer in time, a server error) is tried again, with growing pauses. What does not pass, such as a refused token, is not tried again.
        operation_retries: u32 = "operation.retries", "3";
        /// How long a sync follows the switches after the cluster holds everything. What they have not applied by then stays submitted or pending, and is followed by the background comparison.
        rollout_wait: Duration = "rollout.wait", "15s";
    }
    "Cluster" {
        /// Longest time for a connection to a cluster to be made, TLS included.
        cluster_connect_timeout: Duration = "cluster.connect_timeout", "5s";
        /// Longest time for one answer of a cluster.
        cluster_timeout: Duration = "cluster.timeout", "30s";
        /// Most requests to one cluster at once.
        cluster_parallel: usize = "cluster.parallel", "16";
        /// Objects in one page of a list.
        cluster_page_size: u32 = "cluster.page_size", "500";
    }
    "Metrics" {
        /// Address and port of a second listener that answers `/metrics` to everybody who can reach it, in plain HTTP and without a login. Keep it on loopback or on a network of your own. Without it, `/metrics` is answered by the console itself, to superusers and to the holder of `metrics.token`.
        metrics_listen: Option<SocketAddr> = "metrics.listen", "";
        /// What Prometheus sends as `Authorization: Bearer ...` in order to read `/metrics` of the console; at least 16 characters. Without it, only superusers read them there.
        metrics_token: Option<Token> = "metrics.token", "";
    }
    "Verify" {
        /// How often the console walks its own front door as a user does, fabric by fabric: it logs in, opens pages and compares what they say, and changes nothing. What it finds stands at `/verify/` and in the metrics. Without it, it does not. A monitor on another machine sees the proxies in between as well: `hedgerow verify --every`.
        verify_every: Option<Duration> = "verify.every", "";
        /// Who it logs in as: an account of its own that may view fabrics and nothing else, as `hedgerow user create monitor` and `hedgerow user grant monitor --action view` make one. What the account may not see is not walked; one that may change anything is refused.
        verify_username: Option<String> = "verify.username", "";
        /// File with that account's password. It is read at the start, and a new password in it is taken without a restart.
        verify_password_file: Option<PathBuf> = "verify.password_file", "";
        /// Address that it walks. Without it, `public_url`, or else the address that the console listens on.
        verify_url: Option<PublicUrl> = "verify.url", "";
        /// File of certificate authorities in PEM that the console's certificate may be signed by, in place of those of the system.
        verify_ca_file: Option<PathBuf> = "verify.ca_file", "";
        /// Journeys that it makes, of those that `hedgerow verify --list` says change nothing. The ones of the default leave no trace: no operation, nothing in Git or in a cluster, no session that stays open.
        verify_journeys: Words = "verify.journeys", "login_logout fabric_page status_agrees";
        /// Address that is told, by POST of JSON, when too many runs in a row did not pass, and once when one does again.
        verify_webhook: Option<Secret> = "verify.webhook", "";
        /// How many runs in a row are too many.
        verify_alert_after: u32 = "verify.alert_after", "3";
        /// How many runs of each fabric are kept.
        verify_keep: u32 = "verify.keep", "288";
    }
    "Activity" {
        /// How long what was tried is kept: logins, presses, changes, and whatever was turned away. What is older goes at the start and once an hour. Operations stay as long as their fabric.
        activity_keep: Duration = "activity.keep", "90d";
    }
    "Log" {
        /// How log lines on standard error are written.
        log_format: LogFormat = "log.format", "text";
        /// Which lines are written: a level, and levels for single rooms.
        log_level: LogLevel = "log.level", "info";
    }
}

impl Settings {
    /// Reads every setting from the layers and checks what one says about another. All problems are reported at once.
    pub(crate) fn load(layers: &Layers) -> Result<Self, Problems> {
        let mut problems = layers.problems();
        let settings = Self::read(layers, &mut problems);
        if let Some(settings) = &settings {
            settings.check(layers, &mut problems);
        }
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(problems),
        }
    }

    /// Whether the console answers HTTPS itself.
    pub(crate) fn tls(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.tls_cert.as_ref().zip(self.tls_key.as_ref())
    }

    fn check(&self, layers: &Layers, problems: &mut Problems) {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let (there, missing) =
                if self.tls_cert.is_some() { ("tls.cert", "tls.key") } else { ("tls.key", "tls.cert") };
            problems.add(layers.place(there), format!("'{there}' is set and '{missing}' is not; set both or neither"));
        }
        let ordered = [
            ("session.idle", self.session_idle, "session.absolute", self.session_absolute),
            ("session.warn_before", self.session_warn_before, "session.idle", self.session_idle),
            ("compare.interval", self.compare_interval, "compare.freshness", self.compare_freshness),
        ];
        for (lesser, short, greater, long) in ordered {
            // A short idle limit must not ask for a word about the warning, which is cut to fit it.
            let is_cut = lesser == "session.warn_before" && layers.is_default(lesser);
            if short >= long && !is_cut {
                let text = format!(
                    "'{lesser}' is {} and must be shorter than '{greater}', which is {}",
                    short.show(),
                    long.show()
                );
                let changed = if layers.is_default(lesser) { greater } else { lesser };
                problems.add(layers.place(changed), text);
            }
        }
        self.check_outside(layers, problems);
        self.check_verify(layers, problems);
        if self.schedule_shortest_interval < Duration::from_secs(1) {
            let text = "'schedule.shortest_interval' must be at least 1s".to_owned();
            problems.add(layers.place("schedule.shortest_interval"), text);
        }
        for (key, number) in [
            ("schedule.parallel_comparisons", self.schedule_parallel_comparisons),
            ("schedule.parallel_syncs", self.schedule_parallel_syncs),
        ] {
            if number == 0 {
                problems.add(layers.place(key), format!("'{key}' must be at least 1, or nothing would ever begin"));
            }
        }
        if self.operation_lease < Duration::from_secs(3) {
            let text = "'operation.lease' must be at least 3s, or a slow disk looks like a dead process".to_owned();
            problems.add(layers.place("operation.lease"), text);
        }
    }
}

/// One setting with its value and origin, as `hedgerow config` shows it.
pub(crate) struct Shown {
    /// The setting.
    pub(crate) setting: &'static Setting,
    /// The value, secrets hidden.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) origin: layers::Origin,
}

/// Every setting with its value and origin; call it after [`Settings::load`] found no problem.
pub(crate) fn shown(layers: &Layers) -> Vec<Shown> {
    let one = |setting: &'static Setting| {
        let (text, origin) = layers.text(setting.key);
        let value = (setting.show)(&text).unwrap_or_else(|_| "(not readable)".to_owned());
        Shown { setting, value, origin }
    };
    REGISTRY.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_can_be_read() {
        let settings = Settings::load(&Layers::default()).expect("the defaults are sound");
        assert_eq!(settings.session_idle, Duration::from_secs(3600));
        assert!(settings.tls().is_none());
    }

    #[test]
    fn keys_and_variables_are_unique() {
        let mut variables: Vec<String> = REGISTRY.iter().map(Setting::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), REGISTRY.len());
        for setting in REGISTRY {
            assert!(setting.doc.trim().ends_with('.'), "{}: its meaning is not a sentence", setting.key);
        }
    }

    #[test]
    fn a_half_of_tls_is_refused() {
        let layers = Layers::default().with_flag("--tls-cert", "tls.cert", "/etc/tls/chain.pem".to_owned());
        let text = Settings::load(&layers).unwrap_err().to_string();
        assert!(text.contains("--tls-cert") && text.contains("'tls.key' is not"), "{text}");
    }

    #[test]
    fn a_short_idle_limit_needs_no_word_about_the_warning() {
        let idle = Layers::default().with_flag("--set", "session.idle", "3s".to_owned());
        Settings::load(&idle).unwrap();
        let text = Settings::load(&idle.with_flag("--set", "session.warn_before", "3s".to_owned())).unwrap_err();
        assert!(text.to_string().contains("'session.warn_before' is 3s"), "{text}");
    }

    #[test]
    fn limits_must_be_in_order() {
        let layers = Layers::default().with_flag("--set", "session.idle", "13h".to_owned());
        let text = Settings::load(&layers).unwrap_err().to_string();
        assert!(text.contains("'session.idle' is 13h and must be shorter than 'session.absolute'"), "{text}");
    }
}
