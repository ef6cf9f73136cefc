package postern

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Quota bounds what one principal may upload by one preset. Zero fields bound
// nothing. It is decided with each grant, in the records, so that it is exact
// however many ask through however many copies; and only then does a grant cost
// a write. A preset without a quota costs none.
//
// A grant counts as if its file had arrived: with the size that was said, or the
// largest that it allows. When it runs out unused that is given back; when its
// file arrives the file's own size counts. What is removed afterwards still
// counts, and so does a permission that was removed: it could be used until its
// end.
type Quota struct {
	GrantsPerMinute  int   `yaml:"grants_per_minute,omitempty" json:"grants_per_minute,omitempty"` // in each minute of the clock
	BytesOutstanding int64 `yaml:"bytes_outstanding,omitempty" json:"bytes_outstanding,omitempty"` // granted, and neither arrived nor run out
	UploadsPerDay    int   `yaml:"uploads_per_day,omitempty" json:"uploads_per_day,omitempty"`     // arrived since midnight UTC, or granted
	BytesPerDay      int64 `yaml:"bytes_per_day,omitempty" json:"bytes_per_day,omitempty"`         // likewise
}

// Set reports whether q bounds anything.
func (q Quota) Set() bool { return q != Quota{} }

func (q Quota) validate(maxBytes int64) (field string, err error) {
	for _, f := range []struct {
		name  string
		n     int64
		bytes bool
	}{
		{"grants_per_minute", int64(q.GrantsPerMinute), false},
		{"bytes_outstanding", q.BytesOutstanding, true},
		{"uploads_per_day", int64(q.UploadsPerDay), false},
		{"bytes_per_day", q.BytesPerDay, true},
	} {
		switch {
		case f.n < 0:
			return "quota." + f.name, fmt.Errorf("%d is below 0", f.n)
		case f.bytes && f.n > 0 && f.n < maxBytes:
			return "quota." + f.name, fmt.Errorf("%d is below max_bytes %d: a file of that size could never be sent", f.n, maxBytes)
		}
	}
	return "", nil
}

// Quotas is what records are that can count; those of package records are.
// [New] refuses presets with a quota without it.
type Quotas interface {
	// Reserve counts a grant if that passes none of r.Quota's limits, and
	// returns the use that decided; ok is false when it would pass one, and
	// nothing is counted then. However many ask at a time, through however many
	// copies, no limit is ever passed. Durable on return.
	Reserve(ctx context.Context, r Reservation) (use Use, ok bool, err error)
	// Use returns what principal has used of the quota of a preset.
	Use(ctx context.Context, principal, preset string) (Use, error)
}

// Reservation is a grant to be counted.
type Reservation struct {
	ID                ID
	Principal, Preset string
	Bytes             int64     // that may arrive
	Expires           time.Time // of the grant; what was not used is given back then
	Quota             Quota
}

// Use is what was used of a quota.
type Use struct {
	Now             time.Time // of the clock that counts
	Grants          int64     // in this minute
	Open, OpenBytes int64     // grants that neither arrived nor ran out
	FirstOpen       time.Time // when the first of them runs out; zero: there is none
	Uploads, Bytes  int64     // that arrived today
}

// reserve counts a grant where the preset has a quota.
func (s *Service) reserve(ctx context.Context, t *Ticket, p *Preset, size *int64) error {
	if !p.Quota.Set() {
		return nil
	}
	n := t.MaxBytes
	if size != nil {
		n = *size
	}
	u, ok, err := s.quotas.Reserve(ctx, Reservation{ID: t.ID, Principal: t.Principal, Preset: p.Name, Bytes: n, Expires: t.Expires, Quota: p.Quota})
	if err != nil || ok {
		return err
	}
	e := p.Quota.passed(&u, n)
	s.stats.limited(e.Field)
	return e
}

