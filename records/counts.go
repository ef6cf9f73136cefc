package records

import (
	"context"
	"fmt"
	"time"
)

const (
	// The row decides, under its lock, so copies that share the database agree.
	countUse = `INSERT INTO token_uses (token, used, until_at) VALUES ($1, 1, CAST($2 AS BIGINT))
		ON CONFLICT (token) DO UPDATE SET used = token_uses.used + 1 WHERE token_uses.used < $3`

	forgetUses = `DELETE FROM token_uses WHERE token IN (SELECT token FROM token_uses WHERE until_at < $1 LIMIT $2)`
)

// Count notes one more use of the upload token called name, unless limit of
// them, 1 or more, were noted: false then. However many ask at a time, through
// however many copies, true is answered limit times. A use is durable on
// return; some time after until it is forgotten ([Records.Forget]).
//
// When ctx ends before the commit, Count returns at once and the use may or may
// not have been noted.
func (r *Records) Count(ctx context.Context, name string, limit int, until time.Time) (noted bool, err error) {
	if limit < 1 {
		return false, fmt.Errorf("count uses: the limit is %d", limit)
	}
	n, err := r.write(ctx, change{query: countUse, args: []any{name, until.UnixMilli(), limit}, row: "token " + name})
	return n == 1 && err == nil, err
}
