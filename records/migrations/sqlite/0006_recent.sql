-- What operators look for among everybody's uploads. Good ones are not in it:
-- they are most of all, and are found by their ids.

-- +goose Up
CREATE INDEX uploads_in_trouble ON uploads (state, id DESC) WHERE state = 'rejected' OR state = 'failed';

-- +goose Down
DROP INDEX uploads_in_trouble;
