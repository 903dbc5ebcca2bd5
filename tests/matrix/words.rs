//! The words of the matrix: what breaks, and when. Each has a word for the command line, a title and a sentence for the
//! page.

use std::fmt;

/// What kind of thing breaks. The choice for CI has every pair of these with a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The way to the API server.
    Way,
    /// What the API server answers.
    Answer,
    /// What the API server asks before it answers.
    Webhook,
    /// The repository.
    Git,
    /// Hedgerow's own database.
    Database,
    /// Hedgerow itself.
    Process,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $( $variant:ident = $word:literal, $title:literal, $sentence:literal; )* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $( #[doc = $sentence] $variant, )* }
        impl $name {
            /// Every one, in the order of the page.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            /// The word on the command line.
            pub const fn word(self) -> &'static str { match self { $($name::$variant => $word,)* } }
            /// The heading on the page.
            pub const fn title(self) -> &'static str { match self { $($name::$variant => $title,)* } }
            /// What it is, one or two sentences.
            pub const fn sentence(self) -> &'static str { match self { $($name::$variant => $sentence,)* } }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.word()) }
        }
    };
}

words! {
    /// What breaks. Unless its sentence says otherwise, it stays broken until the operation has ended.
    Fault {
        ApiServerKilled = "api_server_killed", "The API server is killed",
            "The process is killed, its port refuses; after the operation it is started again.";
        ConnectionReset = "connection_reset", "Connections are reset",
            "Every open connection is reset in the middle of an answer, once. A write that was under way was carried out; its answer is lost.";
        BlackHole = "black_hole", "Packets vanish",
            "Connections stay open, new ones are accepted, and nothing comes through.";
        Slow = "slow", "The API server is slow",
            "Every answer takes two seconds.";
        CertificateChanged = "certificate_changed", "The TLS certificate changes",
            "The API server comes back with a certificate of another authority.";
        TokenRevoked = "token_revoked", "The token is revoked",
            "Every request is answered 401.";
        KindForbidden = "kind_forbidden", "One kind is forbidden",
            "Everything about one kind is answered 403, in the words of RBAC.";
        Conflict = "conflict", "Somebody else is faster",
            "Another person creates the object that is just being created, in another form: the API server answers 409.";
        Rejected = "rejected", "An object is rejected",
            "The API server finds one object invalid: 422.";
        WebhookDown = "webhook_down", "Hedgehog's webhooks are down",
            "The API server cannot call them: connections are refused.";
        WebhookHangs = "webhook_hangs", "Hedgehog's webhooks hang",
            "The API server calls them, and gets no answer.";
        Throttled = "throttled", "The API server asks to wait",
            "The next three requests are answered 429 with `Retry-After: 1`.";
        ServerErrors = "server_errors", "A burst of server errors",
            "The next three requests are answered 503.";
        ListExpired = "list_expired", "A list's position expires",
            "The next page of a list is answered 410, once.";
        CrdRemoved = "crd_removed", "A kind is removed",
            "The definition of one kind is deleted, and with it every object of that kind; after the operation it is installed again.";
        GitDown = "git_down", "The Git server is down",
            "Connections to it are refused.";
        GitHangs = "git_hangs", "The Git server hangs",
            "It accepts connections and never answers.";
        GitCredentials = "git_credentials", "Git refuses the credentials",
            "The token that the fabric has is not accepted any more.";
        BranchGone = "branch_gone", "The branch is gone",
            "The repository is there, the fabric's branch is not.";
        HistoryRewritten = "history_rewritten", "The history is rewritten",
            "The branch is pushed by force: it holds the same files in a commit without parent.";
        DatabaseLocked = "database_locked", "The database is locked",
            "Another program holds an exclusive transaction on the SQLite file for eight seconds.";
        DatabaseGone = "database_gone", "The database is gone",
            "The PostgreSQL server is stopped, and started again after eight seconds.";
        HedgerowKilled = "hedgerow_killed", "Hedgerow is killed",
            "The process is killed with `kill -9` and started again at once.";
    }
}

impl Fault {
    /// What kind of thing breaks.
    pub const fn class(self) -> Class {
        use Fault::*;
        match self {
            ApiServerKilled | ConnectionReset | BlackHole | Slow | CertificateChanged => Class::Way,
            TokenRevoked | KindForbidden | Conflict | Rejected | Throttled | ServerErrors | ListExpired
            | CrdRemoved => Class::Answer,
            WebhookDown | WebhookHangs => Class::Webhook,
            GitDown | GitHangs | GitCredentials | BranchGone | HistoryRewritten => Class::Git,
            DatabaseLocked | DatabaseGone => Class::Database,
            HedgerowKilled => Class::Process,
        }
    }
}

words! {
    /// When it breaks. A request stands at the door, and is let in when the fault is there.
    Moment {
        Connect = "connect", "connect", "The run asks the cluster who it is.";
        FetchSource = "fetch_source", "fetch source", "The run asks the Git server.";
        List1 = "list_1", "list, page 1", "The run asks for the first page of a kind.";
        List2 = "list_2", "list, page 2", "The run asks for the second page of that kind.";
        DryRun = "dry_run", "dry run", "The run is a dry run, and asks the server about an object.";
        Apply = "apply", "apply, 2nd object", "One object is written; the second of three is on its way.";
        BeforeReread = "before_reread", "between apply and re-read", "All objects are written; nothing was read again yet.";
        Reread = "reread", "re-read", "The second page of a kind is read again.";
        Rollout = "rollout", "rollout", "Everything is verified; the run follows the switches.";
    }
}
