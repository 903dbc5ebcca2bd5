//! Codes of requests that did not come as far as an operation, and of the console itself.

use super::Explained;

pub(super) const CLIENT_SCRIPT_ERROR: Explained = Explained {
    title: "The page's script failed",
    happened: "A script of a page stopped with an error, and the page reported it.",
    causes: &[
        "The page was loaded by an older version of Hedgerow and stayed open over an update.",
        "A browser extension changed the page.",
        "The browser is too old for what the script uses.",
        "A defect in Hedgerow.",
    ],
    seen: "A strip on the page says that something did not work, and the Activity list has a row with the script's \
           message. Nothing was sent that was not pressed.",
    steps: &[
        "Reload the page. Every action is a plain form and also works with scripts switched off.",
        "If it comes again, report it with the message of the row in the Activity list.",
    ],
};

pub(super) const TRANSPORT_FAILED: Explained = Explained {
    title: "No answer from the server",
    happened: "The browser sent the request and got no answer, so it cannot know whether it arrived.",
    causes: &[
        "The network between the browser and the console was interrupted.",
        "A proxy in front of the console gave up before the answer came.",
        "The console was restarted just then.",
    ],
    seen: "The button says that there was no answer. The request carries a key, so that sending it again gives the \
           operation that the first one began, if it did, and never a second one.",
    steps: &[
        "Check the network, then press the button again.",
        "If the console itself does not answer, look at its log and at its probe /readyz.",
    ],
};

pub(super) const SESSION_IDLE_EXPIRED: Explained = Explained {
    title: "The session ended because nobody used it",
    happened: "No page of this session was used for as long as the setting session.idle allows, an hour by default.",
    causes: &["Nobody pressed a key or a button in a visible tab. Pages that refresh themselves do not count as use."],
    seen: "A navigation leads to the login page and from there back to where it was. A script gets 401 with this code. \
           An operation that was started goes on, and its result is there after the login.",
    steps: &[
        "Log in again.",
        "If the limit is too short for your work, an administrator can raise session.idle, never beyond \
         session.absolute.",
    ],
};

pub(super) const SESSION_ABSOLUTE_EXPIRED: Explained = Explained {
    title: "The session reached its longest time",
    happened: "The login is older than the setting session.absolute allows, twelve hours by default.",
    causes: &["No use of a page moves this limit, so that a stolen session ends too."],
    seen: "A navigation leads to the login page and from there back to where it was. A script gets 401 with this code. \
           The page warned before, if it was open.",
    steps: &["Log in again."],
};

pub(super) const SESSION_REVOKED: Explained = Explained {
    title: "The session was ended",
    happened: "This session was ended before its time.",
    causes: &[
        "You logged out in another tab of this browser.",
        "Your password was changed, which ends the other sessions.",
        "An administrator ended the session.",
        "The console was restored from a backup, which ends every session in it.",
    ],
    seen: "A navigation leads to the login page, which names the reason. A script gets 401 with this code.",
    steps: &["Log in again.", "If you did not expect it, ask an administrator who ended the session."],
};

pub(super) const CSRF_FAILED: Explained = Explained {
    title: "The form was refused",
    happened: "The request could not prove that it came from a page of this console in this session. Nothing was done.",
    causes: &[
        "The page is older than the login: somebody logged out and in again in another tab.",
        "The request came from another site, or from a script that does not send the page's token.",
        "The console is reached by another address than the setting public_url says, or the proxy in front of it is \
         none of trusted_proxies.",
        "The browser does not send cookies back.",
    ],
    seen: "A form whose token was only too old comes back with what it held and a new token, to be sent with one \
           press. Anything else is refused with 403.",
    steps: &[
        "Press the button that the page shows, or reload the page and press again.",
        "A script reads the token from /session/ and sends it as X-CSRFToken.",
        "Behind a proxy, set public_url and trusted_proxies.",
    ],
};

pub(super) const AUTHENTICATION_REQUIRED: Explained = Explained {
    title: "Nobody is logged in",
    happened: "The request carried no session, or the user name and the password did not fit.",
    causes: &[
        "The first visit of this browser.",
        "The name or the password is wrong, or the account is switched off; which of them is not said.",
        "The browser does not keep the session's cookie: with https configured, pages opened over http have none.",
    ],
    seen: "A navigation leads to the login page and from there back. A script gets 401 and no page.",
    steps: &["Log in.", "A forgotten password is set with `hedgerow user set-password` on the server."],
};

