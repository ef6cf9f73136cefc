package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"postern.example/postern"
	"postern.example/postern/auth"
	"postern.example/postern/compat"
	"postern.example/postern/internal/decoder"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/webhook"
	"postern.example/postern/internal/worker"
	"postern.example/postern/records"
	"postern.example/postern/s3"
)

// Config says what a Gate is made of. Only Dir must be given.
type Config struct {
	// Dir is the folder for the records, for keys that are made on the first
	// run, and for the embedded bucket. It is made if it is not there, for its
	// owner only, and one process at a time may use it. With S3 and Database
	// there is nothing to keep in it, and it is not looked at.
	Dir string
	// Database is the URL of a PostgreSQL database for the records, as
	// [records.Config] has it: a secret. Gates on any number of machines may
	// share one, and S3; their Secrets must be the same then, and must be given.
	// Empty: a file in Dir.
	Database string
	// NoMigrate refuses records of an older schema and does not bring them up to
	// date: [records.Migrate] did, or will.
	NoMigrate bool
	// Role is what this gate does; default: All. A gate that shares nothing with
	// others has to do all.
	Role Role
	// Taken says that the caller has Dir for himself already.
	Taken bool

	// Presets are the rules; default: one, called "photos".
	Presets []postern.Preset
	// Handler says how the API is served: who asks (Principal), where it is
	// mounted (BaseURL), which other origins' pages may use it (Origins).
	Handler postern.HandlerConfig
	// Auth is who may ask, as [auth.Any] takes it, in place of Handler.Principal
	// and Handler.Auth. With [auth.Keys] among them there are upload tokens as
	// well, made at POST /tokens and taken in the path below /t/.
	Auth []auth.Kind
	// Compat switches on the protocols of other clients, by the names that
	// [compat.Names] returns.
	Compat []string

	// S3 is a bucket of your own. Nil: a bucket is embedded, in Dir.
	S3 *s3.Config
	// BucketURL is where browsers send files, when that is not the bucket's own
	// address: a proxy or an accelerator.
	BucketURL string
	// Provider says what the server of S3 can do; default: recognised by its
	// Endpoint.
	Provider postern.Provider
	// BucketListener is where the embedded bucket listens; default: on
	// 127.0.0.1:9000. Open takes it over.
	BucketListener net.Listener
	// Pages are the origins of pages that may send files to the embedded
	// bucket: "https://app.example". With S3 the bucket's own CORS rule says it.
	Pages []string

	// Secrets seal tickets, at least 32 bytes each: the first seals, all open.
	// Default: one that is made on the first run and kept in Dir.
	Secrets [][]byte
	// Webhooks are told of every change of an upload's state. Nil: nobody is.
	Webhooks *Webhooks
	// Workers is how many pictures are checked at a time; default: as many as
	// there are processors.
	Workers int
	// Children lets pictures be opened in child processes, as many as Workers;
	// default: they are opened in this one. It is what [Hook] returned.
	Children Children
	// Tracer is told what is done, and for how long. Nil: nobody is.
	Tracer Tracer
	// Logger gets what happens, and never a secret. Nil: nothing is logged.
	Logger *slog.Logger
}

// Tracer measures parts of the work, for tools that show where time goes. Its
// methods must be safe for concurrent use. What an upload came of is in its
// Trail, which leads from the request to the job.
type Tracer interface {
	// Job is called before an attempt at an upload, and what it returns after it,
	// with the state the upload has then, or how the attempt ended without one.
	Job(ctx context.Context, c postern.Claim) (context.Context, func(outcome string))
	// Bucket returns b, watched.
	Bucket(b postern.Bucket) postern.Bucket
}

// Role is the share of the work that a gate does, where several have one bucket
// and one database.
type Role string

// Roles. The zero value is All.
const (
	All    Role = "all"    // answers requests and checks what arrived
	API    Role = "api"    // answers requests; it never opens a picture
	Checks Role = "worker" // checks what arrived, and sweeps; it is asked nothing
)

// Gate is every part, open and tied to the others. It is the handler of the
// API and safe for concurrent use.
type Gate struct {
	Service  *postern.Service
	Bucket   *s3.Bucket
	Records  *records.Records
	Worker   *worker.Worker
	Webhooks *webhook.Sender  // nil: nobody is told of events
	Embedded *s3d.Server      // nil with a bucket of your own
	Decoder  *decoder.Decoder // nil when pictures are opened in this process

	role     Role
	engine   worker.Engine
	target   string
	api      http.Handler
	patterns []string
	closers  []func(context.Context) error
}

