-- Changes of uploads' states, for those who want to hear of them: one row for
-- each event and endpoint, written in the commit that changes the state.

-- +goose Up
CREATE TABLE outbox (
    event        TEXT   NOT NULL, -- its name, the same each time it is told
    endpoint     TEXT   NOT NULL, -- who is told
    upload       TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    at           BIGINT NOT NULL,     -- when it happened; milliseconds since 1970, UTC, as all times here
    body         TEXT   NOT NULL,     -- what is sent

    next_at      BIGINT,              -- when it is told next; NULL: it was, or given up
    lease        TEXT,
    lease_until  BIGINT,
    attempts     BIGINT NOT NULL DEFAULT 0,
    delivered_at BIGINT,
    gave_up_at   BIGINT,
    fault        TEXT,                -- of the last attempt

    PRIMARY KEY (event, endpoint),
    CHECK ((lease IS NULL) = (lease_until IS NULL))
);

CREATE INDEX outbox_due ON outbox (endpoint, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_waiting ON outbox (at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_given_up ON outbox (at) WHERE gave_up_at IS NOT NULL;
CREATE INDEX outbox_at ON outbox (at, event, endpoint);

-- +goose Down
DROP TABLE outbox;
