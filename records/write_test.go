package records

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

// hold keeps the writer inside a transaction until release is called, so that
// what comes meanwhile is one batch.
func hold(t *testing.T, r *Records) (release func()) {
	t.Helper()
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := r.write(context.Background(), change{query: `SELECT 1`, into: func(rows) error {
			close(inside)
			<-leave
			return nil
		}})
		done <- err
	}()
	<-inside
	return func() {
		close(leave)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

var errRefused = errors.New("refused")

func TestAnswersAreEachCallersOwn(t *testing.T) { onEach(t, testAnswersAreEachCallersOwn) }

func testAnswersAreEachCallersOwn(t *testing.T, p *place) {
	p.writers = 1 // which is held
	r, _ := p.openNew(t)
	ctx := t.Context()
	arrive(t, r, arrival(1))
	arrive(t, r, arrival(2))
	claim := claimOne(t, r)
	lost := claim
	lost.Lease = "another"
	poisoned := arrival(5)
	poisoned.Size = -1 // the schema refuses it

	release := hold(t, r)
	calls := []struct {
		name string
		call func() error
		want error // nil: none; errRefused: any that is not the driver's
	}{
		{"settle under a lost lease", func() error { return r.Settle(ctx, lost, ready(claim.Upload)) }, postern.ErrLeaseLost},
		{"arrive", func() error { _, _, err := r.Arrive(ctx, arrival(3)); return err }, nil},
		{"remove of the unknown", func() error { return r.Remove(ctx, "alice", madeID(99)) }, postern.ErrNotFound},
		{"arrive poisoned", func() error { _, _, err := r.Arrive(ctx, poisoned); return err }, errRefused},
		{"arrive", func() error { _, _, err := r.Arrive(ctx, arrival(4)); return err }, nil},
		{"remove", func() error { return r.Remove(ctx, "alice", madeID(2)) }, nil},
		{"settle", func() error { return r.Settle(ctx, claim, ready(claim.Upload)) }, nil},
		{"claim", func() error { _, err := r.Claim(ctx, time.Minute, 5); return err }, nil},
	}
	var all sync.WaitGroup
	for i, c := range calls {
		all.Go(func() {
			err := c.call()
			switch {
			case errors.Is(c.want, errRefused):
				if err == nil || errors.Is(err, postern.ErrRecordsUnavailable) {
					t.Errorf("%s: %v; want a refusal", c.name, err)
				}
				noDriver(t, c.name, err)
			case c.want == nil && err != nil:
				t.Errorf("%s: %v", c.name, err)
			case c.want != nil:
				want(t, c.name, err, c.want)
			}
		})
		eventually(t, "the call waits", func() bool { return r.queue.len() == i+1 })
	}
	release()
	all.Wait()

	for n, state := range map[int]postern.State{1: postern.Ready, 2: postern.Removed, 3: postern.Stored, 4: postern.Stored} {
		if u, err := r.Upload(ctx, madeID(n)); err != nil || u.State != state {
			t.Errorf("upload %d: %q, %v; want %q", n, u.State, err, state)
		}
	}
	_, err := r.Upload(ctx, madeID(5))
	want(t, "the poisoned one", err, postern.ErrNotFound)
	if n, _, err := r.Backlog(ctx); n != 3 || err != nil { // 2 (to be deleted), 3, 4; each leased once
		t.Errorf("Backlog: %d, %v; want 3", n, err)
	}
	claims, err := r.Claim(ctx, time.Minute, 10)
	if len(claims) != 0 || err != nil {
		t.Errorf("the claim of the batch was not kept: %d, %v", len(claims), err)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	small := defaults()
	small.batch = 8
	r := openTuned(t, Config{}, small)
	release := hold(t, r)
	var all sync.WaitGroup
	run := 0 // by the writer alone
	for i := range 100 {
		w, err := encode(&postern.Upload{Ticket: arrival(i).Ticket, State: postern.Stored})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			insert := change{query: insertUpload + ` RETURNING id`, args: append(w.values(), 0)}
			insert.into = func(rows) error {
				// What is committed is seen from outside of the transaction.
				var committed int
				if err := r.db.read(t.Context(), one(&committed), "SELECT count(*) FROM uploads"); err != nil {
					return err
				}
				if run++; run-committed > small.batch {
					t.Errorf("change %d in a transaction that began after %d", run, committed)
				}
				return nil
			}
			if _, err := r.write(t.Context(), insert); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return r.queue.len() == 100 })
	release()
	all.Wait()
	if n, _, err := r.Backlog(t.Context()); n != 100 || err != nil {
		t.Fatalf("%d of 100, %v", n, err)
	}
}

func TestCloseCommitsWhatWaits(t *testing.T) { onEach(t, testCloseCommitsWhatWaits) }

func testCloseCommitsWhatWaits(t *testing.T, p *place) {
	p.writers = 1 // which is held
	r, c := p.openNew(t)
	release := hold(t, r)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, _, err := r.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return r.queue.len() == 50 })
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	release()
	all.Wait()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	r = p.open(t, c)
	if n, _, err := r.Backlog(t.Context()); n != 50 || err != nil {
		t.Fatalf("%d of 50, %v", n, err)
	}
}

// The claims of performance rest on this: what waits shares a commit.
func TestWaitingWritesShareACommit(t *testing.T) {
	r, _ := openNew(t)
	release := hold(t, r)
	before := frames(t, r)
	const n = 200
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, _, err := r.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return r.queue.len() == n })
	release()
	all.Wait()
	// Alone, each insert writes at least four pages to the log.
	if wrote := frames(t, r) - before; wrote <= 0 || wrote > n {
		t.Fatalf("%d pages were logged for %d inserts", wrote, n)
	}
}

// frames returns how many pages are in the write-ahead log.
func frames(t *testing.T, r *Records) int {
	t.Helper()
	var busy, n, moved int
	if err := elsewhere(t, lite(r).path).QueryRow("PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &n, &moved); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestQueriesUseTheirIndexes(t *testing.T) {
	r, _ := openNew(t)
	db := elsewhere(t, lite(r).path)
	if plan := explain(t, db, selectRecent[postern.Stored]); !strings.Contains(plan, "uploads_due") { // and sorts what waits
		t.Errorf("those that wait: %s", plan)
	}
	for query, index := range map[string]string{
		selectUpload:    "sqlite_autoindex_uploads_1",
		selectUploads:   "uploads_of",
		selectUploadsIn: "uploads_in",
		selectBacklog:   "uploads_due",
		claimJobs:       "uploads_due",
		forgetUploads:   "uploads_past",

		selectRecent[""]:               "sqlite_autoindex_uploads_1",
		selectRecent[postern.Ready]:    "sqlite_autoindex_uploads_1",
		selectRecent[postern.Rejected]: "uploads_in_trouble",
		selectRecent[postern.Failed]:   "uploads_in_trouble",
	} {
		plan := explain(t, db, query)
		if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "SCAN uploads") {
			t.Errorf("%s\nis not served by %s: %s", query, index, plan)
		}
	}
}

func explain(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "$"))
	for i := range args {
		args[i] = i
	}
	for len(args) > 0 && !strings.Contains(query, "$"+strconv.Itoa(len(args))) {
		args = args[:len(args)-1]
	}
	rows, err := db.Query("EXPLAIN QUERY PLAN "+sqliteWords.Replace(query), args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}
