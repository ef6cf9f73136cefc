-- By which request an upload came about. Programs of the release before leave
-- both empty.

-- +goose Up
ALTER TABLE uploads ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN trace_parent TEXT NOT NULL DEFAULT ''; -- W3C Trace Context

-- +goose Down
ALTER TABLE uploads DROP COLUMN trace_parent;
ALTER TABLE uploads DROP COLUMN request_id;
