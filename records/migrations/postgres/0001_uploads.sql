-- One row is one upload: its ticket, its state and its job. A state and its
-- job cannot disagree, since they are one row; the checks say the rest.
-- Times are milliseconds since 1970, UTC. As SQLite has it, and ids sort by bytes
-- whatever the database's language: in Czech, "ch" comes after "h".

-- +goose Up
CREATE TABLE uploads (
    id          TEXT   COLLATE "C" NOT NULL PRIMARY KEY, -- sorts by the time of the grant
    principal   TEXT   COLLATE "C" NOT NULL,
    preset      TEXT   NOT NULL,
    filename    TEXT   NOT NULL,
    type        TEXT   NOT NULL, -- as declared
    min_bytes   BIGINT NOT NULL,
    max_bytes   BIGINT NOT NULL,
    sha256      TEXT   NOT NULL, -- as announced, in hex; empty: none
    metadata    TEXT   NOT NULL, -- JSON; empty: none
    expires_at  BIGINT NOT NULL, -- of the grant

    state       TEXT   COLLATE "C" NOT NULL,
    size        BIGINT NOT NULL, -- bytes
    etag        TEXT   NOT NULL,
    image       TEXT,            -- JSON, when ready
    problem     TEXT,            -- JSON, when rejected or failed
    stored_at   BIGINT NOT NULL,
    settled_at  BIGINT,

    next_at     BIGINT,          -- when the job is due; NULL: there is none
    lease       TEXT,            -- who works on it
    lease_until BIGINT,
    attempts    BIGINT NOT NULL DEFAULT 0,

    CHECK (state IN ('stored', 'ready', 'rejected', 'failed', 'removed')),
    CHECK (size >= 0 AND attempts >= 0),
    CHECK ((state = 'stored') = (settled_at IS NULL)),
    CHECK (state <> 'stored' OR next_at IS NOT NULL),
    CHECK (lease IS NULL OR next_at IS NOT NULL),
    CHECK ((lease IS NULL) = (lease_until IS NULL))
);

-- The queue: only rows with a job are in it.
CREATE INDEX uploads_due ON uploads (next_at, id) WHERE next_at IS NOT NULL;

-- Listing, newest first, of one principal; with and without a state.
CREATE INDEX uploads_of ON uploads (principal, id DESC);
CREATE INDEX uploads_in ON uploads (principal, state, id DESC);

-- Removed uploads that wait to be forgotten.
CREATE INDEX uploads_past ON uploads (settled_at) WHERE state = 'removed' AND next_at IS NULL;

-- A program that knows a schema of this version or a later one may use these
-- records. A migration that takes away what the last release needs raises it.
CREATE TABLE schema_floor (version BIGINT NOT NULL);
INSERT INTO schema_floor (version) VALUES (1);

-- +goose Down
DROP TABLE schema_floor;
DROP TABLE uploads;
