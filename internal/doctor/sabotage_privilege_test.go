package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSabotage_Strangers(t *testing.T) {
	t.Parallel()
	allow := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` + more + `}]}`
	}
	for name, c := range map[string]struct {
		policy string
		public bool
		id     string
		words  string
		want   Status
	}{
		"incoming/ is readable":            {allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"`), true, "anonymous.read", "Anybody may read incoming/", Fault},
		"the bucket can be listed":         {allow(`"Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"`), false, "anonymous.list", "Anybody may list", Fault},
		"everybody may write":              {allow(`"Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/incoming/*"`), false, "anonymous.write", "at your cost", Fault},
		"images/ is open for nothing":      {allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/images/*"`), false, "anonymous.images", "nothing is set that would make use of it", Warn},
		"images/ is closed and should not": {"", true, "anonymous.images", "pictures will not be seen", Fault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{policy: c.policy})
			b.Config.Public = c.public
			if f := b.run("anonymous").first(t, c.id, c.words); f.Status != c.want {
				t.Errorf("%+v", f)
			}
			if left := b.contents(); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// images_url is asked as a browser would ask it, not the bucket.
func TestAnonymousImages_ByAddress(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/images/*"}]}`})
	b.Config.Public = true
	for address, want := range map[string]Status{b.Config.URL + "/images": OK, b.Config.URL + "/images/": OK, b.Config.URL: Fault, b.s3.Endpoint + "/elsewhere/images": Fault} {
		b.Config.ImagesURL = address
		if f := b.run("anonymous.images").Findings[0]; f.Status != want || !strings.Contains(f.Tried, strings.TrimSuffix(address, "/")) {
			t.Errorf("%s: %+v", address, f)
		}
	}
}

func TestSabotage_Powers(t *testing.T) {
	t.Parallel()
	all := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]}}`
	more := func(policy, action, resource string) string {
		return strings.Replace(policy, `"Statement":[`, `"Statement":[{"Effect":"Allow","Action":"`+action+`","Resource":"arn:aws:s3:::photos`+resource+`"},`, 1)
	}
	for name, c := range map[string]struct {
		ward  ward
		id    string
		words string
		want  Status
	}{
		"the signer may do everything": {ward{signer: all}, "privilege.signer", "list the bucket, list incoming/, write images/, write beside incoming/", Fault},
		"the signer may read":          {ward{signer: more(goodSigner, "s3:GetObject", "/incoming/*")}, "privilege.signer", "(read incoming/)", Fault},
		"the signer may delete":        {ward{signer: more(goodSigner, "s3:DeleteObject", "/images/*")}, "privilege.signer", "(delete from images/)", Fault},
		"the signer may list":          {ward{signer: more(goodSigner, "s3:ListBucket", "")}, "privilege.signer", "list the bucket", Fault},
		"the signer writes elsewhere":  {ward{signer: more(goodSigner, "s3:PutObject", "/*")}, "privilege.signer", "write beside incoming/", Fault},
		"the worker may not write":     {ward{worker: strings.Replace(goodWorker, `"s3:GetObject","s3:PutObject"`, `"s3:GetObject"`, 1)}, "privilege.worker", "may not write images/", Fault},
		"the worker may not delete":    {ward{worker: strings.Replace(goodWorker, `"s3:GetObject","s3:DeleteObject","s3:Abort`, `"s3:GetObject","s3:Abort`, 1)}, "privilege.worker", "may not delete from incoming/", Fault},
		"the worker may not see parts": {ward{worker: strings.Replace(goodWorker, `"s3:ListBucket","s3:ListBucketMultipartUploads"`, `"s3:ListBucket"`, 1)}, "privilege.worker", "may not list unfinished uploads", Fault},
		"the worker sees a prefix only": {
			ward{worker: strings.Replace(goodWorker, `"Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":"arn:aws:s3:::photos"}`,
				`"Action":"s3:ListBucketMultipartUploads","Resource":"arn:aws:s3:::photos"},{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos","Condition":{"StringLike":{"s3:prefix":"incoming/*"}}}`, 1)},
			"privilege.worker", "answered 403 and not 404", Fault,
		},
		"the worker writes elsewhere": {ward{worker: more(goodWorker, "s3:PutObject", "/doctor-*")}, "privilege.worker", "may write beside images/, which", Warn},
		"the worker may upload":       {ward{worker: more(goodWorker, "s3:PutObject", "/incoming/*")}, "privilege.worker", "may write incoming/, which it never has to", Warn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, c.ward)
			before := b.contents()
			r := b.run("privilege")
			if f := r.first(t, c.id, c.words); f.Status != c.want {
				t.Errorf("%+v", f)
			}
			// Unless nobody may delete it, nothing stays.
			if last := r.Findings[len(r.Findings)-1]; last.ID != "leftovers.own" && b.contents() != before {
				t.Errorf("left behind: %s", b.contents())
			}
		})
	}
}

// What the key's own policy is not to blame for is not blamed on it.
func TestSabotage_Refusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status        int
		code, message string
		words         string
	}{
		"denied by others":  {http.StatusForbidden, "AccessDenied", "User: w is not authorized to perform: s3:PutObject on resource: r with an explicit deny in a resource-based policy", "denies it in so many words"},
		"no use of the key": {http.StatusForbidden, "AccessDenied", "User: w is not authorized to perform: kms:GenerateDataKey on resource: k because no identity-based policy allows the kms:GenerateDataKey action", "KMS key that this access key may not use"},
		"not there":         {http.StatusNotImplemented, "NotImplemented", "not here", "does not have this"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: func(bucket http.Handler) http.Handler {
				return drained(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "-worker") {
						s3Error(w, c.status, c.code, c.message, "")
						return
					}
					bucket.ServeHTTP(w, r)
				})
			}})
			if f := b.run("privilege.worker").first(t, "privilege.worker", c.words); f.Status != Fault {
				t.Errorf("%+v", f)
			}
		})
	}
}

// One key for both is said once, and not held against each of its powers.
func TestPrivilege_OneKey(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.Signer, b.Config.Worker, b.Config.Same = always(b.s3.Key), always(b.s3.Key), true
	r := b.run("credentials", "privilege")
	r.first(t, "credentials.apart")
	for _, f := range r.Findings {
		if strings.HasPrefix(f.ID, "privilege") && f.Status != Skipped {
			t.Errorf("%+v", f)
		}
	}
}

// The bucket's clock was three days back when these were left there.
func TestSabotage_Leftovers(t *testing.T) {
	t.Parallel()
	var back atomic.Int64
	b := admit(t, ward{now: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }})
	b.put("incoming/fresh", "x")
	if f := b.run("leftovers.objects").Findings[0]; f.Status != OK || f.Got != "1 there, 0 of them left over" {
		t.Errorf("%+v", f)
	}
	back.Store(int64(72 * time.Hour))
	b.put("incoming/old", "x")
	b.put("incoming/known", "x")
	b.ask(ask{method: http.MethodPost, key: "incoming/parts", query: "uploads="})
	back.Store(0)
	b.Config.Known = func(_ context.Context, key string) (bool, error) { return key == "incoming/known", nil }
	if f := b.run("leftovers").first(t, "leftovers.objects", "1 file that nobody completed", "3 days"); f.Status != Warn {
		t.Errorf("%+v", f)
	}
	if f := b.run("leftovers.multiparts").first(t, "leftovers.multiparts", "never ended (1)", "3 days"); f.Status != Warn {
		t.Errorf("%+v", f)
	}
}

// Lists are read page by page, and not for ever.
func TestLeftovers_Pages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages int // that the bucket has
		want  string
	}{
		"three":   {3, "3 there, 3 of them left over"},
		"endless": {1 << 30, "more than 20 there, 20 of them left over"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: pages(c.pages)})
			r := b.run("leftovers")
			for _, f := range r.Findings {
				if f.Status != Warn || f.Got != c.want {
					t.Errorf("%+v", f)
				}
			}
			if len(r.Findings) != 2 {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

// pages is a bucket whose lists have n pages with one old thing each.
func pages(n int) func(http.Handler) http.Handler {
	return func(bucket http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			marker := q.Get("continuation-token") + q.Get("key-marker")
			if r.Method != http.MethodGet || q.Get("prefix") != "incoming/" || q.Has("max-keys") || marker != "" && q.Has("uploads") && q.Get("upload-id-marker") != "u+"+marker {
				bucket.ServeHTTP(w, r)
				return
			}
			page, err := strconv.Atoi("0" + strings.TrimPrefix(marker, "p+"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			fmt.Fprintf(w, `<Result><IsTruncated>%t</IsTruncated>
				<NextContinuationToken>p+%[2]d</NextContinuationToken><NextKeyMarker>p+%[2]d</NextKeyMarker><NextUploadIdMarker>u+p+%[2]d</NextUploadIdMarker>
				<Contents><Key>incoming/%[2]d</Key><LastModified>2020-01-01T00:00:00Z</LastModified></Contents>
				<Upload><Key>incoming/%[2]d</Key><Initiated>2020-01-01T00:00:00Z</Initiated></Upload></Result>`, page+1 < n, page+1)
		})
	}
}
