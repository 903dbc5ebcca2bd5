-- Users that an OpenID Connect provider knows: by the provider and its own number for the person, never by a name.
ALTER TABLE users ADD COLUMN external_issuer TEXT;
ALTER TABLE users ADD COLUMN external_subject TEXT
    CONSTRAINT users_external_whole CHECK ((external_issuer IS NULL) = (external_subject IS NULL));
CREATE UNIQUE INDEX users_external ON users (external_issuer, external_subject) WHERE external_issuer IS NOT NULL;

-- How the user of a session proved who it is. The ID token, sealed, which a logout shows to the provider.
ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password'
    CONSTRAINT sessions_method_known CHECK (method IN ('password', 'openid', 'header'));
ALTER TABLE sessions ADD COLUMN id_token BLOB;

-- Logins that came back from a provider: each counts once, whichever process it comes back to.
CREATE TABLE openid_states (
    state_hash TEXT    PRIMARY KEY CONSTRAINT openid_states_hash_sha256 CHECK (length(state_hash) = 64),
    used_at    INTEGER NOT NULL
) STRICT;
