-- Fabrics. What cannot be meant cannot be stored: every combination of cluster, source and secrets is checked here.

-- Ids that are known before the row is written: the seal of a secret names the row that it belongs to.
CREATE TABLE ids (
    noun    TEXT    PRIMARY KEY NOT NULL,
    last_id INTEGER NOT NULL
) STRICT;
INSERT INTO ids (noun, last_id) VALUES ('fabrics', 0);

CREATE TABLE fabrics (
    id                INTEGER PRIMARY KEY NOT NULL,
    name              TEXT    NOT NULL CONSTRAINT fabrics_name_given CHECK (name <> ''),
    description       TEXT    NOT NULL,
    cluster_kind      TEXT    NOT NULL CONSTRAINT fabrics_cluster_kind_known
        CHECK (cluster_kind IN ('none', 'kubeconfig', 'endpoint')),
    endpoint_server   TEXT,
    endpoint_ca_pem   TEXT,
    verify_tls        INTEGER NOT NULL CONSTRAINT fabrics_verify_tls_bool CHECK (verify_tls IN (0, 1)),
    namespace         TEXT    NOT NULL CONSTRAINT fabrics_namespace_given CHECK (namespace <> ''),
    source_kind       TEXT    NOT NULL CONSTRAINT fabrics_source_kind_known CHECK (source_kind IN ('local', 'remote')),
    source_url        TEXT,
    source_credential TEXT    NOT NULL CONSTRAINT fabrics_source_credential_known
        CHECK (source_credential IN ('none', 'token', 'ssh')),
    source_username   TEXT,
    known_hosts       TEXT,
    branch            TEXT    NOT NULL CONSTRAINT fabrics_branch_given CHECK (branch <> ''),
    path              TEXT    NOT NULL,
    sync_enabled      INTEGER NOT NULL CONSTRAINT fabrics_sync_enabled_bool CHECK (sync_enabled IN (0, 1)),
    deadline_seconds  INTEGER NOT NULL CONSTRAINT fabrics_deadline_positive CHECK (deadline_seconds > 0),
    cluster_uid       TEXT,
    cluster_seen_uid  TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    version           INTEGER NOT NULL,
    -- Sealed; never selected together with the rest.
    kubeconfig        BLOB,
    token             BLOB,
    source_token      BLOB,
    ssh_key           BLOB,
    CONSTRAINT fabrics_endpoint_has_server
        CHECK ((cluster_kind = 'endpoint') = (endpoint_server IS NOT NULL AND endpoint_server <> '')),
    CONSTRAINT fabrics_ca_needs_endpoint CHECK (endpoint_ca_pem IS NULL OR cluster_kind = 'endpoint'),
    CONSTRAINT fabrics_kubeconfig_given CHECK ((cluster_kind = 'kubeconfig') = (kubeconfig IS NOT NULL)),
    CONSTRAINT fabrics_token_given CHECK ((cluster_kind = 'endpoint') = (token IS NOT NULL)),
    CONSTRAINT fabrics_remote_has_url
        CHECK ((source_kind = 'remote') = (source_url IS NOT NULL AND source_url <> '')),
    CONSTRAINT fabrics_local_has_no_credential CHECK (source_kind = 'remote' OR source_credential = 'none'),
    CONSTRAINT fabrics_username_needs_credential CHECK (source_username IS NULL OR source_credential <> 'none'),
    CONSTRAINT fabrics_known_hosts_needs_ssh CHECK (known_hosts IS NULL OR source_credential = 'ssh'),
    CONSTRAINT fabrics_source_token_given CHECK ((source_credential = 'token') = (source_token IS NOT NULL)),
    CONSTRAINT fabrics_ssh_key_given CHECK ((source_credential = 'ssh') = (ssh_key IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX fabrics_name ON fabrics (name);
-- Two fabrics that write the same objects would undo each other's work.
CREATE UNIQUE INDEX fabrics_cluster_namespace ON fabrics (cluster_uid, namespace) WHERE cluster_uid IS NOT NULL;
