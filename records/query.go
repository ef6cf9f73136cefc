package records

import (
	"context"
	"time"

	"postern.example/postern"
)

const (
	selectUploads = `SELECT ` + columns + ` FROM uploads
		WHERE principal = $1 AND id < $2 AND state <> 'removed'
		ORDER BY id DESC LIMIT $3`

	selectUploadsIn = `SELECT ` + columns + ` FROM uploads
		WHERE principal = $1 AND id < $2 AND state = $4
		ORDER BY id DESC LIMIT $3`
)

var selectBacklog = `SELECT count(*), coalesce(min(next_at), 0) FROM uploads WHERE next_at <= ` + now("$1")

// afterAll sorts after every id, whatever the collation: an id has no letter
// beyond "v".
const afterAll = "w"

// Uploads lists one principal's uploads, newest first (by id), without removed
// ones. A Limit below 1 is taken as 1, one above MaxPage+1 as that: the one
// more tells the caller whether there is a next page.
func (r *Records) Uploads(ctx context.Context, q postern.Query) ([]postern.Upload, error) {
	if q.State == postern.Removed {
		return nil, nil
	}
	before := string(q.Before)
	if before == "" {
		before = afterAll
	}
	limit := min(max(q.Limit, 1), postern.MaxPage+1)
	query, args := selectUploads, []any{q.Principal, before, limit}
	if q.State != "" {
		query, args = selectUploadsIn, append(args, string(q.State))
	}
	return r.list(ctx, query, args...)
}

// Backlog returns how many jobs are due or running, and since when the oldest
// of them has been due; the zero time when there are none.
func (r *Records) Backlog(ctx context.Context) (n int, oldest time.Time, err error) {
	var since int64
	err = r.read(ctx, one(&n, &since), selectBacklog, r.clock())
	if err != nil || n == 0 {
		return 0, time.Time{}, err
	}
	return n, instant(since), nil
}

const selectAfter = `SELECT ` + columns + ` FROM uploads WHERE id > $1 ORDER BY id LIMIT $2`

// Scan returns up to limit uploads of everybody, removed ones too, whose ids
// sort after the one given, in the order of ids. Fewer than limit mean the end.
func (r *Records) Scan(ctx context.Context, after postern.ID, limit int) ([]postern.Upload, error) {
	return r.list(ctx, selectAfter, string(after), limit)
}

// list runs a query for columns.
func (r *Records) list(ctx context.Context, query string, args ...any) (list []postern.Upload, err error) {
	err = r.read(ctx, func(rs rows) error {
		list = nil
		for rs.Next() {
			var w row
			if err := rs.Scan(w.into()...); err != nil {
				return err
			}
			u, err := w.decode()
			if err != nil {
				return err
			}
			list = append(list, u)
		}
		return rs.Err()
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return list, nil
}
