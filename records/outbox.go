package records

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"postern.example/postern"
)

// Outbox has every change of an upload's state noted for those who want to hear
// of it, in the commit that makes the change: a state without its event, or an
// event without its state, cannot be.
type Outbox struct {
	Endpoints []string        // who is told: names, at most 100 bytes each
	States    []postern.State // of which changes; empty: of all
	// Render makes what is sent of an upload as it is then.
	Render func(u *postern.Upload) ([]byte, error)
}

const deliveryColumns = `event, endpoint, upload, state, at, body, next_at, attempts, delivered_at, gave_up_at, fault`

var (
	// Whose change this was is told by the times: who was too late finds others.
	noteEvent = `INSERT INTO outbox (event, endpoint, upload, state, at, body, next_at)
		SELECT $1, $2, $3, $4, $5, $6, $5 FROM uploads WHERE id = $3 AND state = $4 AND coalesce(settled_at, stored_at) = $5
		ON CONFLICT (event, endpoint) DO NOTHING`

	noteRemoval = `INSERT INTO outbox (event, endpoint, upload, state, at, body, next_at)
		SELECT $1, $2, $3, $4, settled_at, $5, settled_at FROM uploads WHERE id = $3 AND state = $4
		ON CONFLICT (event, endpoint) DO NOTHING`

	claimDeliveries = `WITH due AS MATERIALIZED (
			SELECT event, endpoint FROM outbox
			WHERE endpoint = $5 AND next_at <= ` + now("$1") + ` AND (lease_until IS NULL OR lease_until <= ` + now("$1") + `)
			ORDER BY next_at LIMIT $2` + skipLocked + `)
		UPDATE outbox SET lease = $3, lease_until = ` + now("$1") + ` + $4, attempts = attempts + 1
		WHERE (event, endpoint) IN (SELECT event, endpoint FROM due)
		RETURNING ` + deliveryColumns

	delivered = `UPDATE outbox SET delivered_at = ` + now("$1") + `, next_at = NULL, lease = NULL, lease_until = NULL, fault = NULL
		WHERE event = $2 AND endpoint = $3 AND lease = $4`

	deliverLater = `UPDATE outbox SET next_at = ` + now("$1") + ` + $5, lease = NULL, lease_until = NULL, fault = $6
		WHERE event = $2 AND endpoint = $3 AND lease = $4`

	giveUp = `UPDATE outbox SET gave_up_at = ` + now("$1") + `, next_at = NULL, lease = NULL, lease_until = NULL, fault = $5
		WHERE event = $2 AND endpoint = $3 AND lease = $4`

	replayEvent = `UPDATE outbox SET next_at = ` + now("$1") + `, attempts = 0, delivered_at = NULL, gave_up_at = NULL, lease = NULL, lease_until = NULL
		WHERE event = $2`

	replayGivenUp = `UPDATE outbox SET next_at = ` + now("$1") + `, attempts = 0, gave_up_at = NULL WHERE gave_up_at IS NOT NULL`

	outboxBacklog = `SELECT count(*), coalesce(min(at), 0) FROM outbox WHERE next_at IS NOT NULL`
)

const (
	handBack = `UPDATE outbox SET lease = NULL, lease_until = NULL, attempts = attempts - 1 WHERE event = $1 AND endpoint = $2 AND lease = $3`

	selectDeliveries = `SELECT ` + deliveryColumns + ` FROM outbox WHERE at < $1 ORDER BY at DESC, event DESC, endpoint LIMIT $2`
	selectGivenUp    = `SELECT ` + deliveryColumns + ` FROM outbox WHERE at < $1 AND gave_up_at IS NOT NULL ORDER BY at DESC, event DESC, endpoint LIMIT $2`
	selectEvent      = `SELECT ` + deliveryColumns + ` FROM outbox WHERE event = $1 ORDER BY endpoint`

	forgetEvents = `DELETE FROM outbox WHERE (event, endpoint) IN (SELECT event, endpoint FROM outbox WHERE at < $1 LIMIT $2)`
)

// keepEvents is how long events are kept, told or not.
const keepEvents = 7 * 24 * time.Hour

// told is what else is written when u gets its state.
func (r *Records) event(u *postern.Upload) ([]statement, error) {
	o := r.outbox
	if o == nil || len(o.States) > 0 && !slices.Contains(o.States, u.State) {
		return nil, nil
	}
	body, err := o.Render(u)
	if err != nil {
		return nil, fmt.Errorf("render event: %w", err)
	}
	var list []statement
	for _, endpoint := range o.Endpoints {
		if u.State == postern.Removed {
			list = append(list, statement{noteRemoval, []any{eventID(u.ID, u.State, time.Time{}), endpoint, string(u.ID), string(u.State), string(body)}})
			continue
		}
		at := u.StoredAt
		if u.State != postern.Stored {
			at = u.SettledAt
		}
		list = append(list, statement{noteEvent, []any{eventID(u.ID, u.State, at), endpoint, string(u.ID), string(u.State), at.UnixMilli(), string(body)}})
	}
	return list, nil
}

// eventID names an event, the same each time it is told. An upload may fail
// twice, if somebody has it checked again: the time tells them apart.
func eventID(id postern.ID, s postern.State, at time.Time) string {
	name := "evt_" + string(id) + "_" + string(s)
	if s == postern.Failed {
		name += fmt.Sprintf("_%x", at.UnixMilli())
	}
	return name
}

