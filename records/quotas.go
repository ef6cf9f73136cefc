package records

import (
	"context"
	"time"

	"postern.example/postern"
)

// A principal's use of a preset is one row, which every statement here locks
// first: so the copies that share a database decide one after the other, and a
// grant costs a few rows whatever was used before. What is promised and did not
// arrive yet has a row for each grant; an expired one is given back by the next
// grant of the same principal, so nothing has to run for that.
const (
	day    = "86400000"
	minute = "60000"
)

var (
	// A statement sees what was committed before it began. So the row is locked
	// by one, and the next see what whoever held the lock did.
	lockUse = `INSERT INTO quota_use (principal, preset) VALUES ($1, $2)
		ON CONFLICT (principal, preset) DO UPDATE SET preset = excluded.preset`

	turnUse = `UPDATE quota_use SET
			uploads = CASE WHEN on_day = ` + now("$3") + ` / ` + day + ` THEN uploads ELSE 0 END,
			bytes = CASE WHEN on_day = ` + now("$3") + ` / ` + day + ` THEN bytes ELSE 0 END,
			on_day = ` + now("$3") + ` / ` + day + `,
			grants = CASE WHEN in_minute = ` + now("$3") + ` / ` + minute + ` THEN grants ELSE 0 END,
			in_minute = ` + now("$3") + ` / ` + minute + `,
			open = open - (SELECT count(*) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open AND expires_at <= ` + now("$3") + `),
			open_bytes = open_bytes - (SELECT coalesce(sum(bytes), 0) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open AND expires_at <= ` + now("$3") + `)
		WHERE principal = $1 AND preset = $2`

	giveBack = `UPDATE quota_grants SET is_open = FALSE
		WHERE principal = $1 AND preset = $2 AND is_open AND expires_at <= ` + now("$3")

	// $4 the id, $5 bytes, $6 expiry, $7 to $10 the quota.
	promise = `INSERT INTO quota_grants (id, principal, preset, bytes, expires_at, is_open)
		SELECT $1, principal, preset, CAST($4 AS BIGINT), CAST($5 AS BIGINT), TRUE FROM quota_use
		WHERE principal = $2 AND preset = $3
			AND (CAST($6 AS BIGINT) = 0 OR grants < CAST($6 AS BIGINT))
			AND (CAST($7 AS BIGINT) = 0 OR open_bytes + CAST($4 AS BIGINT) <= CAST($7 AS BIGINT))
			AND (CAST($8 AS BIGINT) = 0 OR uploads + open < CAST($8 AS BIGINT))
			AND (CAST($9 AS BIGINT) = 0 OR bytes + open_bytes + CAST($4 AS BIGINT) <= CAST($9 AS BIGINT))`

	countPromise = `UPDATE quota_use SET grants = grants + 1, open = open + 1, open_bytes = open_bytes + CAST($4 AS BIGINT)
		WHERE principal = $2 AND preset = $3 AND EXISTS (SELECT 1 FROM quota_grants WHERE id = $1)`

	// The last of a reservation's statements: what decided.
	useAfter = `SELECT ` + useColumns + `, EXISTS (SELECT 1 FROM quota_grants WHERE id = $4)
		FROM quota_use WHERE principal = $1 AND preset = $2`

	// In a look no row is changed: what has passed is left out.
	useNow = `SELECT
			` + now("$3") + `,
			CASE WHEN in_minute = ` + now("$3") + ` / ` + minute + ` THEN grants ELSE 0 END,
			open - (SELECT count(*) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open AND expires_at <= ` + now("$3") + `),
			open_bytes - (SELECT coalesce(sum(bytes), 0) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open AND expires_at <= ` + now("$3") + `),
			coalesce((SELECT min(expires_at) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open AND expires_at > ` + now("$3") + `), 0),
			CASE WHEN on_day = ` + now("$3") + ` / ` + day + ` THEN uploads ELSE 0 END,
			CASE WHEN on_day = ` + now("$3") + ` / ` + day + ` THEN bytes ELSE 0 END
		FROM quota_use WHERE principal = $1 AND preset = $2`

	useColumns = now("$3") + `, grants, open, open_bytes,
		coalesce((SELECT min(expires_at) FROM quota_grants WHERE principal = $1 AND preset = $2 AND is_open), 0), uploads, bytes`
)

