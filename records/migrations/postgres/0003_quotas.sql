-- What each principal has used of the quota of each preset, in one row, and what
-- was granted and did not arrive yet. Rows are there only for presets with a
-- quota.

-- +goose Up
CREATE TABLE quota_use (
    principal  TEXT   COLLATE "C" NOT NULL,
    preset     TEXT   COLLATE "C" NOT NULL,
    on_day     BIGINT NOT NULL DEFAULT 0, -- days since 1970, UTC, that uploads and bytes are of
    uploads    BIGINT NOT NULL DEFAULT 0, -- arrived
    bytes      BIGINT NOT NULL DEFAULT 0,
    in_minute  BIGINT NOT NULL DEFAULT 0, -- minutes since 1970 that grants is of
    grants     BIGINT NOT NULL DEFAULT 0,
    open       BIGINT NOT NULL DEFAULT 0, -- granted, not arrived, not expired: rows of quota_grants that are open
    open_bytes BIGINT NOT NULL DEFAULT 0,

    PRIMARY KEY (principal, preset),
    CHECK (uploads >= 0 AND bytes >= 0 AND grants >= 0 AND open >= 0 AND open_bytes >= 0)
);

CREATE INDEX quota_use_past ON quota_use (on_day) WHERE open = 0;

CREATE TABLE quota_grants (
    id         TEXT    COLLATE "C" NOT NULL PRIMARY KEY, -- of the upload
    principal  TEXT    COLLATE "C" NOT NULL,
    preset     TEXT    COLLATE "C" NOT NULL,
    bytes      BIGINT  NOT NULL, -- that may arrive
    expires_at BIGINT  NOT NULL, -- milliseconds since 1970, UTC
    is_open    BOOLEAN NOT NULL  -- false: it expired, and was given back
);

CREATE INDEX quota_grants_open ON quota_grants (principal, preset, expires_at, bytes) WHERE is_open;
CREATE INDEX quota_grants_past ON quota_grants (expires_at) WHERE NOT is_open;

-- +goose Down
DROP TABLE quota_grants;
DROP TABLE quota_use;
