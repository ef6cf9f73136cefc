-- What operators look for among everybody's uploads. Good ones are not in it:
-- they are most of all, and are found by their ids. Other copies write on while
-- it is made; one that was begun and not finished is of no use.

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX IF EXISTS uploads_in_trouble;
CREATE INDEX CONCURRENTLY uploads_in_trouble ON uploads (state, id DESC) WHERE state = 'rejected' OR state = 'failed';

-- +goose Down
DROP INDEX IF EXISTS uploads_in_trouble;
