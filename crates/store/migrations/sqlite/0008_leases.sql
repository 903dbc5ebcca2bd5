-- A lease that no clock decides about: each claim and each heartbeat moves the counter, and whoever has seen it stand
-- still for the lease's length, by a clock of its own that only goes forward, may take the operation for dead.
-- The time in lease_expires_at is only for whoever looks into the table.
ALTER TABLE operations ADD COLUMN lease_beat INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN lease_length INTEGER NOT NULL DEFAULT 15000000
    CONSTRAINT operations_lease_length_positive CHECK (lease_length > 0);
