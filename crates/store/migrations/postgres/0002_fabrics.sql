-- Fabrics. What cannot be meant cannot be stored: every combination of cluster, source and secrets is checked here.

-- Ids that are known before the row is written: the seal of a secret names the row that it belongs to.
CREATE TABLE ids (
    noun TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    last_id BIGINT NOT NULL
);
INSERT INTO ids (noun, last_id) VALUES ('fabrics', 0);

CREATE TABLE fabrics (
    id BIGINT PRIMARY KEY NOT NULL,
    name TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_name_given CHECK (name <> ''),
    description TEXT COLLATE "C" NOT NULL,
    cluster_kind TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_cluster_kind_known
        CHECK (cluster_kind IN ('none', 'kubeconfig', 'endpoint')),
    endpoint_server TEXT COLLATE "C",
    endpoint_ca_pem TEXT COLLATE "C",
    verify_tls BIGINT NOT NULL CONSTRAINT fabrics_verify_tls_bool CHECK (verify_tls IN (0, 1)),
    namespace TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_namespace_given CHECK (namespace <> ''),
    source_kind TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_source_kind_known CHECK (source_kind IN ('local', 'remote')),
    source_url TEXT COLLATE "C",
    source_credential TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_source_credential_known
        CHECK (source_credential IN ('none', 'token', 'ssh')),
    source_username TEXT COLLATE "C",
    known_hosts TEXT COLLATE "C",
    branch TEXT COLLATE "C" NOT NULL CONSTRAINT fabrics_branch_given CHECK (branch <> ''),
    path TEXT COLLATE "C" NOT NULL,
    sync_enabled BIGINT NOT NULL CONSTRAINT fabrics_sync_enabled_bool CHECK (sync_enabled IN (0, 1)),
    deadline_seconds BIGINT NOT NULL CONSTRAINT fabrics_deadline_positive CHECK (deadline_seconds > 0),
    cluster_uid TEXT COLLATE "C",
    cluster_seen_uid TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    -- Sealed; never selected together with the rest.
    kubeconfig BYTEA,
    token BYTEA,
    source_token BYTEA,
    ssh_key BYTEA,
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
);
CREATE UNIQUE INDEX fabrics_name ON fabrics (name);
-- Two fabrics that write the same objects would undo each other's work.
CREATE UNIQUE INDEX fabrics_cluster_namespace ON fabrics (cluster_uid, namespace) WHERE cluster_uid IS NOT NULL;