const (
	// What arrives was promised, once: the promise is gone then.
	countArrival = `UPDATE quota_use SET
			uploads = uploads + 1, bytes = bytes + $4,
			open = open - (SELECT count(*) FROM quota_grants WHERE id = $1 AND is_open),
			open_bytes = open_bytes - (SELECT coalesce(sum(bytes), 0) FROM quota_grants WHERE id = $1 AND is_open)
		WHERE principal = $2 AND preset = $3 AND EXISTS (SELECT 1 FROM quota_grants WHERE id = $1)`

	endPromise = `DELETE FROM quota_grants WHERE id = $1`

	forgetPromises = `DELETE FROM quota_grants WHERE id IN (SELECT id FROM quota_grants WHERE NOT is_open AND expires_at < $1 LIMIT $2)`

	// A principal who comes back begins anew; one with promises out is kept.
	forgetUse = `DELETE FROM quota_use WHERE (principal, preset) IN (
		SELECT principal, preset FROM quota_use WHERE on_day < CAST($1 AS BIGINT) / ` + day + ` AND open = 0 LIMIT $2)`
)

var _ postern.Quotas = (*Records)(nil)

// Reserve counts a grant if that passes none of the limits in r.Quota, and
// returns the use that decided. It is durable on return. The day and the minute
// are those of the records' clock, in UTC.
//
// When ctx ends before the commit, Reserve returns at once and the grant may or
// may not have been counted; what was is given back when it expires.
func (r *Records) Reserve(ctx context.Context, v postern.Reservation) (use postern.Use, ok bool, err error) {
	whose := []any{v.Principal, v.Preset}
	timed := append(whose[:2:2], r.clock())
	_, err = r.write(ctx, change{
		before: []statement{
			{lockUse, whose},
			{turnUse, timed},
			{giveBack, timed},
			{promise, []any{
				string(v.ID), v.Principal, v.Preset, v.Bytes, v.Expires.UnixMilli(),
				int64(v.Quota.GrantsPerMinute), v.Quota.BytesOutstanding, int64(v.Quota.UploadsPerDay), v.Quota.BytesPerDay,
			}},
			{countPromise, []any{string(v.ID), v.Principal, v.Preset, v.Bytes}},
		},
		query: useAfter, args: append(timed[:3:3], string(v.ID)), row: useRow(v.Principal, v.Preset),
		into: func(rs rows) error {
			var x useRowValues
			err := one(append(x.into(), &ok)...)(rs)
			use = x.use()
			return err
		},
	})
	return use, ok && err == nil, err
}

// Use returns what principal has used of the quota of a preset.
func (r *Records) Use(ctx context.Context, principal, preset string) (postern.Use, error) {
	var x useRowValues
	err := r.read(ctx, func(rs rows) error {
		x = useRowValues{}
		return one(x.into()...)(rs)
	}, useNow, principal, preset, r.clock())
	if x.now == 0 { // nothing yet
		x.now = r.now().UnixMilli()
	}
	return x.use(), err
}

// useRow is what orders the locks of uses among those of other rows.
func useRow(principal, preset string) string { return "use " + preset + " " + principal }

type useRowValues struct{ now, grants, open, openBytes, firstOpen, uploads, bytes int64 }

func (x *useRowValues) into() []any {
	return []any{&x.now, &x.grants, &x.open, &x.openBytes, &x.firstOpen, &x.uploads, &x.bytes}
}

func (x *useRowValues) use() postern.Use {
	u := postern.Use{Now: instant(x.now), Grants: x.grants, Open: x.open, OpenBytes: x.openBytes, Uploads: x.uploads, Bytes: x.bytes}
	if x.firstOpen != 0 {
		u.FirstOpen = instant(x.firstOpen)
	}
	return u
}

// arrived is what else is done when u arrives and its preset has a quota.
func (r *Records) arrived(u *postern.Upload) []statement {
	if !r.counted[u.Preset] {
		return nil
	}
	return []statement{
		{lockUse, []any{u.Principal, u.Preset}},
		{turnUse, []any{u.Principal, u.Preset, r.clock()}},
		{giveBack, []any{u.Principal, u.Preset, r.clock()}},
		{countArrival, []any{string(u.ID), u.Principal, u.Preset, u.Size}},
		{endPromise, []any{string(u.ID)}},
	}
}

// keepPromises is how long after its end a promise is remembered: what arrived
// in time may be found that much later.
const keepPromises = postern.Grace + time.Hour

// forgetCounts deletes what no quota needs any more.
func (r *Records) forgetCounts(ctx context.Context) error {
	for _, f := range []struct {
		statement string
		before    time.Time
	}{{forgetPromises, r.now().Add(-keepPromises)}, {forgetUse, r.now().Add(-24 * time.Hour)}} {
		if _, err := r.forget(ctx, f.statement, f.before); err != nil {
			return err
		}
	}
	return nil
}
