package sigv4

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

var exampleCredentials = Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

func TestSigningKeyOfVector1(t *testing.T) {
	key := []byte("AWS4" + exampleCredentials.SecretAccessKey)
	for _, part := range []string{"20151229", "us-east-1", "s3", "aws4_request"} {
		key = chain(key, part)
	}
	if got := hex.EncodeToString(key); got != "cbcef1ebeaefc82cce6530b9f0a9ae598846065f5c5bae0674bd5ebc4ba52d28" {
		t.Errorf("signing key %s", got)
	}
}

// One ring through midnight, a rotated secret, another id and another region:
// each signature is that of a fresh ring.
func TestKeyringKeepsKeysApart(t *testing.T) {
	rotated, renamed := exampleCredentials, exampleCredentials
	rotated.SecretAccessKey = "another"
	renamed.AccessKeyID = "AKIDOTHER"
	midnight := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	var ring keyring
	seen := map[string]string{}
	for round := range 3 {
		for _, c := range []Credentials{exampleCredentials, rotated, renamed} {
			for _, region := range []string{"us-east-1", "auto"} {
				for _, at := range []time.Time{midnight.Add(-time.Nanosecond), midnight, midnight.Add(24 * time.Hour)} {
					k := ring.keyAt(c, region, at)
					got := string(k.appendSignature(nil, []byte("text")))
					want := string(newSigningKey(c, region, dayOf(at)).appendSignature(nil, []byte("text")))
					name := fmt.Sprint(c.AccessKeyID, c.SecretAccessKey, region, at)
					if got != want {
						t.Fatalf("round %d, %s: %s, want %s", round, name, got, want)
					}
					if wantScope := at.Format(DateFormat) + "/" + region + "/s3/aws4_request"; k.scope != wantScope || k.credential != c.AccessKeyID+"/"+wantScope {
						t.Fatalf("scope %s, credential %s", k.scope, k.credential)
					}
					seen[got] = name
				}
			}
		}
	}
	// The access key id is not part of the key itself, so two of three.
	if len(seen) != 2*2*3 {
		t.Errorf("%d different keys", len(seen))
	}
	if n := len(*ring.keys.Load()); n != maxKeys {
		t.Errorf("the ring holds %d keys, want %d", n, maxKeys)
	}
}

func TestKeyringRemembers(t *testing.T) {
	var ring keyring
	now := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	k := ring.keyAt(exampleCredentials, "r", now)
	if ring.keyAt(exampleCredentials, "r", now.Add(time.Hour)) != k {
		t.Error("the same day derived a new key")
	}
	temporary := exampleCredentials // a new session of the same keys needs no new one
	temporary.SessionToken = "token"
	if ring.keyAt(temporary, "r", now) != k {
		t.Error("a token derived a new key")
	}
}

func TestKeyringConcurrently(t *testing.T) {
	var ring keyring
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	want := map[int]string{}
	for day := range 12 {
		want[day] = string(newSigningKey(exampleCredentials, "r", dayOf(start.AddDate(0, 0, day))).appendSignature(nil, []byte("x")))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				day := (g + i) % len(want)
				k := ring.keyAt(exampleCredentials, "r", start.AddDate(0, 0, day))
				if got := string(k.appendSignature(nil, []byte("x"))); got != want[day] {
					t.Errorf("day %d: %s", day, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestStampsAgreeWithTime(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2000, 2, 29, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 11, 3, 4, 5, 6, 7000000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		if got, want := string(appendStamp(nil, at)), at.Format(TimeFormat); got != want {
			t.Errorf("stamp %s, want %s", got, want)
		}
		want := at.Format("2006-01-02T15:04:05Z")
		if at.Nanosecond() >= 1e6 {
			want = at.Format("2006-01-02T15:04:05.000Z")
		}
		got := string(appendExpiration(nil, at))
		if got != want {
			t.Errorf("expiration %s, want %s", got, want)
		}
		if back, ok := parseExpiration(got); !ok || !back.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%s is read as %v, %v", got, back, ok)
		}
	}
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, ok := parseExpiration(string(appendExpiration(nil, at))); ok {
			t.Errorf("a year without four digits is read as %v", got)
		}
	}
	for _, s := range []string{"", "20240101T000000", "20240101T000000.5Z", "20240101t000000Z", "20241301T000000Z", "20240230T000000Z", "20240101T240000Z", "20240101T000060Z", "+0240101T000000Z", "２0240101T000000Z"} {
		if at, ok := parseStamp(s); ok {
			t.Errorf("%q is read as %v", s, at)
		}
	}
}

// Only who has the key can get as far as this.
func TestSignedPolicyThatIsNotBase64(t *testing.T) {
	v := &Verifier{Region: "us-east-1", Lookup: func(string) (Credentials, bool) { return exampleCredentials, true }}
	for _, text := range []string{"e30", "{}", "e31=", ""} {
		f := Form{
			"policy": text, "x-amz-algorithm": algorithm, "x-amz-date": "20151229T000000Z",
			"x-amz-credential": exampleCredentials.AccessKeyID + "/20151229/us-east-1/s3/aws4_request",
			"x-amz-signature":  string(newSigningKey(exampleCredentials, "us-east-1", 20151229).appendSignature(nil, []byte(text))),
		}
		_, doc, err := v.Post(f)
		if err == nil { // the empty text is base64, of an empty document
			_, err = ParsePolicy(doc)
		}
		if !errors.Is(err, ErrInvalidPolicyDocument) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
