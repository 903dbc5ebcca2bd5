//! Codes of logins that come from outside: by an OpenID Connect provider, or named by a proxy.

use super::Explained;

pub(super) const OPENID_UNAVAILABLE: Explained = Explained {
    title: "The provider of the login does not answer",
    happened: "A login through the OpenID Connect provider could not be begun or brought to its end, because the provider \
               did not answer, or not as the standard has it.",
    causes: &[
        "The provider or the network to it is down.",
        "openid.issuer is not, letter by letter, what the provider's own discovery document calls itself; a slash at the \
         end counts.",
        "The provider's certificate is signed by an authority that this machine does not know, and openid.ca_file does \
         not name it.",
        "openid.client_id, openid.client_secret or the registered address to come back to do not fit.",
    ],
    seen: "A page with the reason. Nobody was logged in. Logging in with a password works as before.",
    steps: &[
        "Open the provider's address followed by /.well-known/openid-configuration from the machine of the console.",
        "Read the console's log at the time of the try: it holds what the network or the provider said.",
        "Register the address of the console followed by /login/openid/callback/ at the provider, and once more \
         followed by /login/ as the address to come back to after a logout.",
    ],
};

pub(super) const OPENID_REFUSED: Explained = Explained {
    title: "The login through the provider was refused",
    happened: "The provider let nobody in, or what the browser or the provider brought is not what a login that began here \
               brings.",
    causes: &[
        "The login was cancelled at the provider, or the provider does not let this person use Hedgerow.",
        "The login took longer than ten minutes, was begun in another browser, or a newer one was begun in this one.",
        "The address was opened a second time: each login counts once.",
        "The clocks of the provider and of the console are more than a minute apart.",
        "The provider's answer is signed with a key that is not the provider's, or meant for another program.",
    ],
    seen: "A page with the reason. Nobody was logged in, and nothing of the answer was kept.",
    steps: &[
        "Begin again from the login page, in one tab.",
        "If it comes again, compare the clocks of both machines, and read the console's log at that time.",
    ],
};

pub(super) const ACCOUNT_REFUSED: Explained = Explained {
    title: "There is no account for who was named",
    happened: "A provider or a proxy said who somebody is, and no account here may be used for that.",
    causes: &[
        "There is a user of the same name whose account is not connected with the provider. It is not taken over: a name \
         proves nothing.",
        "Accounts are not made by themselves: openid.create_users or header_auth.create_users is false.",
        "The account is switched off.",
        "The name cannot be that of a user here: it is empty, longer than 150 characters, or holds other signs than \
         letters, digits and . _ - + @.",
        "The proxy sent the header of the user twice, or named it among those of the connection.",
    ],
    seen: "A page with the reason and, when an account is not connected, with the command that connects it. Nobody was \
           logged in.",
    steps: &[
        "An administrator connects the account: hedgerow user link NAME --openid-subject SUBJECT.",
        "Or renames the user here, so that the provider's gets an account of its own.",
    ],
};
