//! Codes of requests that carry an API token.

use super::Explained;

pub(super) const INVALID: Explained = Explained {
    title: "The API token is not known",
    happened: "The request carried an API token that this console does not know, so nobody was let in by it.",
    causes: &[
        "Only a part of the token was copied: it is one word, nbt_ with a key, a full stop and a secret.",
        "The token is of another console.",
        "It ended more than ninety days ago, and its row was removed.",
        "The secret is wrong; that is not told apart from an unknown key.",
    ],
    seen: "The answer is 403 with this code, also when the request carried a good session besides. After many of them \
           from one address the answer is 429 for a while.",
    steps: &[
        "Check that the whole token is sent, as `Authorization: Bearer nbt_...`.",
        "Make a new one on your page API tokens, or with `hedgerow user token add` on the server.",
    ],
};

pub(super) const EXPIRED: Explained = Explained {
    title: "The API token has expired",
    happened: "The token is past the end that it was given when it was made.",
    causes: &["Its time is over. No use moves this limit."],
    seen: "The answer is 403 with this code and the time at which it ended. An operation that was started with it goes on.",
    steps: &["Make a new token on your page API tokens, and give it to whatever used the old one."],
};

pub(super) const REVOKED: Explained = Explained {
    title: "The API token was revoked",
    happened: "Somebody ended this token before its time, or switched its user off.",
    causes: &[
        "You revoked it on your page API tokens.",
        "An administrator revoked it, or switched off the user that it belongs to.",
        "The console was restored from a backup, which revokes every token in it.",
    ],
    seen: "The answer is 403 with this code. Streams of events that were open with it end. An operation that was started \
           with it goes on.",
    steps: &["See on your page API tokens who revoked it and when.", "Make a new token if it is still needed."],
};

pub(super) const ADDRESS_REFUSED: Explained = Explained {
    title: "The API token may not be used from there",
    happened: "The token is limited to some networks, and the request came from another address.",
    causes: &[
        "The program moved to another machine.",
        "The proxy in front of the console is none of trusted_proxies, so that every request seems to come from it.",
        "Somebody else has the token.",
    ],
    seen: "The answer is 403 with this code and names the address that was seen.",
    steps: &[
        "Use the token from where it is for, or make one for this network.",
        "If you do not know the address, revoke the token.",
    ],
};

pub(super) const READ_ONLY: Explained = Explained {
    title: "The API token only reads",
    happened: "The request would have changed something, and the token was made for reading only. Nothing was done.",
    causes: &[
        "The token was made with the tick at Reading only.",
        "The program was given the wrong one of two tokens.",
    ],
    seen: "The answer is 403 with this code. The same token goes on reading.",
    steps: &["Use a token that may write, if the program is to write."],
};

pub(super) const NOT_PERMITTED_HERE: Explained = Explained {
    title: "API tokens are not taken there",
    happened: "The address is about an account or about who may come in, and is for people who logged in. Nothing was done.",
    causes: &["A token that was stolen must not be able to make itself another token, or a password."],
    seen: "The answer is 403 with this code, whatever the token's user may do.",
    steps: &["Log in with a browser and do it there."],
};
