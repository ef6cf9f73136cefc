package postern

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"postern.example/postern/sigv4"
)

// Anonymous is the principal of a request that nobody signed in for.
const Anonymous = "anonymous"

// Target says where browsers send their files, and with whose signature.
type Target struct {
	URL    string // the bucket's URL as a browser reaches it, e.g. "https://photos.s3.eu-central-1.amazonaws.com"
	Bucket string // its name, a condition of every policy
	Region string // e.g. "eu-central-1"; default "us-east-1"
	// Credentials returns the key that signs grants. It is asked for each and
	// should answer from memory. It has to be allowed s3:PutObject below
	// incoming/, and nothing else.
	Credentials func(context.Context) (sigv4.Credentials, error)
	// LinkCredentials returns the key that signs the links by which pictures
	// below images/ are shown, likewise. Nil: Credentials.
	LinkCredentials func(context.Context) (sigv4.Credentials, error)
	// Apart says that Credentials is a key of its own that can read nothing: see
	// [Target.SignsURLs].
	Apart bool
	// Provider says what the bucket's server can do; default ProviderByName("other").
	Provider Provider
	// Skew is the bucket's clock minus ours, which signatures are dated by. It
	// should answer from memory. Nil: the clocks agree.
	Skew func() time.Duration
}

// Config is what a Service is made of. Presets, Now, Random and Logger have
// defaults; the rest must be given.
type Config struct {
	Presets []Preset // default: DefaultPreset
	Secrets [][]byte // at least 32 bytes each; the first seals tickets, all open them
	Target  Target
	Bucket  Bucket
	Records Records
	Now     func() time.Time // default time.Now
	Random  io.Reader        // default crypto/rand
	Logger  *slog.Logger     // default: nothing is logged
}

// Service is the gate: it grants uploads, takes note of what arrived, and
// answers for it. It is safe for concurrent use.
type Service struct {
	presets []Preset
	keys    keys
	target  Target
	place   *sigv4.Place // the target's
	signer  *sigv4.Signer
	bucket  Bucket
	records Records
	quotas  Quotas // nil: no preset has one
	now     func() time.Time
	random  io.Reader
	log     *slog.Logger

	watch    watchers
	seeking  seeking
	arrivals chan struct{}
	stats    counters
}

// New makes a Service, or says which part of c is unusable.
func New(c Config) (*Service, error) {
	s := &Service{
		target: c.Target, bucket: c.Bucket, records: c.Records,
		now: c.Now, random: c.Random, log: c.Logger,
		arrivals: make(chan struct{}, 1), seeking: seeking{wake: make(chan struct{}, 1)},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.presets, err = CheckPresets(c.Presets); err != nil {
		return nil, err
	}
	if s.quotas, err = counted(c.Records, s.presets); err != nil {
		return nil, err
	}
	if s.keys, err = newKeys(c.Secrets); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.Target.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("target URL %q: must be http(s)://host[/path]", c.Target.URL)
	}
	switch {
	case c.Target.Bucket == "":
		return nil, errors.New("target: the bucket's name is missing")
	case c.Target.Credentials == nil:
		return nil, errors.New("target: credentials are missing")
	case c.Bucket == nil:
		return nil, errors.New("a bucket is missing")
	case c.Records == nil:
		return nil, errors.New("records are missing")
	}
	if s.target.LinkCredentials == nil {
		s.target.LinkCredentials = s.target.Credentials
	}
	if s.target.Provider.Name == "" {
		s.target.Provider, _ = ProviderByName("other")
	}
	for i := range s.presets {
		if err := s.presets[i].CheckTransfers(s.target.Provider); err != nil {
			return nil, err
		}
	}
	if s.place, err = sigv4.NewPlace(u); err != nil {
		return nil, fmt.Errorf("target URL %q: %w", c.Target.URL, err)
	}
	s.target.Region = or(s.target.Region, "us-east-1")
	s.signer = sigv4.NewSigner(s.target.Region)
	return s, nil
}

// BucketURL is where browsers send their files.
func (s *Service) BucketURL() string { return s.target.URL }

// Presets returns the presets with their defaults filled in.
func (s *Service) Presets() []Preset { return append([]Preset(nil), s.presets...) }

// Preset returns the preset called name. An empty name means the only preset,
// or the one called "default". ErrPresetUnknown otherwise.
func (s *Service) Preset(name string) (Preset, error) {
	p, err := s.preset(name)
	if err != nil {
		return Preset{}, err
	}
	return *p, nil
}

func (s *Service) preset(name string) (*Preset, error) {
	if name == "" && len(s.presets) == 1 {
		return &s.presets[0], nil
	}
	wanted := or(name, "default")
	if i := slices.IndexFunc(s.presets, func(p Preset) bool { return p.Name == wanted }); i >= 0 {
		return &s.presets[i], nil
	}
	names := make([]string, len(s.presets))
	for i, p := range s.presets {
		names[i] = p.Name
	}
	e := ErrPresetUnknown.With("There is no preset %q.", name)
	if name == "" {
		e = ErrPresetUnknown.With("Name a preset; there is more than one.")
	}
	e.Field, e.Allowed = "preset", names
	return nil, e
}

