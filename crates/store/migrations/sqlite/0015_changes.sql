-- Who changed what: users, groups, permissions and fabrics, with what differed before and after. Of a secret it is said
-- that it was set, changed or cleared. Rows outlive what they are about, under its name.

CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    request_id TEXT NOT NULL,
    object_type TEXT NOT NULL,
    object_id INTEGER NOT NULL,
    object_name TEXT NOT NULL,
    fabric_id INTEGER REFERENCES fabrics (id) ON DELETE SET NULL,
    action TEXT NOT NULL CONSTRAINT changes_action_known CHECK (action IN ('created', 'changed', 'deleted')),
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX changes_object ON changes (object_type, object_id, id);
CREATE INDEX changes_at ON changes (at, id);
CREATE INDEX changes_actor_at ON changes (actor, at, id);
CREATE INDEX changes_user ON changes (user_id);
CREATE INDEX changes_fabric ON changes (fabric_id, at, id);
