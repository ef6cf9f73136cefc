package records

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"postern.example/postern"
)

// now is the time in a statement: the argument, or when that is NULL the
// database's own, by which copies on many machines agree.
func now(argument string) string {
	return "coalesce(CAST(" + argument + " AS BIGINT), " + dbClock + ")"
}

var (
	// One name for all of a call, and the id behind it: every lease has its own.
	// The due jobs are found first and once: PostgreSQL may run a subquery in
	// the WHERE more than once, and lease more than the limit.
	claimJobs = `WITH due AS MATERIALIZED (
			SELECT id FROM uploads
			WHERE next_at <= ` + now("$1") + ` AND (lease_until IS NULL OR lease_until <= ` + now("$1") + `)
			ORDER BY next_at, id LIMIT $2` + skipLocked + `)
		UPDATE uploads SET lease = CAST($3 AS TEXT) || '-' || id, lease_until = ` + now("$1") + ` + $4, attempts = attempts + 1
		WHERE id IN (SELECT id FROM due)
		RETURNING ` + columns + `, next_at, attempts, lease, lease_until`

	extendJob = `UPDATE uploads SET lease_until = ` + now("$1") + ` + $2 WHERE id = $3 AND lease = $4
		RETURNING lease_until`

	retryJob = `UPDATE uploads SET next_at = ` + now("$1") + ` + $2, lease = NULL, lease_until = NULL WHERE id = $3 AND lease = $4`
)

const (
	settleJob = `UPDATE uploads
		SET state = $1, image = $2, problem = $3, settled_at = $4, size = $5, etag = $6,
			next_at = NULL, lease = NULL, lease_until = NULL, attempts = 0
		WHERE id = $7 AND lease = $8 AND state <> 'removed'`

	settleRemoved = `UPDATE uploads SET next_at = NULL, lease = NULL, lease_until = NULL, attempts = 0
		WHERE id = $1 AND lease = $2 AND state = 'removed'`

	releaseJob = `UPDATE uploads SET lease = NULL, lease_until = NULL, attempts = attempts - 1 WHERE id = $1 AND lease = $2`

	reclaimJobs = `UPDATE uploads SET lease = NULL, lease_until = NULL WHERE lease IS NOT NULL`

	forgetUploads = `DELETE FROM uploads WHERE id IN (
		SELECT id FROM uploads
		WHERE state = 'removed' AND next_at IS NULL AND settled_at < $1 LIMIT $2` + skipLocked + `)`
)

// Claim leases up to limit due jobs, those that have been due longest first. A
// job is due when its time has come and nobody holds a lease that still runs;
// so the job of a worker that died is due when its lease ends. No job is ever
// leased to two at a time. With nothing due the list is empty.
func (r *Records) Claim(ctx context.Context, lease time.Duration, limit int) ([]postern.Claim, error) {
	if lease < time.Millisecond {
		return nil, fmt.Errorf("claim jobs: a lease of %s is too short", lease)
	}
	if limit < 1 {
		return nil, nil
	}
	name, err := r.lease()
	if err != nil {
		return nil, err
	}
	type job struct {
		row
		nextAt   int64
		attempts int
		lease    string
		until    int64
	}
	var jobs []job
	_, err = r.write(ctx, change{
		query: claimJobs, args: []any{r.clock(), limit, name, lease.Milliseconds()},
		into: func(rs rows) error {
			jobs = nil
			for rs.Next() {
				var j job
				if err := rs.Scan(j.into(&j.nextAt, &j.attempts, &j.lease, &j.until)...); err != nil {
					return err
				}
				jobs = append(jobs, j)
			}
			return rs.Err()
		},
	})
	if err != nil {
		return nil, err
	}
	// RETURNING promises no order.
	slices.SortFunc(jobs, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.nextAt, b.nextAt), cmp.Compare(a.id, b.id))
	})
	claims := make([]postern.Claim, len(jobs))
	for i := range jobs {
		u, err := jobs[i].decode()
		if err != nil {
			return nil, err
		}
		claims[i] = postern.Claim{Upload: u, Lease: jobs[i].lease, Until: instant(jobs[i].until), Attempts: jobs[i].attempts}
	}
	return claims, nil
}

