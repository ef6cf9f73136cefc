package records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern.example/postern"
)

// asAdmin is a connection to the place's database.
func (p *place) asAdmin(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.conf.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// cut ends every connection of the place's records but those that listen, if
// those shall live, and returns how many.
func cut(t *testing.T, admin *pgx.Conn) (n int) {
	t.Helper()
	if err := admin.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'postern' AND pid <> pg_backend_pid()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// patiently does what may find the database away, again until it does not.
func patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, postern.ErrRecordsUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}

// Four copies with eight workers each on one database, while their connections
// are cut off again and again: no job is ever with two, each is settled once,
// and the copies need no help.
func TestManyCopiesShareTheQueue(t *testing.T) {
	const copies, workers, jobs = 4, 8, 2000
	p := newServerPlace(t)
	var all [copies]*Records
	for i := range all {
		all[i] = p.open(t, nil) // by the database's clock
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	admin := p.asAdmin(t)

	var arrivals sync.WaitGroup
	for w := range workers * copies {
		arrivals.Go(func() {
			for i := w; i < jobs; i += workers * copies {
				err := patiently(ctx, func() error { _, _, err := all[w%copies].Arrive(ctx, arrival(i)); return err })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}

	var mu sync.Mutex
	lent := map[postern.ID]map[string]bool{} // the leases that were given
	settled := map[postern.ID]int{}
	var done atomic.Int64
	var working sync.WaitGroup
	for w := range workers * copies {
		r := all[w%copies]
		working.Go(func() {
			for done.Load() < jobs && ctx.Err() == nil {
				// Short, since the answer to a claim may be lost with its connection.
				claims, err := r.Claim(ctx, 3*time.Second, 5)
				if err != nil && !errors.Is(err, postern.ErrRecordsUnavailable) {
					t.Error(err)
				}
				for _, c := range claims {
					mu.Lock()
					if lent[c.Upload.ID] == nil {
						lent[c.Upload.ID] = map[string]bool{}
					}
					if lent[c.Upload.ID][c.Lease] {
						t.Errorf("the lease %s was given twice", c.Lease)
					}
					lent[c.Upload.ID][c.Lease] = true
					mu.Unlock()
					u := ready(c.Upload)
					u.ETag = c.Lease // whose work it is
					err := patiently(ctx, func() error { return r.Settle(ctx, c, u) })
					if errors.Is(err, postern.ErrLeaseLost) {
						// Another has the job, or a cut took the answer of a try that had happened.
						if err := patiently(ctx, func() (err error) { u, err = r.Upload(ctx, u.ID); return err }); err != nil {
							t.Error(err)
						}
						if u.State != postern.Ready || u.ETag != c.Lease {
							continue
						}
					} else if err != nil {
						t.Errorf("settle: %v", err)
						continue
					}
					mu.Lock()
					settled[u.ID]++
					mu.Unlock()
					done.Add(1)
				}
			}
		})
	}
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cuts := 0
	cutter.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(150 * time.Millisecond):
				cuts += cut(t, admin)
			}
		}
	})
	arrivals.Wait()
	working.Wait()
	close(stop)
	cutter.Wait()
	if cuts == 0 {
		t.Error("no connection was cut")
	}
	for i := range jobs {
		if n := settled[madeID(i)]; n != 1 {
			t.Errorf("upload %d was settled %d times", i, n)
		}
	}
	if n, _, err := all[0].Backlog(ctx); n != 0 || err != nil {
		t.Errorf("%d jobs left, %v", n, err)
	}
	t.Logf("%d connections were cut", cuts)
}

// Leases end, and jobs are due, by the database's clock: a copy whose own is
// wrong by hours takes no job away, and loses none.
func TestCopiesWithWrongClocks(t *testing.T) {
	p := newServerPlace(t)
	right, wrong := p.open(t, nil), p.open(t, nil)
	for _, off := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
		wrong.now = func() time.Time { return time.Now().Add(off) }
		id := arrive(t, wrong, arrival(int(off/time.Hour))).ID
		c := claimOne(t, right) // due at once, for everybody
		if c.Upload.ID != id || time.Until(c.Until) > 61*time.Second || time.Until(c.Until) < 50*time.Second {
			t.Fatalf("claim of %s until %s", c.Upload.ID, c.Until)
		}
		if claims, err := wrong.Claim(t.Context(), time.Minute, 1); err != nil || len(claims) != 0 {
			t.Fatalf("off by %s: took %d running jobs, %v", off, len(claims), err)
		}
		if err := wrong.Retry(t.Context(), c, wrong.now().Add(100*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if claims, err := right.Claim(t.Context(), time.Minute, 1); err != nil || len(claims) != 0 {
			t.Fatalf("off by %s: due before the time, %v", off, err)
		}
		eventually(t, "the job is due again", func() bool {
			claims, err := right.Claim(t.Context(), time.Minute, 1)
			if err != nil || len(claims) == 0 {
				return false
			}
			return right.Settle(t.Context(), claims[0], ready(claims[0].Upload)) == nil
		})
	}
}

// What one copy changes, another hears of: at once, and also after its
// connections were cut.
func TestChangesAreHeardByOtherCopies(t *testing.T) {
	p := newServerPlace(t)
	a, b := p.open(t, nil), p.open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	heard, own := make(chan postern.Change, 10_000), make(chan postern.Change, 10_000)
	var all sync.WaitGroup
	for r, into := range map[*Records]chan postern.Change{a: own, b: heard} {
		all.Go(func() { want(t, "Changes", r.Changes(ctx, func(c postern.Change) { into <- c }), context.Canceled) })
	}
	next := func(wanted postern.Change) {
		t.Helper()
		select {
		case got := <-heard:
			if got != wanted {
				t.Fatalf("heard %+v, want %+v", got, wanted)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%+v was not heard", wanted)
		}
	}
	any := postern.Change{Due: true}
	next(any) // what was before is not known
	if got := <-own; got != any {
		t.Fatalf("heard %+v at first", got)
	}
	u := arrive(t, a, arrival(1))
	next(postern.Change{ID: u.ID, Due: true})
	if err := a.Settle(t.Context(), claimOne(t, a), ready(u)); err != nil {
		t.Fatal(err)
	}
	next(postern.Change{ID: u.ID}) // and nothing of the claim
	if n := cut(t, p.asAdmin(t)); n < 2 {
		t.Fatalf("%d connections were cut", n)
	}
	next(any)
	want(t, "a second Remove", errors.Join(a.Remove(t.Context(), "alice", u.ID), a.Remove(t.Context(), "alice", u.ID)), postern.ErrNotFound)
	next(postern.Change{ID: u.ID, Due: true})

	// Many at once are told in several messages, or as "any".
	var many sync.WaitGroup
	for i := range 900 {
		many.Go(func() {
			if _, _, err := a.Arrive(t.Context(), arrival(10+i)); err != nil {
				t.Error(err)
			}
		})
	}
	many.Wait()
	seen := map[postern.ID]bool{}
	eventually(t, "all are heard", func() bool {
		select {
		case c := <-heard:
			if c.ID == "" {
				return true
			}
			seen[c.ID] = true
		default:
		}
		return len(seen) == 900
	})
	for len(own) > 0 {
		if c := <-own; c.ID != "" {
			t.Errorf("a copy hears of its own change of %s", c.ID)
		}
	}
	cancel()
	all.Wait()
}

// More than a message can name are told as "any".
func TestCrierDoesNotGrow(t *testing.T) {
	c := &crier{wake: make(chan struct{}, 1)}
	for i := range 50_000 {
		c.tell(string(madeID(i)), moved)
	}
	if len(c.todo) > maxTold*60 {
		t.Errorf("%d bytes wait", len(c.todo))
	}
	if got := string(c.todo); got != " +" {
		t.Errorf("%.100q waits", got)
	}
}

func FuzzHeard(f *testing.F) {
	for _, s := range []string{"", "a", "me =x", "you =x +y", "you + =", "you x", "  ", "you =\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		n := 0
		heard(message, "me", func(c postern.Change) {
			if n++; strings.Contains(string(c.ID), " ") {
				t.Errorf("%q", c.ID)
			}
		})
		if n > 0 && strings.HasPrefix(message, "me ") {
			t.Error("heard oneself")
		}
	})
}

// newest is the version of the schema after all migrations.
const newest = 6

// Ten copies that start at once on an empty database all start, and one of them
// migrates. So do ten that find a schema older than theirs.
func TestTenCopiesMigrateOnce(t *testing.T) {
	p := newServerPlace(t)
	var all sync.WaitGroup
	var migrated atomic.Int64
	for range 10 {
		all.Go(func() {
			from, to, err := Migrate(t.Context(), p.conf)
			if err != nil || to != newest {
				t.Errorf("from %d to %d, %v", from, to, err)
			}
			if from == 0 {
				migrated.Add(1)
			}
		})
	}
	all.Wait()
	if n := migrated.Load(); n != 1 {
		t.Errorf("%d copies migrated", n)
	}
	var rows int
	if err := p.asAdmin(t).QueryRow(t.Context(), "SELECT count(*) FROM goose_db_version WHERE version_id = 1").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("noted %d times, %v", rows, err)
	}
}

// A copy of the last release starts on the schema of the next one, unless that
// says that it took something away.
func TestNewerSchema(t *testing.T) {
	p := newServerPlace(t)
	arrive(t, p.open(t, nil), arrival(1))
	admin := p.asAdmin(t)
	change := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	change(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	change(`ALTER TABLE uploads ADD COLUMN quota TEXT`) // as a later release may
	old := p.open(t, nil)
	arrive(t, old, arrival(2))
	if c := claimOne(t, old); c.Upload.ID != madeID(1) {
		t.Errorf("claimed %s", c.Upload.ID)
	}
	if from, to, err := Migrate(t.Context(), p.conf); from != 9999 || to != 9999 || err != nil {
		t.Errorf("Migrate: %d, %d, %v", from, to, err)
	}
	change(`UPDATE schema_floor SET version = 9999`)
	_, err := Open(t.Context(), p.conf)
	if err == nil || errors.Is(err, postern.ErrRecordsUnavailable) || !strings.Contains(err.Error(), "schema version 9999") {
		t.Errorf("Open: %v", err)
	}
}

func TestNoMigrate(t *testing.T) { onEach(t, testNoMigrate) }

func testNoMigrate(t *testing.T, p *place) {
	p.conf.NoMigrate = true
	_, err := Open(t.Context(), p.conf)
	if err == nil || errors.Is(err, postern.ErrRecordsUnavailable) || !strings.Contains(err.Error(), "migrate them first") {
		t.Fatalf("Open: %v", err)
	}
	if from, to, err := Migrate(t.Context(), p.conf); from != 0 || to != newest || err != nil {
		t.Fatalf("Migrate: %d, %d, %v", from, to, err)
	}
	if from, to, err := Migrate(t.Context(), p.conf); from != newest || to != newest || err != nil {
		t.Fatalf("again: %d, %d, %v", from, to, err)
	}
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
}

// Plans are made for an empty table and kept; none may walk through it later.
func TestPlansUseTheirIndexes(t *testing.T) {
	p := newServerPlace(t)
	r := p.open(t, nil)
	s := r.db.(*server)
	conn, err := s.reads.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for query, index := range map[string]string{
		selectUpload: "uploads_pkey", selectUploads: "uploads_of", selectUploadsIn: "uploads_in", selectBacklog: "uploads_due", claimJobs: "uploads_due",
		forgetUploads: "uploads_past", removeUpload: "uploads_pkey", settleJob: "uploads_pkey", extendJob: "uploads_pkey", retryJob: "uploads_pkey", releaseJob: "uploads_pkey",
		selectRecent[""]: "uploads_pkey", selectRecent[postern.Ready]: "uploads_pkey", selectRecent[postern.Rejected]: "uploads_in_trouble", selectRecent[postern.Failed]: "uploads_in_trouble",
		checkAgain: "uploads_in_trouble",
	} {
		n++
		name := fmt.Sprintf("plan%d", n)
		d, err := conn.Conn().Prepare(t.Context(), name, s.texts.get(query))
		if err != nil {
			t.Fatal(err)
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL,", len(d.ParamOIDs)), ",")
		rs, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+"("+nulls+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rs, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		if err != nil || !strings.Contains(plan, "using "+index+" on uploads") || strings.Contains(plan, "Seq Scan") || strings.Contains(strings.ReplaceAll(plan, "Sort Key: due.id", ""), "Sort Key") {
			t.Errorf("%s\nis not served by %s: %v\n%s", query, index, err, plan)
		}
	}
}
