package records

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"postern.example/postern"
)

const selectUpload = `SELECT ` + columns + ` FROM uploads WHERE id = $1`

var (
	insertUpload = `INSERT INTO uploads (` + columns + `, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, ` + now("$20") + `)
		ON CONFLICT (id) DO NOTHING`

	// The principal is checked, not looked for: PostgreSQL would take the index
	// of principals and states, and pass over all that the principal has.
	removeUpload = `UPDATE uploads
		SET state = 'removed', settled_at = ` + now("$1") + `, next_at = ` + now("$1") + `, lease = NULL, lease_until = NULL, attempts = 0
		WHERE id = $2 AND principal || '' = $3 AND state <> 'removed'`
)

// Arrive notes an upload in state Stored and its job, due at once, and returns
// it as it is noted. If the id is known already nothing changes, and the
// upload as it is comes back with fresh false. It is durable on return.
//
// When ctx ends before the commit, Arrive returns at once and the upload may
// or may not have been noted; to call it again does no harm.
func (r *Records) Arrive(ctx context.Context, u postern.Upload) (postern.Upload, bool, error) {
	u.State = postern.Stored
	u.Image, u.Problem = nil, nil
	if u.StoredAt.IsZero() {
		u.StoredAt = r.now()
	}
	w, err := encode(&u)
	if err != nil {
		return postern.Upload{}, false, err
	}
	w.settledAt = sql.NullInt64{}
	events, err := r.event(&u)
	if err != nil {
		return postern.Upload{}, false, err
	}
	insert := change{before: r.arrived(&u), after: events, query: insertUpload, args: append(w.values(), r.clock()), row: w.id, news: due}
	for {
		n, err := r.write(ctx, insert)
		if err != nil {
			return postern.Upload{}, false, err
		}
		if n == 1 {
			u, err = w.decode()
			return u, true, err
		}
		u, err := r.Upload(ctx, u.ID)
		if !errors.Is(err, postern.ErrNotFound) { // else it was forgotten just now
			return u, false, err
		}
	}
}

// Upload returns one upload, a removed one too. ErrNotFound when it is unknown.
func (r *Records) Upload(ctx context.Context, id postern.ID) (u postern.Upload, err error) {
	err = r.read(ctx, func(rs rows) error {
		if !rs.Next() {
			return cmp.Or(rs.Err(), error(postern.ErrNotFound))
		}
		var w row
		if err := rs.Scan(w.into()...); err != nil {
			return err
		}
		u, err = w.decode()
		return err
	}, selectUpload, string(id))
	return u, err
}

// Remove turns an upload of principal into state Removed and makes its job (to
// delete its objects) due at once; a lease on it is lost. It is durable on
// return. ErrNotFound when the id is unknown, belongs to another principal or
// was removed before.
func (r *Records) Remove(ctx context.Context, principal string, id postern.ID) error {
	events, err := r.event(&postern.Upload{Ticket: postern.Ticket{ID: id, Principal: principal}, State: postern.Removed, SettledAt: r.now(), Trail: postern.TrailOf(ctx)})
	if err != nil {
		return err
	}
	_, err = r.write(ctx, change{
		after: events,
		query: removeUpload, args: []any{r.clock(), string(id), principal}, row: string(id), none: postern.ErrNotFound, news: due,
	})
	return err
}

// read runs a query and has into read its answer.
func (r *Records) read(ctx context.Context, into func(rows) error, query string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return told(err)
	}
	return told(r.db.read(ctx, into, query, args...))
}