// Open opens all parts, in the order in which they need each other. It calls
// nobody but the embedded bucket. Errors name what is unusable.
func Open(ctx context.Context, c Config) (g *Gate, err error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = slog.New(postern.NewLogHandler(c.Logger.Handler()))
	if c.Handler.Logger == nil {
		c.Handler.Logger = c.Logger
	}
	g = &Gate{role: c.Role}
	defer func() {
		if err == nil {
			return
		}
		if c.BucketListener != nil {
			c.BucketListener.Close() //nolint:errcheck // its server may have closed it
		}
		g, err = nil, errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}()
	if err := c.checkRole(); err != nil {
		return g, err
	}
	keys, err := g.openFolder(&c)
	if err != nil {
		return g, err
	}
	if c.S3 == nil {
		err = g.openEmbedded(ctx, &c, keys)
	} else {
		err = g.openOwn(ctx, &c)
	}
	if err != nil {
		return g, fmt.Errorf("open bucket: %w", err)
	}
	if err := g.openRecords(ctx, &c); err != nil {
		return g, err
	}
	target := postern.Target{
		URL: g.target, Bucket: g.Bucket.Name(), Region: g.Bucket.Region(), Provider: c.Provider, Skew: g.Bucket.Skew,
		Credentials: g.Bucket.SigningCredentials, LinkCredentials: g.Bucket.Credentials, Apart: c.S3 == nil || c.S3.Signer != nil,
	}
	if !target.SignsURLs() {
		c.Logger.WarnContext(ctx, "files go by form only: the key that signs uploads can also read, and this server may obey headers that are not signed; give uploads a signing key of their own",
			slog.String("provider", c.Provider.Name))
	}
	var bucket postern.Bucket = g.Bucket
	var around func(context.Context, postern.Claim) (context.Context, func(string))
	if c.Tracer != nil {
		bucket, around = c.Tracer.Bucket(bucket), c.Tracer.Job
	}
	g.Service, err = postern.New(postern.Config{
		Presets: c.Presets, Secrets: c.Secrets, Bucket: bucket, Records: g.Records, Logger: c.Logger,
		Target: target,
	})
	if err != nil {
		return g, fmt.Errorf("make service: %w", err)
	}
	g.follow(ctx)
	if err := g.openEngine(ctx, &c); err != nil {
		return g, err
	}
	if err := g.openWebhooks(&c); err != nil {
		return g, err
	}
	g.Worker, err = worker.New(worker.Config{
		Service: g.Service, Bucket: bucket, Queue: g.Records, Engine: g.engine,
		Concurrency: c.Workers, Around: around, Logger: c.Logger,
	})
	if err != nil {
		return g, fmt.Errorf("start worker: %w", err)
	}
	return g, g.openHandler(&c)
}

// checkRole refuses to leave work to others who cannot be there.
func (c *Config) checkRole() error {
	switch c.Role {
	case "", All:
		return nil
	case API, Checks:
		if c.S3 == nil || c.Database == "" {
			return fmt.Errorf("open gate: the role %q is for gates that share a bucket (S3) and a Database", c.Role)
		}
		return nil
	}
	return fmt.Errorf("open gate: there is no role %q", c.Role)
}

// openOwn reaches a bucket of your own.
func (g *Gate) openOwn(ctx context.Context, c *Config) (err error) {
	if c.Provider.Name == "" {
		c.Provider = postern.ProviderOf(c.S3.Endpoint)
	}
	conf := *c.S3
	conf.NoCompleteIfNoneMatch = c.Provider.CompleteIfNoneMatch != postern.Yes
	if conf.Logger == nil {
		conf.Logger = c.Logger
	}
	if g.Bucket, err = s3.New(ctx, conf); err != nil {
		return err
	}
	if g.target = c.BucketURL; g.target == "" {
		g.target = conf.URL(g.Bucket.Region())
	}
	return nil
}

// openFolder takes the folder, and completes the secrets.
func (g *Gate) openFolder(c *Config) (*folder.Keys, error) {
	if c.S3 != nil && c.Database != "" {
		if c.Secrets == nil {
			return nil, &folder.Fault{
				Err:  errors.New("open gate: a secret that seals tickets is needed, as all that share the database must have the same"),
				Hint: "Make one (openssl rand -base64 32) and give it to each of them.",
			}
		}
		return &folder.Keys{}, nil
	}
	if c.Dir == "" {
		return nil, errors.New("open gate: Dir is missing")
	}
	if !c.Taken {
		lock, err := folder.Lock(c.Dir)
		if err != nil {
			return nil, err
		}
		g.closeLater(func(context.Context) error { return lock.Close() })
	}
	if c.S3 != nil && c.Secrets != nil {
		return &folder.Keys{}, nil // nothing is needed of it
	}
	keys, err := folder.OpenKeys(c.Dir, rand.Reader)
	if err != nil {
		return nil, err
	}
	if c.Secrets == nil {
		c.Secrets = keys.Secrets
	}
	return keys, nil
}

func (g *Gate) openRecords(ctx context.Context, c *Config) (err error) {
	if c.Database != "" {
		return g.openShared(ctx, c)
	}
	g.Records, err = records.Open(ctx, records.Config{Path: filepath.Join(c.Dir, folder.RecordsFile), NoMigrate: c.NoMigrate, Counted: postern.WithQuota(c.Presets), Outbox: c.outbox(), Logger: c.Logger})
	if errors.Is(err, postern.ErrRecordsUnavailable) {
		return &folder.Fault{Err: err, Hint: "Another program is at work on the file; stop it first."}
	} else if err != nil {
		return &folder.Fault{Err: err, Hint: "Put the file back from a backup, or choose another folder."}
	}
	g.closeLater(func(context.Context) error { return g.Records.Close() })
	// The folder is locked and the file is ours alone: leases are those of a
	// process that was killed.
	n, err := g.Records.Reclaim(ctx)
	if err != nil {
		return fmt.Errorf("open records: %w", err)
	}
	if n > 0 {
		c.Logger.InfoContext(ctx, "jobs of a process that was killed go on", "jobs", n)
	}
	return nil
}

