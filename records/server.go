package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern.example/postern"
)

// server is a database on a PostgreSQL server.
type server struct {
	conf  *pgx.ConnConfig
	name  string // of this copy, for the others
	log   *slog.Logger
	limit time.Duration // how long one exchange with the server may take

	writes *pgxpool.Pool
	reads  *pgxpool.Pool
	texts  texts
	crier  *crier
}

// Two commits may be under way: while one is synced, the server works on the
// next. Docs/decisions.md has what was measured.
func serverDefaults() tuning {
	return tuning{batch: 256, writers: 2, readers: 4, patience: 5 * time.Second, opening: 10 * time.Second}
}

// parseURL reads the URL of a database. Errors never repeat it.
func parseURL(c *Config, t tuning) (*pgxpool.Config, error) {
	if err := CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	conf, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("open records: the database's URL has a parameter that is not known, or not usable")
	}
	cc := conf.ConnConfig
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = t.patience
	}
	if cc.ValidateConnect == nil {
		// After a failover the old primary may still answer, as a standby.
		cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	cc.RuntimeParams["search_path"] = cmp.Or(cc.RuntimeParams["search_path"], "postern")
	if !plainName(schema(cc)) {
		return nil, errors.New("open records: search_path in the database's URL must name one schema, of small letters, digits and _")
	}
	cc.RuntimeParams["application_name"] = cmp.Or(cc.RuntimeParams["application_name"], "postern")
	// The server gives up before we do, so that nothing goes on there unheard.
	cc.RuntimeParams["statement_timeout"] = cmp.Or(cc.RuntimeParams["statement_timeout"], strconv.FormatInt(t.patience.Milliseconds(), 10))
	conf.PingTimeout = t.patience
	conf.AfterConnect = prepareSession
	return conf, nil
}

func schema(c *pgx.ConnConfig) string { return c.RuntimeParams["search_path"] }