func (r *Records) lease() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(r.random, b[:]); err != nil {
		return "", fmt.Errorf("name lease: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// Extend lets the lease of c end at a later time: the given duration from now.
// It returns c with the new end. ErrLeaseLost when the lease is another's.
func (r *Records) Extend(ctx context.Context, c postern.Claim, lease time.Duration) (postern.Claim, error) {
	if lease < time.Millisecond {
		return c, fmt.Errorf("extend lease: a lease of %s is too short", lease)
	}
	var until int64
	_, err := r.write(ctx, change{
		query: extendJob, args: []any{r.clock(), lease.Milliseconds(), string(c.Upload.ID), c.Lease}, row: string(c.Upload.ID),
		into: func(rs rows) error {
			until = 0
			return one(&until)(rs)
		},
	})
	switch {
	case err != nil:
		return c, err
	case until == 0:
		return c, postern.ErrLeaseLost
	}
	c.Until = instant(until)
	return c, nil
}

// Settle ends the job of c and notes what became of the upload: the state,
// image, problem, settled time, size and ETag of u (those of the bytes that
// were checked). It must be in state Ready, Rejected or Failed. For an upload in state Removed it ends the job and notes nothing.
// It is durable on return. ErrLeaseLost when somebody else has claimed the job
// since, or the upload was removed; nothing is changed then. A lease that ran
// out, but that nobody took over, still counts.
func (r *Records) Settle(ctx context.Context, c postern.Claim, u postern.Upload) error {
	id := string(c.Upload.ID)
	switch u.State {
	case postern.Removed:
		return r.leased(ctx, c, quiet, settleRemoved, id, c.Lease)
	case postern.Ready, postern.Rejected, postern.Failed:
	default:
		return fmt.Errorf("settle upload: %q is not a final state", u.State)
	}
	if u.SettledAt.IsZero() {
		u.SettledAt = r.now()
	}
	w, err := encode(&u)
	if err != nil {
		return err
	}
	return r.leased(ctx, c, moved, settleJob, w.state, w.image, w.problem, w.settledAt, u.Size, u.ETag, id, c.Lease)
}

// Retry gives the lease of c back; the job is due again at the given time.
// ErrLeaseLost when the lease is another's.
func (r *Records) Retry(ctx context.Context, c postern.Claim, at time.Time) error {
	// The time is ours; how long it is until then is the same for everybody.
	wait := at.UnixMilli() - r.now().UnixMilli()
	return r.leased(ctx, c, quiet, retryJob, r.clock(), wait, string(c.Upload.ID), c.Lease)
}

// Release gives the lease of c back as if it had never been taken: the job is
// due at once, in its old place, and the attempt is not counted. It is for a
// worker that shuts down. ErrLeaseLost when the lease is another's.
func (r *Records) Release(ctx context.Context, c postern.Claim) error {
	return r.leased(ctx, c, quiet, releaseJob, string(c.Upload.ID), c.Lease)
}

// Reclaim ends every lease, so that the jobs of a process that was killed go on
// at once and not when their leases run out; the attempts stay counted. It
// returns how many there were. Only who knows that nobody else works on these
// records may call it: a process that has locked the folder, before its worker
// runs. Never where copies share a server.
func (r *Records) Reclaim(ctx context.Context) (int, error) {
	n, err := r.write(ctx, change{query: reclaimJobs})
	return int(n), err
}

// leased runs a statement that changes the row of c only under its lease.
func (r *Records) leased(ctx context.Context, c postern.Claim, n news, statement string, args ...any) error {
	_, err := r.write(ctx, change{query: statement, args: args, row: string(c.Upload.ID), none: postern.ErrLeaseLost, news: n})
	return err
}

// forgetAtOnce is how many rows one commit deletes at most, so that others do
// not wait long.
const forgetAtOnce = 500

// Forget deletes the rows of uploads that were removed before the given time
// and whose objects have been deleted, and returns how many. After an error
// some may be gone. A replayed grant is refused only while its row is there,
// so the time must lie before the expiry of every grant still out. The uses of
// tokens that ended before it are forgotten as well, and what no quota needs.
func (r *Records) Forget(ctx context.Context, before time.Time) (int, error) {
	n, err := r.forget(ctx, forgetUploads, before)
	if err == nil {
		_, err = r.forget(ctx, forgetUses, before)
	}
	if err == nil {
		err = r.forgetCounts(ctx)
	}
	return n, err
}

func (r *Records) forget(ctx context.Context, statement string, before time.Time) (int, error) {
	total := 0
	for {
		n, err := r.write(ctx, change{query: statement, args: []any{before.UnixMilli(), forgetAtOnce}})
		if err != nil {
			return total, err
		}
		total += int(n)
		if n < forgetAtOnce {
			return total, nil
		}
	}
}
