-- How often each upload token was used. A row comes with the first use and
-- may be forgotten some time after the token's end. SQLite and PostgreSQL alike.

-- +goose Up
CREATE TABLE token_uses (
    token    TEXT   NOT NULL PRIMARY KEY, -- what names it; not the token itself
    used     BIGINT NOT NULL,
    until_at BIGINT NOT NULL,             -- its end; milliseconds since 1970, UTC

    CHECK (used >= 1)
);

CREATE INDEX token_uses_past ON token_uses (until_at);

-- +goose Down
DROP TABLE token_uses;
