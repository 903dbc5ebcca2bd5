-- API tokens: who asks without a session. The key is public and finds the row; of the secret there is only the hash.
CREATE TABLE api_tokens (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id           INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key               TEXT    NOT NULL CONSTRAINT api_tokens_key_length CHECK (length(key) = 12),
    secret_hash       TEXT    NOT NULL CONSTRAINT api_tokens_secret_hash_sha256 CHECK (length(secret_hash) = 64),
    description       TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER,
    last_used_at      INTEGER,
    last_used_address TEXT,
    allowed_addresses TEXT    NOT NULL,
    read_only         INTEGER NOT NULL CONSTRAINT api_tokens_read_only_bool CHECK (read_only IN (0, 1)),
    revoked_at        INTEGER,
    revoked_by        TEXT,
    CONSTRAINT api_tokens_use_has_address CHECK ((last_used_at IS NULL) = (last_used_address IS NULL)),
    CONSTRAINT api_tokens_revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX api_tokens_key ON api_tokens (key);
CREATE INDEX api_tokens_user ON api_tokens (user_id, id);

-- With which token somebody tried; the key stays when the token is gone.
ALTER TABLE attempts ADD COLUMN token_key TEXT;