pub(super) const PASSWORD_REQUIRED: Explained = Explained {
    title: "The password is asked for again",
    happened: "The change is one after which somebody else could come in (a password, a user, a permission, a credential, an \
               API token), and the password was entered longer ago than the setting session.reauthenticate allows, a \
               quarter of an hour by default.",
    causes: &["An open browser that somebody else sits down at must not be enough for such a change."],
    seen: "The form comes back with everything but its secrets, and with a field for your own password. Nothing was \
           done. A script sends the password as the field current_password of the same request.",
    steps: &["Enter your own password and send the form again.", "Whoever logs in by a provider logs in there again."],
};

pub(super) const PERMISSION_DENIED: Explained = Explained {
    title: "The permission is missing",
    happened: "You are logged in, but no permission of yours or of your groups covers this action on this object.",
    causes: &[
        "The permission has constraints that leave this fabric out.",
        "The action needs more than view, for example sync or change.",
    ],
    seen: "The page names the permission. The try stands in the Activity list. What you may not even view is shown as \
           not found instead.",
    steps: &["Ask an administrator for the permission that is named; `hedgerow user grant` gives it."],
};

pub(super) const INVALID_INPUT: Explained = Explained {
    title: "A value cannot be used",
    happened: "A field of the form or of the request holds something that cannot be taken, so nothing was saved.",
    causes: &[
        "A field is empty, too long or of the wrong form.",
        "Two values contradict each other.",
        "Somebody else saved the same object after this form was opened.",
    ],
    seen: "The form comes back with everything that was typed, and the error stands at its field. Secrets have to be \
           entered again.",
    steps: &["Correct the field that is named and send the form again."],
};

pub(super) const NOT_FOUND: Explained = Explained {
    title: "There is no such thing",
    happened: "Nothing has this address, or you may not see what has.",
    causes: &["It was deleted.", "The address was mistyped.", "You have no permission to view it."],
    seen: "A page with the status 404 and a way back.",
    steps: &["Check the address, or look for it from the list of fabrics."],
};

pub(super) const METHOD_NOT_ALLOWED: Explained = Explained {
    title: "The method does not fit the address",
    happened: "The address exists, but does not take such a request. Nothing was done.",
    causes: &["A script sends GET where POST is needed, or the other way round."],
    seen: "A page with the status 405, and the methods that are taken in the header Allow.",
    steps: &["Use the page's own button, or see the list of routes in the reference."],
};

pub(super) const THROTTLED: Explained = Explained {
    title: "Too many attempts",
    happened: "Too many logins failed for this account or from this address, so the next is not looked at yet.",
    causes: &[
        "A password was mistyped several times.",
        "Somebody is guessing passwords.",
        "Many users come from one address, because the proxy in front of the console is none of trusted_proxies.",
    ],
    seen: "The login page says how long to wait. The header Retry-After has the same time. The log has a line.",
    steps: &["Wait for the time that is named, then log in.", "If it was not you, tell an administrator."],
};

pub(super) const STORE_UNAVAILABLE: Explained = Explained {
    title: "The database does not answer",
    happened: "Hedgerow could not read or write its database.",
    causes: &[
        "The disk is full or can only be read.",
        "PostgreSQL is down, is restarting, or has no free connection.",
        "Another process holds the SQLite file for too long, or somebody a table of PostgreSQL: by a change of the schema by \
         hand, for example.",
    ],
    seen: "Pages answer 503. A running operation goes on and tries to store its end until its lease is over; if that \
           fails, it counts as interrupted. The probe /readyz says 503 and names the database.",
    steps: &[
        "Check the disk of the data folder, or the PostgreSQL server.",
        "When the database answers again, nothing has to be restarted.",
    ],
};

pub(super) const INTERNAL: Explained = Explained {
    title: "A defect in Hedgerow",
    happened: "Hedgerow met something that it did not expect, and stopped before doing more.",
    causes: &["A defect. The log has the details under the request id that the page shows."],
    seen: "A page with the status 500 and the request id. Nothing of the inside is shown.",
    steps: &[
        "Try again once: the same request may succeed.",
        "Report it with the request id and the lines of the log that have it.",
    ],
};