// openShared opens records that other gates may share. Their leases are not
// ours to end.
func (g *Gate) openShared(ctx context.Context, c *Config) (err error) {
	g.Records, err = records.Open(ctx, records.Config{URL: c.Database, NoMigrate: c.NoMigrate, Counted: postern.WithQuota(c.Presets), Outbox: c.outbox(), Logger: c.Logger})
	if errors.Is(err, postern.ErrRecordsUnavailable) {
		return &folder.Fault{Err: err, Hint: "Is PostgreSQL running, and reached at that address from here?"}
	} else if err != nil {
		return &folder.Fault{Err: err, Hint: "Check the URL of the database."}
	}
	g.closeLater(func(context.Context) error { return g.Records.Close() })
	return nil
}

// follow has those who watch an upload here told of what other gates change,
// until the gate is closed.
func (g *Gate) follow(ctx context.Context) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Service.Follow(ctx) //nolint:errcheck // it ends with ctx
	}()
	g.closeLater(func(context.Context) error { stop(); <-ended; return nil })
}

func (g *Gate) openHandler(c *Config) error {
	c.Handler.ServeImages = g.Embedded != nil && c.Handler.Images == ""
	tokens, err := g.openAuth(c)
	if err != nil {
		return fmt.Errorf("set up sign-in: %w", err)
	}
	api, err := postern.NewHandler(g.Service, c.Handler)
	if err != nil {
		return fmt.Errorf("make handler: %w", err)
	}
	g.api = api
	g.patterns = []string{"/uploads", "/uploads/", "/limits", "/images/", "/openapi.yaml"}
	if len(c.Compat) == 0 && tokens == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	if tokens != nil {
		h, err := tokens.Handler(c.Handler)
		if err != nil {
			return fmt.Errorf("make handler: %w", err)
		}
		mux.Handle("/tokens", h)
		g.patterns = append(g.patterns, "/tokens", auth.PathPrefix)
	}
	for _, name := range c.Compat {
		h, err := compat.New(name, g.Service, c.Handler)
		if err != nil {
			return fmt.Errorf("make handler: %w", err)
		}
		for _, pattern := range compat.Patterns(name) {
			mux.Handle(pattern, h)
			g.patterns = append(g.patterns, pattern)
		}
	}
	g.api = mux
	if tokens != nil {
		g.api = auth.InPath(mux)
	}
	return nil
}

// openAuth puts the kinds of sign-in together. Tokens is nil without API keys.
func (g *Gate) openAuth(c *Config) (tokens *auth.Tokens, err error) {
	if len(c.Auth) == 0 {
		return nil, nil
	}
	if c.Handler.Principal != nil || c.Handler.Auth != nil {
		return nil, errors.New("it is said twice: by Auth and by Handler")
	}
	kinds := c.Auth
	for _, k := range c.Auth {
		keys, ok := k.(*auth.Keys)
		if !ok {
			continue
		}
		tokens, err = auth.NewTokens(auth.TokensConfig{Service: g.Service, Keys: keys, Secrets: c.Secrets, Counter: g.Records})
		if err != nil {
			return nil, err
		}
		kinds = append(slices.Clone(kinds), tokens)
	}
	c.Handler.Auth = auth.Any(kinds...)
	return tokens, nil
}

// ServeHTTP answers the API of docs/protocol.md, and the protocols that are
// switched on.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.api.ServeHTTP(w, r) }

// Patterns are the routes of the API and of the protocols that are switched on,
// for a mux on which other things stand as well.
func (g *Gate) Patterns() []string { return g.patterns }

// Run checks what arrives and tells what became of it until ctx is done, and finishes what it is at or
// gives it back before it returns. A gate whose role is API only looks for what
// clients do not announce.
func (g *Gate) Run(ctx context.Context) error {
	if g.role == API {
		g.Worker.Seek(ctx)
		return nil
	}
	var telling sync.WaitGroup
	defer telling.Wait()
	if g.Webhooks != nil {
		telling.Go(func() { g.Webhooks.Run(ctx) }) //nolint:errcheck // it returns none
	}
	if err := g.Worker.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run worker: %w", err)
	}
	return nil
}

// BucketURL is where browsers send files.
func (g *Gate) BucketURL() string { return g.target }

func (g *Gate) closeLater(f func(context.Context) error) { g.closers = append(g.closers, f) }

// Close closes the parts in reverse order. Requests and Run must have ended.
func (g *Gate) Close(ctx context.Context) error {
	var errs []error
	for i := len(g.closers) - 1; i >= 0; i-- {
		errs = append(errs, g.closers[i](ctx))
	}
	g.closers = nil
	return errors.Join(errs...)
}
