package doctor

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
)

// says is a server that answers everything with the same words.
type says struct {
	status int
	header string
	body   []byte
}

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for _, name := range []string{"Location", "X-Amz-Bucket-Region", "Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Etag", "Content-Type"} {
		h.Set(name, s.header)
	}
	return &http.Response{StatusCode: s.status, Header: h, Body: io.NopCloser(bytes.NewReader(s.body)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// Whatever a server says, to each question: the doctor gets to the end, says
// what is wrong with a cause, and repeats no secret.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "https://elsewhere.example", []byte(`<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken><Contents><Key>incoming/a</Key><LastModified>2020-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>`))
	f.Add(200, "*", []byte(`<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Days>-1</Days></Expiration></Rule></LifecycleConfiguration>`))
	f.Add(200, "null", []byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:*",null],"Resource":[]}}`))
	f.Add(403, "", []byte(`<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`))
	f.Add(301, "://", []byte(`<Error><Code>PermanentRedirect</Code><Region>x</Region></Error>`))
	f.Add(501, "\x00", []byte("<"))
	f.Fuzz(func(t *testing.T, status int, header string, body []byte) {
		if status < 200 || status > 599 {
			t.Skip()
		}
		provider, _ := postern.ProviderByName("other")
		c := healthyConfig("http://127.0.0.1:1/photos")
		c.Provider, c.Embedded, c.Inspector, c.Public = provider, false, always(workerKey()), true
		c.HTTP = &http.Client{
			Transport:     says{status, header, body},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		r, err := Run(t.Context(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Findings {
			if (x.Status == Fault || x.Status == Warn) && (x.Cause == "" || x.Cure == "") {
				t.Errorf("without cause or cure: %+v", x)
			}
			for _, secret := range []string{signerKey().SecretAccessKey, workerKey().SecretAccessKey} {
				if strings.Contains(x.Got+x.Tried+x.Cause+x.Cure+x.Title, secret) {
					t.Errorf("a secret is told: %+v", x)
				}
			}
		}
	})
}
