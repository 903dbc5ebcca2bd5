-- The list of everything that was done, newest first, under each of its filters: operations and attempts come out of
-- these indices in one order and are merged.
DROP INDEX attempts_at;
CREATE INDEX attempts_at ON attempts (at, id);
CREATE INDEX operations_at ON operations (queued_at, id);
CREATE INDEX operations_fabric_at ON operations (fabric_id, queued_at, id);
CREATE INDEX operations_actor_at ON operations (actor, queued_at, id);
CREATE INDEX operations_code_at ON operations (code, queued_at, id) WHERE code IS NOT NULL;
CREATE INDEX attempts_fabric_at ON attempts (fabric_id, at, id);
CREATE INDEX attempts_actor_at ON attempts (actor, at, id);
CREATE INDEX attempts_code_at ON attempts (code, at, id) WHERE code IS NOT NULL;
