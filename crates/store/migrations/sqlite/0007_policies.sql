-- What a fabric does by itself, and who stopped it from doing so; what else is known of an object's outcome; which
-- objects of a cluster a person took over into Git, so that deleting them there may delete them in the cluster.
ALTER TABLE fabrics ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE fabrics ADD COLUMN suspended_at INTEGER;
ALTER TABLE fabrics ADD COLUMN suspended_by TEXT;
ALTER TABLE fabrics ADD COLUMN suspended_reason TEXT
    CONSTRAINT fabrics_suspension_whole CHECK ((suspended_at IS NULL) = (suspended_by IS NULL)
        AND (suspended_at IS NULL) = (suspended_reason IS NULL));
ALTER TABLE operation_objects ADD COLUMN detail TEXT NOT NULL DEFAULT '{}';

CREATE TABLE adopted_objects (
    fabric_id  INTEGER NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    object_key TEXT NOT NULL,
    uid        TEXT NOT NULL,
    actor      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (fabric_id, object_key)
) STRICT;
