package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"postern.example/postern"
)

// elsewhere opens the database as another program would.
func elsewhere(t *testing.T, path string) *sql.DB {
	t.Helper()
	c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}).String())
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func do(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// noDriver fails when an error of the driver can be got out of err.
func noDriver(t *testing.T, what string, err error) {
	t.Helper()
	var file *sqlite.Error
	var server *pgconn.PgError
	if errors.As(err, &file) || errors.As(err, &server) {
		t.Errorf("%s: the driver's error comes through: %v", what, err)
	}
}

func TestLockedDatabase(t *testing.T) {
	impatient := defaults()
	impatient.patience = 100 * time.Millisecond
	path := filepath.Join(t.TempDir(), "records.db")
	r := openTuned(t, Config{Path: path, Now: newClock().Now}, impatient)
	u := arrive(t, r, arrival(1))
	claim := claimOne(t, r)

	other := elsewhere(t, path)
	do(t, other, "BEGIN EXCLUSIVE")
	for name, call := range everyCall(t.Context(), r, arrival(2), claim) {
		switch name {
		case "Upload", "Uploads", "Backlog": // write-ahead logging lets readers go on
			continue
		}
		start := time.Now()
		err := call()
		want(t, name, err, postern.ErrRecordsUnavailable)
		noDriver(t, name, err)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %s to say so", name, d)
		}
	}
	if got, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("Upload while locked: %+v, %v", got, err)
	}

	// Many callers do not wait one after the other.
	start := time.Now()
	errs := make(chan error)
	for i := range 300 {
		go func() { _, _, err := r.Arrive(t.Context(), arrival(100+i)); errs <- err }()
	}
	for range 300 {
		want(t, "Arrive with many others", <-errs, postern.ErrRecordsUnavailable)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("300 callers took %s to be refused", d)
	}

	do(t, other, "ROLLBACK")
	arrive(t, r, arrival(2))
	if err := r.Settle(t.Context(), claim, ready(u)); err != nil {
		t.Fatalf("Settle after the lock: %v", err)
	}
	if err := r.Ping(t.Context()); err != nil {
		t.Fatalf("Ping after the lock: %v", err)
	}
}

// writing reports whether the writer is at work; nobody else must use r.
func writing(r *Records) bool {
	if lite(r).gate.TryLock() {
		lite(r).gate.Unlock()
		return false
	}
	return true
}

func TestLockThatIsGivenBackInTime(t *testing.T) {
	r, _ := openNew(t)
	other := elsewhere(t, lite(r).path)
	do(t, other, "BEGIN EXCLUSIVE")
	done := make(chan error, 1)
	go func() { _, _, err := r.Arrive(t.Context(), arrival(1)); done <- err }()
	eventually(t, "the write is under way", func() bool { return writing(r) })
	select {
	case err := <-done:
		t.Fatalf("Arrive did not wait for the lock: %v", err)
	default:
	}
	do(t, other, "ROLLBACK")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestCallerLeavesWhileTheDatabaseIsLocked(t *testing.T) {
	r, _ := openNew(t)
	other := elsewhere(t, lite(r).path)
	do(t, other, "BEGIN EXCLUSIVE")
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, _, err := r.Arrive(ctx, arrival(1)); first <- err }()
	eventually(t, "the first write is under way", func() bool { return writing(r) })
	go func() { _, _, err := r.Arrive(ctx, arrival(2)); second <- err }()
	eventually(t, "the second write waits", func() bool { return r.queue.len() == 1 })
	cancel()
	for _, done := range []chan error{first, second} {
		err := <-done
		want(t, "Arrive", err, context.Canceled)
		want(t, "Arrive", err, postern.ErrRecordsUnavailable)
	}
	do(t, other, "ROLLBACK")
	arrive(t, r, arrival(3)) // commits come in order, so the others are decided now
	// The one that had not begun is not begun for nobody.
	_, err := r.Upload(t.Context(), madeID(2))
	want(t, "Upload of the second", err, postern.ErrNotFound)
}

