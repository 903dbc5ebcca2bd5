-- What a request changed stands beside its row in the activity.

CREATE INDEX changes_request ON changes (request_id, id);
