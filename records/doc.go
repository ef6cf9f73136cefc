// Package records notes uploads and their jobs in a SQLite file. [Records] is
// the [postern.Records] of a single machine, and the queue its workers take
// jobs from.
//
// # One row, one upload
//
// A row holds what was granted, where the upload stands and its job: when it
// is due (next_at), who works on it until when (lease, lease_until) and how
// often it was tried (attempts). State and job change in one statement, so
// they cannot disagree. Workers call [Records.Claim], then [Records.Settle],
// [Records.Retry] or [Records.Release]; for long work [Records.Extend]. Every
// change under a lease names it, and gets [postern.ErrLeaseLost] when another
// worker has claimed the job since or the upload was removed: what was done is
// to be dropped then.
//
// Times are noted in milliseconds and come back in UTC. Leases end by the
// clock in [Config].
//
// # What is durable when
//
// A method that writes returns after its commit was synced to disk (WAL mode,
// synchronous=FULL): neither a killed process nor a power failure undoes it,
// as far as the disk keeps its word. All writes that wait at one moment, from
// whatever goroutine, are committed together by one writer, at most 256 at a
// time, so that many callers share one sync. One of them failing (not found,
// lease lost, a value the schema refuses) does not touch the others.
//
// A write whose context ends while it waits returns at once and may or may not
// happen. To arrive twice is harmless, and so is to settle twice: the second
// call is told that the lease is lost.
//
// # When the database is away
//
// Every method answers [postern.ErrRecordsUnavailable] while the file is gone,
// full, failing, or locked by somebody else for more than 2.5 seconds (reads
// go on then), after [Records.Close], and when the context ended. The cause is
// text for the log; no error of the driver comes through.
//
// The file is looked for before each read, and before and after each commit.
// Moved or deleted, it is not written any more, and nobody is told that
// something is durable that went with it. What was committed is folded into
// the file when its absence is noticed, so a moved file is whole by itself.
// Back at its place it is used again; when another file is there, that one is
// opened and its schema brought up to date. To copy a database that is open,
// use SQLite's VACUUM INTO or backup, not cp: recent commits lie beside it in
// the -wal file.
//
// One process writes to a file at a time: others can, but wait for the lock.
// Network file systems are not supported; SQLite's locks do not hold there.
//
// # Dialects
//
// Statements are the same in SQLite and PostgreSQL, or they stand in the
// dialect file.
package records