// move renames a database file alone, as somebody might who knows nothing of
// write-ahead logs.
func move(t *testing.T, from, to string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed there")
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func allAway(t *testing.T, r *Records, u postern.Upload, claim postern.Claim) {
	t.Helper()
	for name, call := range everyCall(t.Context(), r, u, claim) {
		err := call()
		want(t, name, err, postern.ErrRecordsUnavailable)
		noDriver(t, name, err)
	}
}

func TestFileMovedAwayAndBack(t *testing.T) {
	r, c := openNew(t)
	u := arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	away := lite(r).path + ".away"
	for range 3 {
		move(t, lite(r).path, away)
		allAway(t, r, arrival(2), claim)
		if _, err := os.Stat(lite(r).path); err == nil {
			t.Fatal("a new file was made")
		}
		move(t, away, lite(r).path)
		if got, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
			t.Fatalf("Upload after it came back: %+v, %v", got, err)
		}
		if err := r.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Upload(t.Context(), madeID(2))
	want(t, "what was refused", err, postern.ErrNotFound)
	arrive(t, r, arrival(2))
	if err := r.Settle(t.Context(), claim, ready(u)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openAt(t, lite(r).path, c)
	if list, err := r.Uploads(t.Context(), postern.Query{Principal: "alice", Limit: 10}); err != nil || len(list) != 2 {
		t.Fatalf("%d uploads after reopening, %v; want 2", len(list), err)
	}
}

// The moved file is whole without the log that stayed behind.
func TestMovedFileIsWhole(t *testing.T) {
	r, c := openNew(t)
	u := arrive(t, r, arrival(1))
	away := filepath.Join(t.TempDir(), "moved.db")
	move(t, lite(r).path, away)
	want(t, "Ping", r.Ping(t.Context()), postern.ErrRecordsUnavailable)
	moved := openAt(t, away, c)
	if got, err := moved.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Fatalf("the moved file lacks what was in the log: %+v, %v", got, err)
	}
}

func TestFileDeleted(t *testing.T) {
	r, _ := openNew(t)
	claim := postern.Claim{Upload: arrive(t, r, arrival(1)), Lease: "x"}
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be deleted there")
	}
	if err := os.Remove(lite(r).path); err != nil {
		t.Fatal(err)
	}
	allAway(t, r, arrival(2), claim)
	if err := createFile(lite(r).path); err != nil { // somebody starts afresh
		t.Fatal(err)
	}
	_, err := r.Upload(t.Context(), madeID(1))
	want(t, "an upload of the deleted file", err, postern.ErrNotFound)
	arrive(t, r, arrival(2))
	arrive(t, r, arrival(1))
}

func TestAnotherFileTakesItsPlace(t *testing.T) {
	r, c := openNew(t)
	first := arrive(t, r, arrival(1))

	// The other one is in use elsewhere, so what is in it is in its log.
	folder := t.TempDir()
	src := openAt(t, filepath.Join(folder, "other.db"), c)
	second := arrive(t, src, arrival(2))
	for _, ext := range []string{"", "-wal"} {
		copyFile(t, lite(src).path+ext, filepath.Join(folder, "copy.db"+ext))
	}
	away := filepath.Join(folder, "away.db")
	move(t, lite(r).path, away)
	move(t, filepath.Join(folder, "copy.db-wal"), lite(r).path+"-wal")
	move(t, filepath.Join(folder, "copy.db"), lite(r).path)

	if got, err := r.Upload(t.Context(), second.ID); err != nil || !reflect.DeepEqual(got, second) {
		t.Fatalf("Upload of the other file: %+v, %v", got, err)
	}
	_, err := r.Upload(t.Context(), first.ID)
	want(t, "Upload of the file that is away", err, postern.ErrNotFound)
	arrive(t, r, arrival(3))

	// And back: the log of the other file stays behind, and must not be
	// replayed into the first one.
	move(t, lite(r).path, filepath.Join(folder, "away2.db"))
	move(t, away, lite(r).path)
	list, err := r.Uploads(t.Context(), postern.Query{Principal: "alice", Limit: 10})
	if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], first) {
		t.Fatalf("after the first came back: %+v, %v", list, err)
	}
	arrive(t, r, arrival(4))
	sound(t, r)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sound closes r and has SQLite check the file.
func sound(t *testing.T, r *Records) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var verdict string
	if err := elsewhere(t, lite(r).path).QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity check: %s, %v", verdict, err)
	}
}

