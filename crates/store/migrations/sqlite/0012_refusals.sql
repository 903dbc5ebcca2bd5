-- What was turned away, as the activity lists and counts it: of all attempts the few that no operation came of. Without
-- these, a count reads every attempt's row.
CREATE INDEX attempts_refused_at ON attempts (at, id) WHERE http_status >= 400;
CREATE INDEX attempts_refused_fabric_at ON attempts (fabric_id, at, id) WHERE http_status >= 400;
CREATE INDEX attempts_refused_actor_at ON attempts (actor, at, id) WHERE http_status >= 400;