// passed says which limit a grant of n bytes would have passed, and when to try
// again.
func (q Quota) passed(u *Use, n int64) *Error {
	say := func(e *Error, field string, limit int64, until time.Time) *Error {
		e.Field, e.Limit = "quota."+field, limit
		e.RetryAfter = max(until.Sub(u.Now), time.Second)
		return e
	}
	minute := u.Now.Truncate(time.Minute).Add(time.Minute)
	day := u.Now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	// What is only promised may be given back sooner than the day ends.
	back := day
	if !u.FirstOpen.IsZero() && u.FirstOpen.Before(day) {
		back = u.FirstOpen
	}
	switch {
	case q.GrantsPerMinute > 0 && u.Grants >= int64(q.GrantsPerMinute):
		return say(ErrRateLimited.With("You may begin %s a minute. Try again in a moment.", count(int64(q.GrantsPerMinute), "upload")),
			"grants_per_minute", int64(q.GrantsPerMinute), minute)
	case q.UploadsPerDay > 0 && u.Uploads >= int64(q.UploadsPerDay):
		return say(ErrQuotaExceeded.With("You may upload %s a day, and have.", count(int64(q.UploadsPerDay), "file")),
			"uploads_per_day", int64(q.UploadsPerDay), day)
	case q.BytesPerDay > 0 && u.Bytes+n > q.BytesPerDay:
		return say(ErrQuotaExceeded.With("You may upload %s a day; %s are left.", Bytes(q.BytesPerDay), Bytes(max(q.BytesPerDay-u.Bytes, 0))),
			"bytes_per_day", q.BytesPerDay, day)
	case q.UploadsPerDay > 0 && u.Uploads+u.Open >= int64(q.UploadsPerDay):
		return say(ErrQuotaExceeded.With("You may upload %s a day; those that you began count until they are given up.", count(int64(q.UploadsPerDay), "file")),
			"uploads_per_day", int64(q.UploadsPerDay), back)
	case q.BytesPerDay > 0 && u.Bytes+u.OpenBytes+n > q.BytesPerDay:
		return say(ErrQuotaExceeded.With("You may upload %s a day; what you began counts until it is given up.", Bytes(q.BytesPerDay)),
			"bytes_per_day", q.BytesPerDay, back)
	}
	return say(ErrQuotaExceeded.With("You may have %s on their way at a time. Let others arrive first.", Bytes(q.BytesOutstanding)),
		"bytes_outstanding", q.BytesOutstanding, back)
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// quotaJSON is the part of GET /limits that says what is left.
type quotaJSON struct {
	GrantsPerMinute  *leftJSON `json:"grants_per_minute,omitempty"`
	BytesOutstanding *leftJSON `json:"bytes_outstanding,omitempty"`
	UploadsPerDay    *leftJSON `json:"uploads_per_day,omitempty"`
	BytesPerDay      *leftJSON `json:"bytes_per_day,omitempty"`
}

type leftJSON struct {
	Limit int64 `json:"limit"`
	Left  int64 `json:"left"`
}

// quotaView is what principal has left; nil without a quota.
func (s *Service) quotaView(ctx context.Context, principal string, p *Preset) (*quotaJSON, error) {
	q := p.Quota
	if !q.Set() {
		return nil, nil
	}
	u, err := s.quotas.Use(ctx, principal, p.Name)
	if err != nil {
		return nil, err
	}
	left := func(limit, used int64) *leftJSON {
		if limit == 0 {
			return nil
		}
		return &leftJSON{limit, max(limit-used, 0)}
	}
	return &quotaJSON{
		GrantsPerMinute:  left(int64(q.GrantsPerMinute), u.Grants),
		BytesOutstanding: left(q.BytesOutstanding, u.OpenBytes),
		UploadsPerDay:    left(int64(q.UploadsPerDay), u.Uploads+u.Open),
		BytesPerDay:      left(q.BytesPerDay, u.Bytes+u.OpenBytes),
	}, nil
}

// counted returns the records as Quotas, if a preset needs that.
func counted(r Records, presets []Preset) (Quotas, error) {
	for _, p := range presets {
		if p.Quota.Set() {
			q, ok := r.(Quotas)
			if !ok {
				return nil, errors.New("a preset has a quota, and these records cannot count")
			}
			return q, nil
		}
	}
	return nil, nil
}

// WithQuota returns the names of those presets that have a quota, which records
// need to know.
func WithQuota(presets []Preset) (names []string) {
	for _, p := range presets {
		if p.Quota.Set() {
			names = append(names, p.Name)
		}
	}
	return names
}