// Nothing is acknowledged that went with the file between look and commit.
func TestFileMovedDuringCommit(t *testing.T) {
	r, _ := openNew(t)
	away := lite(r).path + ".away"
	w, err := encode(&postern.Upload{Ticket: arrival(1).Ticket, State: postern.Stored})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.write(t.Context(), change{query: insertUpload + ` RETURNING id`, args: append(w.values(), 0), into: func(rows) error {
		move(t, lite(r).path, away)
		return nil
	}})
	want(t, "the write", err, postern.ErrRecordsUnavailable)
	move(t, away, lite(r).path)
	if err := r.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDiskFull(t *testing.T) {
	r, _ := openNew(t)
	u := arrive(t, r, arrival(1))
	// The database may not grow by one page.
	var pages int
	if err := lite(r).file.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := lite(r).file.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
	big := arrival(2)
	big.Metadata = map[string]string{"x": strings.Repeat("y", 1<<20)}
	_, _, err := r.Arrive(t.Context(), big)
	want(t, "Arrive on a full disk", err, postern.ErrRecordsUnavailable)
	noDriver(t, "Arrive on a full disk", err)
	if !strings.Contains(err.Error(), "full") {
		t.Errorf("the cause is not told: %v", err)
	}
	// With new connections, the limit is gone: there is room again.
	arrive(t, r, big)
	if got, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Fatalf("%+v, %v", got, err)
	}
	sound(t, r)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	newer := func(t *testing.T, path string) {
		r := openAt(t, path, newClock())
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		db := elsewhere(t, path)
		do(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		says string
	}{
		{"not a database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("This is a letter. ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "damaged or not a SQLite database"},
		{"damaged schema", func(t *testing.T, path string) {
			r := openAt(t, path, newClock())
			arrive(t, r, arrival(1))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 3000)), 100); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}, "damaged or not a SQLite database"},
		{"newer schema", newer, "schema version 9999"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records.db")
			tc.make(t, path)
			r, err := Open(t.Context(), Config{Path: path})
			if err == nil {
				t.Fatalf("it was opened; closing: %v", r.Close())
			}
			if !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not say %q and where: %v", tc.says, err)
			}
			noDriver(t, "Open", err)
		})
	}
	t.Run("no path", func(t *testing.T) {
		if _, err := Open(t.Context(), Config{}); err == nil {
			t.Fatal("no error")
		}
	})
	t.Run("locked", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "records.db")
		other := elsewhere(t, path)
		do(t, other, "BEGIN EXCLUSIVE")
		impatient := defaults()
		impatient.patience = 50 * time.Millisecond
		_, err := open(t.Context(), Config{Path: path}, impatient)
		want(t, "Open of a locked file", err, postern.ErrRecordsUnavailable)
		noDriver(t, "Open", err)
	})
}

func TestUnusableFileTakesItsPlace(t *testing.T) {
	r, _ := openNew(t)
	u := arrive(t, r, arrival(1))
	away := lite(r).path + ".away"
	move(t, lite(r).path, away)
	if err := os.WriteFile(lite(r).path, []byte(strings.Repeat("This is a letter. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	allAway(t, r, arrival(2), postern.Claim{Upload: u, Lease: "x"})
	move(t, away, lite(r).path)
	if got, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Fatalf("%+v, %v", got, err)
	}
	arrive(t, r, arrival(2))
	sound(t, r)
}

func TestOpenTwiceAtOnceMigratesOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	errs := make(chan error)
	for range 4 {
		go func() {
			r, err := Open(context.Background(), Config{Path: path})
			if err == nil {
				err = r.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestCommitsAreSynced(t *testing.T) {
	r, _ := openNew(t)
	for pragma, value := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "2500", "fullfsync": "1"} {
		var got string
		if err := lite(r).file.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != value {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, value)
		}
	}
	if _, err := lite(r).file.reader.ExecContext(t.Context(), "DELETE FROM uploads"); err == nil {
		t.Error("a reading connection can write")
	}
}

func TestLeaseNeedsRandomness(t *testing.T) { onEach(t, testLeaseNeedsRandomness) }

func testLeaseNeedsRandomness(t *testing.T, p *place) {
	p.conf.Random = strings.NewReader("")
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
	_, err := r.Claim(t.Context(), time.Minute, 1)
	want(t, "Claim", err, io.EOF)
}