// ClaimDeliveries leases up to limit events that are due at an endpoint, those
// that have been due longest first. No two callers have one at a time.
func (r *Records) ClaimDeliveries(ctx context.Context, endpoint string, lease time.Duration, limit int) ([]postern.Delivery, error) {
	name, err := r.lease()
	if err != nil {
		return nil, err
	}
	var list []postern.Delivery
	_, err = r.write(ctx, change{
		query: claimDeliveries, args: []any{r.clock(), limit, name, lease.Milliseconds(), endpoint},
		into: func(rs rows) (err error) {
			list, err = readDeliveries(rs)
			return err
		},
	})
	slices.SortFunc(list, func(a, b postern.Delivery) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Event, b.Event))
	})
	for i := range list {
		list[i].Lease = name
	}
	return list, err
}

// Delivered notes that an endpoint has heard of d. ErrLeaseLost when somebody
// else tells it meanwhile.
func (r *Records) Delivered(ctx context.Context, d postern.Delivery) error {
	return r.ofDelivery(ctx, d, delivered, r.clock(), d.Event, d.Endpoint, d.Lease)
}

// DeliverLater has d told again after a pause, and notes why. ErrLeaseLost as
// for Delivered.
func (r *Records) DeliverLater(ctx context.Context, d postern.Delivery, pause time.Duration, fault string) error {
	return r.ofDelivery(ctx, d, deliverLater, r.clock(), d.Event, d.Endpoint, d.Lease, pause.Milliseconds(), fault)
}

// GiveUp tells d to nobody any more, unless it is replayed. ErrLeaseLost as for
// Delivered.
func (r *Records) GiveUp(ctx context.Context, d postern.Delivery, fault string) error {
	return r.ofDelivery(ctx, d, giveUp, r.clock(), d.Event, d.Endpoint, d.Lease, fault)
}

// HandBack gives the lease of d back as if it had never been taken.
func (r *Records) HandBack(ctx context.Context, d postern.Delivery) error {
	return r.ofDelivery(ctx, d, handBack, d.Event, d.Endpoint, d.Lease)
}

func (r *Records) ofDelivery(ctx context.Context, d postern.Delivery, query string, args ...any) error {
	_, err := r.write(ctx, change{query: query, args: args, row: "event " + d.Event + " " + d.Endpoint, none: postern.ErrLeaseLost})
	return err
}

// Deliveries lists events that happened before a time, newest first; of those
// that were given up, if onlyGivenUp.
func (r *Records) Deliveries(ctx context.Context, before time.Time, onlyGivenUp bool, limit int) (list []postern.Delivery, err error) {
	query := selectDeliveries
	if onlyGivenUp {
		query = selectGivenUp
	}
	err = r.read(ctx, func(rs rows) (err error) {
		list, err = readDeliveries(rs)
		return err
	}, query, before.UnixMilli(), limit)
	return list, err
}

// Event returns the deliveries of one event. ErrNotFound when it is unknown.
func (r *Records) Event(ctx context.Context, event string) (list []postern.Delivery, err error) {
	err = r.read(ctx, func(rs rows) (err error) {
		list, err = readDeliveries(rs)
		return err
	}, selectEvent, event)
	if err == nil && len(list) == 0 {
		err = postern.ErrNotFound
	}
	return list, err
}

// Replay has an event told again to every endpoint, whether they heard of it or
// not; an empty name all that were given up. It returns how many deliveries.
func (r *Records) Replay(ctx context.Context, event string) (int, error) {
	c := change{query: replayGivenUp, args: []any{r.clock()}}
	if event != "" {
		c = change{query: replayEvent, args: []any{r.clock(), event}, none: postern.ErrNotFound}
	}
	n, err := r.write(ctx, c)
	return int(n), err
}

// Untold returns how many deliveries are due or waiting, and when the oldest of
// them happened; the zero time when there are none.
func (r *Records) Untold(ctx context.Context) (n int, oldest time.Time, err error) {
	var at int64
	err = r.read(ctx, one(&n, &at), outboxBacklog)
	if err != nil || n == 0 {
		return 0, time.Time{}, err
	}
	return n, instant(at), nil
}

func readDeliveries(rs rows) (list []postern.Delivery, err error) {
	for rs.Next() {
		var d postern.Delivery
		var id, state, body string
		var at int64
		var next, delivered, gaveUp sql.NullInt64
		var fault sql.NullString
		if err := rs.Scan(&d.Event, &d.Endpoint, &id, &state, &at, &body, &next, &d.Attempts, &delivered, &gaveUp, &fault); err != nil {
			return nil, err
		}
		d.Upload, d.State, d.At, d.Body, d.Fault = postern.ID(id), postern.State(state), instant(at), []byte(body), fault.String
		for _, t := range []struct {
			into *time.Time
			ms   sql.NullInt64
		}{{&d.NextAt, next}, {&d.DeliveredAt, delivered}, {&d.GaveUpAt, gaveUp}} {
			if t.ms.Valid {
				*t.into = instant(t.ms.Int64)
			}
		}
		list = append(list, d)
	}
	return list, rs.Err()
}
