//! What went wrong, in classes: one a cause, never "HTML came back". Each has a code for scripts, the layer of the path
//! where it stands, the failure point of `docs/concepts/failure-points.md` if it is one, and what to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The layers between a person and the cluster, in the order in which a press goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The page that a person gets, and what can be seen and used on it.
    Page,
    /// The page's script.
    Script,
    /// The request on its way: the network, proxies, a server that does not answer.
    Request,
    /// Whether the address leads to anything.
    Route,
    /// Whether the server knows who asks.
    Session,
    /// Whether the request came from the page.
    Csrf,
    /// Whether who asks may.
    Permission,
    /// Whether the target lets the operation reach the cluster.
    ConnectionGuard,
    /// What the target believes and says: status, operations, records.
    State,
    /// The cluster, and what it holds.
    Cluster,
}

impl Layer {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Page,
        Self::Script,
        Self::Request,
        Self::Route,
        Self::Session,
        Self::Csrf,
        Self::Permission,
        Self::ConnectionGuard,
        Self::State,
        Self::Cluster,
    ];

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Script => "script",
            Self::Request => "request",
            Self::Route => "route",
            Self::Session => "session",
            Self::Csrf => "CSRF",
            Self::Permission => "permission",
            Self::ConnectionGuard => "connection guard",
            Self::State => "state",
            Self::Cluster => "cluster",
        }
    }
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident: $code:literal, $layer:ident, $point:expr, $title:literal, $todo:literal;)*) => {
        /// Why a journey failed, or a run is invalid.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Cause {
            $(#[doc = $title] #[serde(rename = $code)] $name,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word for scripts.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it is, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The layer that it stands in.
            pub fn layer(self) -> Layer {
                match self { $(Self::$name => Layer::$layer,)* }
            }

            /// Which of the nine failure points a user met, 1 to 9.
            pub fn failure_point(self) -> Option<u8> {
                match self { $(Self::$name => $point,)* }
            }

            /// What to do about it.
            pub fn todo(self) -> &'static str {
                match self { $(Self::$name => $todo,)* }
            }
        }
    };
}

