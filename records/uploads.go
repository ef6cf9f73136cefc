package records

import (
	"context"
	"database/sql"
	"errors"

	"postern.example/postern"
)

const (
	insertUpload = `INSERT INTO uploads (` + columns + `, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO NOTHING`

	selectUpload = `SELECT ` + columns + ` FROM uploads WHERE id = $1`

	removeUpload = `UPDATE uploads
		SET state = 'removed', settled_at = $1, next_at = $1, lease = NULL, lease_until = NULL, attempts = 0
		WHERE id = $2 AND principal = $3 AND state <> 'removed'`
)

// Arrive notes an upload in state Stored and its job, due at once, and returns
// it as it is noted. If the id is known already nothing changes, and the
// upload as it is comes back with fresh false. It is durable on return.
//
// When ctx ends before the commit, Arrive returns at once and the upload may
// or may not have been noted; to call it again does no harm.
func (r *Records) Arrive(ctx context.Context, u postern.Upload) (postern.Upload, bool, error) {
	now := r.now()
	u.State = postern.Stored
	u.Image, u.Problem = nil, nil
	if u.StoredAt.IsZero() {
		u.StoredAt = now
	}
	w, err := encode(&u)
	if err != nil {
		return postern.Upload{}, false, err
	}
	w.settledAt = sql.NullInt64{}
	args := append(w.values(), now.UnixMilli())
	var known row
	var fresh bool
	err = r.write(ctx, func(ctx context.Context, f *file) (answer, fault error) {
		n, err := f.writes.exec(ctx, insertUpload, args...)
		if fresh = n == 1; err != nil || fresh {
			return nil, err
		}
		return nil, f.writes.row(ctx, selectUpload, string(u.ID)).Scan(known.into()...)
	})
	if err != nil {
		return postern.Upload{}, false, err
	}
	if fresh {
		known = w
	}
	u, err = known.decode()
	return u, fresh, err
}

// Upload returns one upload, a removed one too. ErrNotFound when it is unknown.
func (r *Records) Upload(ctx context.Context, id postern.ID) (u postern.Upload, err error) {
	err = r.read(ctx, func(f *file) error {
		var w row
		if err := f.reads.row(ctx, selectUpload, string(id)).Scan(w.into()...); err != nil {
			return err
		}
		u, err = w.decode()
		return err
	})
	return u, err
}

// Remove turns an upload of principal into state Removed and makes its job (to
// delete its objects) due at once; a lease on it is lost. It is durable on
// return. ErrNotFound when the id is unknown, belongs to another principal or
// was removed before.
func (r *Records) Remove(ctx context.Context, principal string, id postern.ID) error {
	now := r.now().UnixMilli()
	return r.write(ctx, func(ctx context.Context, f *file) (answer, fault error) {
		n, err := f.writes.exec(ctx, removeUpload, now, string(id), principal)
		if err == nil && n == 0 {
			return postern.ErrNotFound, nil
		}
		return nil, err
	})
}

// read runs do on the file. No row is ErrNotFound.
func (r *Records) read(ctx context.Context, do func(f *file) error) error {
	if err := ctx.Err(); err != nil {
		return told(err)
	}
	f, err := r.enter(ctx)
	if err != nil {
		return told(err)
	}
	defer r.gate.RUnlock()
	err = do(f)
	if errors.Is(err, sql.ErrNoRows) {
		return postern.ErrNotFound
	}
	if resultCode(err) != 0 { // not for a row that cannot be decoded
		f.suspect(err)
	}
	return told(err)
}