// Complete notes that the upload's bytes have arrived, and has them checked.
// It may be called any number of times. ErrNotArrived when the bucket holds no
// object that carries this upload's ticket, ErrNotFound for an id that was not
// granted to principal.
func (s *Service) Complete(ctx context.Context, principal string, id ID) (Upload, error) {
	u, err := s.Upload(ctx, principal, id)
	if err != nil || (u.State != Granted && u.State != Expired) {
		return u, err
	}
	o, err := s.bucket.Head(ctx, u.Key())
	if errors.Is(err, ErrNotFound) {
		return Upload{}, s.notArrived(u)
	} else if err != nil {
		return Upload{}, err
	}
	t, err := s.keys.open(o.Metadata[ticketMeta])
	if err != nil || t.ID != id || t.Principal != principal {
		return Upload{}, s.notArrived(u)
	}
	u, _, err = s.arrive(ctx, t, o)
	return u, err
}

func (s *Service) notArrived(u Upload) error {
	if u.State == Expired {
		return ErrNotArrived.With("Nothing arrived before the permission to upload ran out at %s. Ask for a new one.", u.Expires.Format(time.RFC3339))
	}
	return ErrNotArrived.With("The bucket has nothing for this upload yet. Send the file first, until %s.", u.Expires.Format(time.RFC3339))
}

// arrive notes the object o, which carries the valid ticket t.
func (s *Service) arrive(ctx context.Context, t *Ticket, o Object) (Upload, bool, error) {
	u, fresh, err := s.records.Arrive(ctx, Upload{Ticket: *t, State: Stored, Size: o.Size, ETag: o.ETag, StoredAt: s.now(), Trail: TrailOf(ctx)})
	if err != nil {
		return Upload{}, false, err
	}
	if u.State == Removed {
		return Upload{}, false, ErrNotFound
	}
	if fresh {
		s.stats.arrived.Add(1)
		s.stats.bytes.Add(o.Size)
		s.stats.ends.used(t.Expires, s.now())
		s.Changed(t.ID)
		s.wakeWorker()
	}
	return u, fresh, nil
}

func (s *Service) wakeWorker() {
	select {
	case s.arrivals <- struct{}{}:
	default: // the worker has been told already
	}
}

// Arrivals receives a value after uploads have arrived, so that a worker in
// this process need not poll for them.
func (s *Service) Arrivals() <-chan struct{} { return s.arrivals }

// Upload returns one of principal's uploads. A grant that was not used, or
// whose use was not noted yet, is Granted or Expired. ErrNotFound for an id
// that was never granted to principal; a made-up one costs no look-up.
func (s *Service) Upload(ctx context.Context, principal string, id ID) (Upload, error) {
	if !s.keys.madeFor(id, principal) {
		return Upload{}, ErrNotFound
	}
	u, err := s.records.Upload(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		_, expires, _ := id.times()
		u = Upload{Ticket: Ticket{ID: id, Principal: principal, Expires: expires}, State: Granted}
		if !s.now().Before(expires) {
			u.State = Expired
		}
		return u, nil
	case err != nil:
		return Upload{}, err
	case u.Principal != principal || u.State == Removed:
		return Upload{}, ErrNotFound
	}
	return u, nil
}

// Uploads lists principal's uploads, newest first. Next is empty at the end.
func (s *Service) Uploads(ctx context.Context, q Query) (list []Upload, next ID, err error) {
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	list, err = s.records.Uploads(ctx, q)
	if err != nil {
		return nil, "", err
	}
	if len(list) > limit {
		list = list[:limit]
		next = list[limit-1].ID
	}
	return list, next, nil
}

// Remove makes one of principal's uploads disappear for good: its record is
// kept only to refuse a replayed grant, its objects are deleted by the worker.
// Removing a grant that was not used yet deletes what may have arrived.
// ErrNotFound when there is no such upload.
func (s *Service) Remove(ctx context.Context, principal string, id ID) error {
	u, err := s.Upload(ctx, principal, id)
	if err != nil {
		return err
	}
	if u.State == Granted || u.State == Expired {
		// Note it first, if it is there: only a record stops a replay.
		if _, err := s.Complete(ctx, principal, id); errors.Is(err, ErrNotArrived) {
			return s.abortAll(ctx, id)
		} else if err != nil {
			return err
		}
	}
	if err := s.records.Remove(ctx, principal, id); err != nil {
		return err
	}
	s.stats.removed.Add(1)
	s.Changed(id)
	s.wakeWorker()
	return nil
}