causes! {
    BadPassword: "bad_password", Session, Some(5), "The user name or the password was refused",
        "Check the user name and the password that verify was given; a person could not log in with them either.";
    Throttled: "login_throttled", Session, Some(5), "Too many logins failed, and the next is not taken yet",
        "Wait as long as the page says; find out who tries with a wrong password.";
    NoSession: "no_session", Session, Some(5), "The target does not know who asks",
        "See whether the session's cookie is set, kept and sent; the step shows its attributes.";
    SessionExpired: "session_expired", Session, Some(3), "The session had ended",
        "Log in again; if it ended too early, look at the session's limits.";
    Csrf: "csrf_failed", Csrf, Some(4), "The request was refused as forged",
        "Take the token from the page of this session; see whether something between rewrites pages or headers.";
    Permission: "permission_denied", Permission, Some(6), "The user may not do this",
        "Give the user the permission that the answer names, or use another user.";
    NotFound: "not_found", Route, None, "The address leads nowhere",
        "Find where the page takes this address from; it must be one that the server serves.";
    Transport: "transport_failed", Request, Some(2), "There was no answer",
        "See whether the target runs and can be reached from here, through the same proxies.";
    Cluster: "cluster_failed", Cluster, Some(9), "The cluster refused, or broke off",
        "Look at what the oracle read from the cluster, and at the object that is named.";
    Connection: "connection_failed", ConnectionGuard, Some(7), "The target could not reach the cluster",
        "Test the connection in the target; compare with what the oracle reached from here.";
    FabricUnknown: "fabric_not_found", Page, None, "It is not clear which fabric is meant",
        "Name a fabric that the list shows to this user, with --fabric.";
    OracleUnusable: "oracle_unusable", Cluster, None, "An oracle that was given cannot be used",
        "Check the kubeconfig, the repository or the database that verify was given; nothing was judged of the target.";

    ControlMissing: "control_missing", Page, None, "The page lacks what a person would press",
        "Look at the page that the step kept: the control is gone, hidden, or says something else.";
    ControlDead: "control_dead", Script, Some(1), "A press sent nothing",
        "The button has neither a form nor a script that works; look at the console of the step.";
    ScriptError: "script_error", Script, Some(1), "The page's script failed",
        "The console of the step names file and line.";
    AssetBroken: "asset_broken", Script, Some(1), "A script or a style sheet of the page cannot be used",
        "See its status, type and the page's Content-Security-Policy in the step.";
    WrongAddress: "wrong_address", Route, None, "The page names an address that leads nowhere, or to something else",
        "The page and the server's routes are not of the same version, or the address is written by hand.";
    MethodRefused: "method_refused", Route, None, "The address does not take what the page sends",
        "The page and the server's routes are not of the same version.";
    RequestChanged: "request_changed", Request, None, "What was sent is not what the page says",
        "Compare the request of the step with the form of the page before.";
    ServerError: "server_error", State, None, "The target failed with an error of its own",
        "The request id in the answer leads to the line in the target's log.";
    BrokenPage: "broken_page", Page, None, "A page does not answer properly",
        "Open the address that is named; its step keeps the answer.";

    LoginPageWith200: "login_page_with_200", Session, Some(3), "A login page came with status 200 in the place of an answer",
        "A navigation must be redirected to the login, a script must get 401.";
    MarkupForScript: "markup_for_script", Session, None, "A script got a page where it expects data",
        "The answer to a script must be data, also when it is an error; the page cannot show what it got.";
    ExpiredServed: "expired_session_served", Session, Some(3), "An ended session was served as if it were valid",
        "The session's end must be checked at each request.";
    SessionSurvives: "session_survives_logout", Session, Some(3), "The session goes on after its end",
        "Logging out must end the session on the server, not only remove the cookie.";
    CookieUnsafe: "cookie_unsafe", Session, None, "The session's cookie lacks what protects it",
        "Set HttpOnly and SameSite, and Secure wherever the page comes over HTTPS.";
    OpenToStrangers: "open_to_strangers", Session, Some(5), "A page answers somebody who is not logged in",
        "Ask for a login before the page is made.";
    ForeignRedirect: "foreign_redirect", Session, None, "The login leads away from this site",
        "Follow `next` only to addresses of this site.";
    SilentEnd: "session_ended_silently", Session, Some(3), "The end of the session was not told",
        "After the end of a session the page must say so, and offer the login.";
    NoWarning: "no_warning", Session, Some(3), "The coming end of the session was not told",
        "Warn before the limit, and let the user stay.";
    WorkLost: "work_lost", Session, Some(3), "What was pressed or typed was lost with the session",
        "After the login the same action must be offered again.";
    CsrfNotChecked: "csrf_not_checked", Csrf, Some(4), "A forged request was taken",
        "Check the token and the origin of every request that changes something.";
    PermissionNotChecked: "permission_not_checked", Permission, Some(6), "A user without the permission was served",
        "Check the permission at the request, not only where the button is drawn.";
    SecretShown: "secret_shown", State, None, "An answer shows a secret",
        "Change the secret, then find out why the page holds it.";

    SilentFailure: "silent_failure", State, None, "It failed, and the page did not say so",
        "A press must end in a sentence on the page.";
    UnclearMessage: "unclear_message", Page, None, "What the page says does not tell what happened",
        "Say what happened, why, and what to do.";
    NoEffect: "success_without_effect", State, Some(9), "Success was said, and nothing was done",
        "Compare what the page says with what the oracle read.";
    PartialCalledSuccess: "partial_called_success", State, Some(9), "Success was said, and a part was not done",
        "The objects that are named are not as Git says.";
    FailureCalledSuccess: "failure_called_success", State, Some(7), "Success was said of what cannot have been done",
        "See what the oracle measured at the same time.";
    WrongRefusal: "refused_without_reason", State, None, "Failure was said of what could be done",
        "The direct path did the same at the same time; see where the two part.";
    StatusDisagrees: "status_disagrees", State, None, "The status is not the same everywhere",
        "The places that disagree are listed; each must derive it from the same facts.";
    SwitchesLie: "switches_lie", State, None, "What is said of a switch is not what its agent reports",
        "Compare the switch's row with its Agent in the cluster: the generation of its spec, lastAppliedGen, lastHeartbeat.";
    PageKept: "page_kept", Page, None, "A page that changes may be shown again as it was",
        "Send it with Cache-Control: no-store, or no-cache: a browser, or a proxy, shows it from its cache without asking.";
    StatusLies: "status_lies", State, None, "The status is not what the oracle reads",
        "The status must come from what was compared last, with its age.";
    TimestampOnly: "timestamp_without_work", State, None, "The last success moved without an operation behind it",
        "Find what writes the time; only a verified operation may.";
    NeverChecked: "never_checked_called_good", State, None, "What was never checked is called good",
        "Say that it was never checked.";
    RanTwice: "ran_twice", State, Some(8), "One press ran twice, or two presses ran beside each other",
        "The second caller must get the operation that runs.";
    Stuck: "stuck", State, Some(8), "An operation does not end",
        "It is past its deadline; what holds it must be let go by its lease.";
    NotCancelled: "not_cancelled", State, Some(8), "An operation went on after it was cancelled",
        "See what it wrote after the cancel.";
    AutomaticStopped: "automatic_stopped", State, None, "Automatic syncs do not go on",
        "See the last automatic operation and what came after it.";
    NotRecorded: "not_recorded", State, None, "What was done stands in no record",
        "Every operation must be a row with its actor and its result.";
    DriftNotShown: "drift_not_shown", State, None, "A difference in the cluster is not shown",
        "The field that differs was planted, and read back by the oracle.";
    Unanswered: "answer_missing", Request, Some(2), "The page waits, and no answer comes",
        "A request must end in time, with or without the cluster.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn causes_are_told_apart() {
        let codes: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.code()).collect();
        assert_eq!(codes.len(), Cause::ALL.len());
        let points: BTreeSet<u8> = Cause::ALL.iter().filter_map(|cause| cause.failure_point()).collect();
        assert_eq!(points, (1..=9).collect(), "every failure point can be met");
        assert!(Cause::ALL.iter().all(|cause| cause.todo().ends_with('.') && !cause.title().ends_with('.')));
    }
}