// plainName reports whether s can stand in a statement as it is. PostgreSQL
// cuts names at 63 bytes.
func plainName(s string) bool {
	if s == "" || len(s) > 63 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// onlyIndexes keeps the planner from reading whole tables. Each of our
// statements is served by an index, but plans are kept, and one that was made
// when the table was empty would be a walk through all of it later.
const onlyIndexes = `SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off`

// prepareSession makes sure that a commit is durable when it is answered,
// whatever the server's default, and that texts are held as they are. Other
// levels of synchronous_commit than off are the operator's choice.
func prepareSession(ctx context.Context, c *pgx.Conn) error {
	var encoding, synchronous string
	err := c.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('synchronous_commit')`,
		pgx.QueryExecModeExec).Scan(&encoding, &synchronous)
	if err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s; it must be UTF8", encoding)
	}
	if synchronous == "off" {
		if _, err := c.Exec(ctx, `SET synchronous_commit = on`); err != nil {
			return err
		}
	}
	_, err = c.Exec(ctx, onlyIndexes)
	return err
}

func openServer(ctx context.Context, c *Config, t tuning) (_ *server, err error) {
	conf, err := parseURL(c, t)
	if err != nil {
		return nil, err
	}
	if _, _, err := migratePatiently(ctx, conf.ConnConfig, c, t); err != nil {
		return nil, err
	}
	s := &server{conf: conf.ConnConfig, name: newName(), log: c.Logger, limit: 2 * t.patience}
	conf.MaxConns = int32(t.writers) //nolint:gosec // a few
	if s.writes, err = pgxpool.NewWithConfig(ctx, conf.Copy()); err != nil {
		return nil, fmt.Errorf("open records: %v", err)
	}
	conf.MaxConns = int32(t.readers) //nolint:gosec // a few
	if s.reads, err = pgxpool.NewWithConfig(ctx, conf.Copy()); err != nil {
		s.writes.Close()
		return nil, fmt.Errorf("open records: %v", err)
	}
	s.crier = startCrier(context.WithoutCancel(ctx), s)
	return s, nil
}

func (s *server) close() error {
	s.crier.stop()
	s.writes.Close()
	s.reads.Close()
	return nil
}

// commit runs ops in one exchange: PostgreSQL takes what is sent until the next
// Sync as one transaction (its manual, section 55.2.2.1), so the statements,
// their answers and the commit cost one round trip and one sync of the disk.
func (s *server) commit(ctx context.Context, ops []*op) {
	// Rows are locked in one order by all copies, so that they do not wait for
	// each other in a circle. Changes of any row come last: they pass over what
	// is locked.
	slices.SortStableFunc(ops, func(a, b *op) int {
		return cmp.Or(last(a)-last(b), cmp.Compare(a.row, b.row))
	})
	err := s.transact(ctx, ops)
	if err != nil && len(ops) > 1 && (refused(err) || class(condition(err)) == classRollback || condition(err) == statementTimeout) {
		// One of them is poisoned, or waited for somebody else. Alone it fails alone.
		for i := range ops {
			err = s.transact(ctx, ops[i:i+1])
			if err != nil && condition(err) == "" { // the server itself: no use to go on
				answer(ops[i:], err)
				break
			} else if err != nil {
				answer(ops[i:i+1], err)
			}
		}
	} else if err != nil {
		answer(ops, err)
	}
	for _, o := range ops {
		if o.err == nil && o.changed > 0 && o.news != quiet {
			s.crier.tell(o.row, o.news)
		}
	}
}

func last(o *op) int {
	if o.row == "" {
		return 1
	}
	return 0
}

// transact runs ops in one transaction, and again when none of it can have
// happened. After an error nothing has happened, as far as we know: a
// connection may break between a commit and its answer.
func (s *server) transact(ctx context.Context, ops []*op) error {
	return s.twice(ctx, s.writes, unsent, func(ctx context.Context, c *pgx.Conn) error {
		b := &pgx.Batch{}
		for _, o := range ops {
			for _, x := range o.before {
				b.Queue(s.texts.get(x.query), encoded(x.args)...)
			}
			b.Queue(s.texts.get(o.query), encoded(o.args)...)
		}
		answers := c.SendBatch(ctx, b)
		for _, o := range ops {
			for range o.before {
				if _, err := answers.Exec(); err != nil {
					return errors.Join(err, answers.Close())
				}
			}
			if o.into == nil {
				tag, err := answers.Exec()
				if err != nil {
					return errors.Join(err, answers.Close())
				}
				o.settle(tag.RowsAffected(), nil)
				continue
			}
			rs, err := answers.Query()
			if err == nil {
				err = o.into(decoding{rs})
				rs.Close()
				if fault := rs.Err(); fault != nil {
					return errors.Join(fault, answers.Close())
				}
			} else {
				return errors.Join(err, answers.Close())
			}
			o.settle(1, told(err)) // what cannot be read is its own fault
		}
		return answers.Close() // the commit's answer
	})
}

// read runs a query, and again on another connection when the first broke.
func (s *server) read(ctx context.Context, into func(rows) error, query string, args ...any) error {
	broke := func(err error) bool { return unsent(err) || condition(err) == "" && !errors.Is(err, errInto) }
	return s.twice(ctx, s.reads, broke, func(ctx context.Context, c *pgx.Conn) error {
		rs, err := c.Query(ctx, s.texts.get(query), encoded(args)...)
		if err != nil {
			return err
		}
		defer rs.Close()
		if err := into(decoding{rs}); err != nil && rs.Err() == nil {
			return &unread{err}
		}
		rs.Close()
		return rs.Err()
	})
}

// errInto marks an error that is not the server's.
var errInto = errors.New("read answer")

type unread struct{ cause error }

func (u *unread) Error() string   { return u.cause.Error() }
func (u *unread) Unwrap() []error { return []error{u.cause, errInto} }

// twice runs do on a connection of pool, and once more on another one when
// again says that it may help: after a restart all connections are broken, and
// each would have to be found out by somebody's request.
func (s *server) twice(ctx context.Context, pool *pgxpool.Pool, again func(error) bool, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	err := s.on(ctx, pool, do)
	if err != nil && ctx.Err() == nil && again(err) {
		pool.Reset()
		err = s.on(ctx, pool, do)
	}
	return err
}

func (s *server) on(ctx context.Context, pool *pgxpool.Pool, do func(context.Context, *pgx.Conn) error) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	err = do(ctx, c.Conn())
	if condition(err) == readOnly {
		// It became a standby. The next connection looks for the primary.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, c.Conn().Close(closing))
	}
	return err
}

// unreachable is why the server could not be opened.
func unreachable(err error) error {
	if misconfigured(err) {
		return fmt.Errorf("open records: the server refuses: %v", err)
	}
	return postern.ErrRecordsUnavailable.Because(fmt.Errorf("open records: %v", err))
}
