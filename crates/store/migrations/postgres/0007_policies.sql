-- What a fabric does by itself, and who stopped it from doing so; what else is known of an object's outcome; which
-- objects of a cluster a person took over into Git, so that deleting them there may delete them in the cluster.
ALTER TABLE fabrics ADD COLUMN policy TEXT COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE fabrics ADD COLUMN suspended_at BIGINT;
ALTER TABLE fabrics ADD COLUMN suspended_by TEXT COLLATE "C";
ALTER TABLE fabrics ADD COLUMN suspended_reason TEXT COLLATE "C"
    CONSTRAINT fabrics_suspension_whole CHECK ((suspended_at IS NULL) = (suspended_by IS NULL)
        AND (suspended_at IS NULL) = (suspended_reason IS NULL));
ALTER TABLE operation_objects ADD COLUMN detail TEXT COLLATE "C" NOT NULL DEFAULT '{}';

CREATE TABLE adopted_objects (
    fabric_id  BIGINT NOT NULL REFERENCES fabrics (id) ON DELETE CASCADE,
    object_key TEXT COLLATE "C" NOT NULL,
    uid        TEXT COLLATE "C" NOT NULL,
    actor      TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (fabric_id, object_key)
);
