-- An endpoint is logged in to with a token, or with a client certificate. The certificate is no secret and stands here;
-- its key is the endpoint's one secret and stands, sealed as a key, where the token otherwise does.
ALTER TABLE fabrics ADD COLUMN endpoint_certificate_pem TEXT COLLATE "C"
    CONSTRAINT fabrics_certificate_needs_endpoint CHECK (endpoint_certificate_pem IS NULL OR cluster_kind = 'endpoint');
