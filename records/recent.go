package records

import (
	"context"
	"fmt"

	"postern.example/postern"
)

// selectRecent is in the words of each state, so that the database knows that
// the index of those in trouble will do. Most are ready: those are passed over
// by their ids, and not sorted, which PostgreSQL would do by another index.
var selectRecent = map[postern.State]string{
	"":               recent("", `state <> 'removed'`),
	postern.Stored:   recent(inQueue, `state = 'stored' AND next_at IS NOT NULL`),
	postern.Ready:    recent("", `state || '' = 'ready'`),
	postern.Rejected: recent(inTrouble, `state = 'rejected'`),
	postern.Failed:   recent(inTrouble, `state = 'failed'`),
}

func recent(by, which string) string {
	return `SELECT ` + columns + ` FROM uploads` + by + ` WHERE id < $1 AND ` + which + ` ORDER BY id DESC LIMIT $2`
}

// checkAgain is due at once, and counts from now: what is away is waited for as
// long as if it had just arrived.
var checkAgain = `UPDATE uploads
	SET state = 'stored', problem = NULL, settled_at = NULL, stored_at = ` + now("$1") + `, next_at = ` + now("$1") + `, lease = NULL, lease_until = NULL, attempts = 0
	WHERE id = $2 AND state = 'failed'`

// Recent lists everybody's uploads, newest first (by id), without removed ones:
// those before an id, if one is given, and in one state, if one is. A limit
// below 1 is taken as 1, one above MaxPage+1 as that.
func (r *Records) Recent(ctx context.Context, state postern.State, before postern.ID, limit int) ([]postern.Upload, error) {
	query, ok := selectRecent[state]
	if !ok {
		return nil, fmt.Errorf("list uploads: %q is not a state that is noted", state)
	}
	if before == "" {
		before = afterAll
	}
	return r.list(ctx, query, string(before), min(max(limit, 1), postern.MaxPage+1))
}

// Again turns a failed upload into state Stored and makes its job due at once.
// It is durable on return. ErrNotFound when there is no failed upload of that id.
func (r *Records) Again(ctx context.Context, id postern.ID) error {
	_, err := r.write(ctx, change{query: checkAgain, args: []any{r.clock(), string(id)}, row: string(id), none: postern.ErrNotFound, news: due})
	return err
}
