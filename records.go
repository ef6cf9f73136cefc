package postern

import (
	"context"
	"errors"
	"time"
)

// ErrLeaseLost says that a job's lease ran out and another worker took it, or
// that the upload was removed meanwhile. The work done is to be dropped.
var ErrLeaseLost = errors.New("lease lost")

// Records is where uploads are noted, from the moment they arrived. Every
// method returns [ErrRecordsUnavailable] when the database cannot be reached
// or is locked; nothing is lost then, since the objects carry their tickets
// and a sweep notes them later. Implementations are safe for concurrent use.
type Records interface {
	// Arrive notes an upload in state Stored together with its job, which is
	// due at once. If the id is known already nothing changes, and the upload
	// as it is comes back with fresh false. When Arrive returns without error
	// the row is durable.
	Arrive(ctx context.Context, u Upload) (now Upload, fresh bool, err error)
	// Upload returns one upload, a removed one too; ErrNotFound when unknown.
	Upload(ctx context.Context, id ID) (Upload, error)
	// Uploads lists one principal's uploads, newest first (by id), without
	// removed ones.
	Uploads(ctx context.Context, q Query) ([]Upload, error)
	// Remove turns an upload into state Removed and makes its job (to delete
	// its objects) due at once, whatever job was running. Durable on return.
	// ErrNotFound when the id is unknown, belongs to another principal or was
	// removed before.
	Remove(ctx context.Context, principal string, id ID) error
}

// Notifier is what Records may be as well, when several copies of a program
// share them: they tell of changes made through other copies.
type Notifier interface {
	// Changes calls changed for each upload whose state was changed through
	// another copy, until ctx is done. It need not hear all of them, as those
	// who wait look again by themselves. changed must not block.
	Changes(ctx context.Context, changed func(Change)) error
}

// Change says that an upload's state was changed.
type Change struct {
	ID  ID   // empty: that of any
	Due bool // it arrived or was removed: there is work to do
}

// Query selects uploads of one principal.
type Query struct {
	Principal string
	State     State // empty: every state but Removed
	Before    ID    // only ids that sort before it; empty: from the newest
	Limit     int   // 1 to MaxPage; records take one more, which tells whether a page follows
}

// MaxPage is the most uploads one listing returns.
const MaxPage = 200

// Claim is one upload's job, leased to one worker. The record is the work
// queue: the job is part of the upload's row, so a state and its job cannot
// disagree, and a worker that dies loses nothing: the lease runs out.
type Claim struct {
	Upload   Upload
	Lease    string    // names this lease; a later claim of the row has another
	Until    time.Time // when the lease ends
	Attempts int       // how often the job was claimed, this time included; 1 and up
}
