package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/listen"
	"postern.example/postern/internal/trace"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
	"postern.example/postern/web"
)

// program is the gate with what "serve" puts around it.
type program struct {
	*gate.Gate
	handler http.Handler // the API and the page
	drain   draining
	tracer  *trace.Tracer // nil: nobody hears how long things took
}

// programConfig is what the parts need beyond the settings.
type programConfig struct {
	*settings
	pageAddr       net.Addr      // where the page listens; nil in a copy that is asked nothing
	bucketListener net.Listener  // where the embedded bucket is to listen; nil with a bucket of your own
	children       gate.Children // zero: pictures are opened in this process
	log            *slog.Logger
}

// openProgram opens the gate as the settings say.
func openProgram(ctx context.Context, c programConfig) (*program, error) {
	secrets, err := c.sealing()
	if err != nil {
		return nil, err
	}
	kinds, err := c.authKinds(c.log)
	if err != nil {
		return nil, err
	}
	database, err := c.databaseURL()
	if err != nil {
		return nil, err
	}
	listening := ""
	if c.pageAddr != nil {
		listening = c.pageAddr.String()
	}
	hooks, err := c.webhookConfig()
	if err != nil {
		return nil, err
	}
	p := &program{}
	if p.tracer, err = c.tracer(ctx, c.log); err != nil {
		return nil, err
	}
	conf := gate.Config{
		Tracer:   p.tellTraces(),
		Webhooks: hooks,
		Auth:     kinds, Role: gate.Role(c.role), NoMigrate: c.noMigrate,
		Dir: c.data, Taken: true, Database: database, Presets: c.presets, Secrets: secrets, BucketURL: c.bucketURL, BucketListener: c.bucketListener,
		Pages: append(c.pageOrigins(listening), c.origins...), Workers: c.workers, Children: c.children, Logger: c.log,
		Handler: c.handlerConfig(), Provider: c.provider(), Compat: c.compat,
	}
	if c.bucketListener == nil {
		if conf.S3, err = c.ownBucket(c.log); err != nil {
			return nil, err
		}
	}
	if p.Gate, err = gate.Open(ctx, conf); err != nil {
		return nil, err
	}
	if c.asked() {
		p.openHandler(c)
	}
	return p, nil
}

// ownBucket says how a bucket of your own is reached.
func (s *settings) ownBucket(logger *slog.Logger) (*s3.Config, error) {
	conf := &s3.Config{
		Bucket: s.bucket, Region: s.region, Endpoint: s.endpoint, PathStyle: s.pathStyle, Logger: logger,
		Profile: s.profile, CredentialsFile: s.credentialsFile,
	}
	var err error
	if conf.Credentials, err = keyGiven(s.accessKey, s.secretKey, s.secretKeyFile); err != nil {
		return nil, err
	}
	if s.signerAccessKey == "" && s.signerProfile == "" {
		return conf, nil
	}
	conf.Signer = &s3.Signer{Profile: s.signerProfile, CredentialsFile: s.credentialsFile}
	conf.Signer.Credentials, err = keyGiven(s.signerAccessKey, s.signerSecretKey, s.signerSecretKeyFile)
	return conf, err
}

// keyGiven is a key that stands in the settings; nil: none does.
func keyGiven(id, secret, file string) (func(context.Context) (sigv4.Credentials, error), error) {
	if id == "" {
		return nil, nil
	}
	secret, err := secretFrom(secret, file)
	if err != nil {
		return nil, err
	}
	credentials := sigv4.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	return func(context.Context) (sigv4.Credentials, error) { return credentials, nil }, nil
}

// databaseURL is the URL of the database; empty: the records are in a file.
func (s *settings) databaseURL() (string, error) {
	if s.database == "" && s.databaseFile == "" {
		return "", nil
	}
	u, err := secretFrom(s.database, s.databaseFile)
	if err == nil {
		err = records.CheckURL(u)
	}
	if err != nil {
		return "", fmt.Errorf("read the URL of the database: %w", err)
	}
	return u, nil
}

// shared reports whether nothing is kept in the data folder, so that any number
// of copies may run.
func (s *settings) shared() bool { return s.bucket != "" && (s.database != "" || s.databaseFile != "") }

func (s *settings) handlerConfig() postern.HandlerConfig {
	origins := s.origins
	if s.publicURL != "" {
		// Behind a proxy the Host header may be the proxy's own; the page's
		// requests are known by its origin then.
		origins = append([]string{originOf(s.publicURL)}, origins...)
	}
	return postern.HandlerConfig{BaseURL: s.publicURL, Origins: origins, Images: s.imagesURL, Hosts: s.hosts()}
}

// openHandler puts the page and the checks of health beside the API.
func (p *program) openHandler(c programConfig) {
	reached := []string{originOf(p.BucketURL())}
	if c.imagesURL != "" {
		reached = append(reached, originOf(c.imagesURL))
	}
	doctor := newDoctorPage(p, c)
	page := web.Handler(web.Config{BucketOrigins: reached, Local: c.local() && p.Embedded != nil, Doctor: doctor != nil})
	mux := http.NewServeMux()
	if doctor != nil {
		mux.Handle("GET "+doctorPath, listen.Logged(doctor, c.log, slog.LevelInfo))
	}
	for _, pattern := range p.Patterns() {
		mux.Handle(pattern, p.traced(p.Gate))
	}
	mux.Handle("/", listen.Logged(onlyFor(c.hosts(), page), c.log, slog.LevelInfo))
	mux.Handle("GET /healthz", listen.Logged(http.HandlerFunc(alive), c.log, slog.LevelDebug))
	mux.Handle("GET /readyz", listen.Logged(p.ready(c.log), c.log, slog.LevelDebug))
	p.handler = mux
}

// ready tells whether what the gate needs to take an upload all the way answers.
func (p *program) ready(logger *slog.Logger) http.Handler {
	return ready([]part{{"records", p.Records.Ping}, {"bucket", p.Bucket.Ping}, {"this copy", p.drain.ping}}, logger)
}

// pageURL is the page's address for people.
func (s *settings) pageURL(listening net.Addr) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	return (&url.URL{Scheme: "http", Host: listening.String()}).String()
}
