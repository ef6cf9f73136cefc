package assume

import (
	"fmt"
	"net/http"
	"sync"
)

// conditional is what we assume of conditional writes.
func conditional() []Assumption {
	const guide = "How to prevent object overwrites with conditional writes"
	const absent = "Uploads the object only if the object key name does not already exist in the bucket specified. Otherwise, Amazon S3 returns a 412 Precondition Failed error."
	return []Assumption{
		{"if-none-match", "API PutObject", absent, func(b *Bucket) error {
			return all(b.put("a", "hello", "If-None-Match", "*").is(200, ""), b.put("a", "again", "If-None-Match", "*").is(412, "PreconditionFailed"), b.holds("a", "hello"))
		}},
		{"if-none-match-says-which", "recorded", "412 PreconditionFailed, Condition: If-None-Match", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.put("a", "again", "If-None-Match", "*").is(412, "PreconditionFailed").element("Condition", "If-None-Match").
				says("At least one of the pre-conditions you specified did not hold"))
		}},
		{"if-none-match-after-delete", "API PutObject", absent, func(b *Bucket) error {
			return all(b.put("a", "hello"), b.remove("a"), b.put("a", "again", "If-None-Match", "*").is(200, ""), b.holds("a", "again"))
		}},
		{"if-none-match-takes-a-star", "API PutObject", "Expects the '*' (asterisk) character.", func(b *Bucket) error {
			a := b.put("a", "hello", "If-None-Match", etagOf("other"))
			return all(that(a.Status >= 400, "%d, not refused", a.Status), b.absent("a"))
		}},
		{"if-none-match-race", guide, "If multiple conditional writes occur for the same object name, the first write operation to finish succeeds. Amazon S3 then fails subsequent writes with a 412 Precondition Failed response.", func(b *Bucket) error {
			won := 0
			for status, n := range race(b, "If-None-Match", "*") {
				switch status {
				case http.StatusOK:
					won += n
				case http.StatusPreconditionFailed, http.StatusConflict:
				default:
					return fmt.Errorf("%d writers got %d", n, status)
				}
			}
			return same("winners", won, 1).failed()
		}},
		{"if-match", "API PutObject", "Uploads the object only if the ETag (entity tag) value provided during the WRITE operation matches the ETag of the object in S3. If the ETag values do not match, the operation returns a 412 Precondition Failed error.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.put("a", "x", "If-Match", etagOf("other")).is(412, "PreconditionFailed"), b.holds("a", "hello"),
				b.put("a", "again", "If-Match", etagOf("hello")).is(200, ""), b.holds("a", "again"))
		}},
		{"if-match-of-nothing", guide, "If there's no current object version with the same name, or if the current object version is a delete marker, the operation fails with a 404 Not Found error.", func(b *Bucket) error {
			return all(b.put("a", "hello", "If-Match", etagOf("hello")).is(404, "NoSuchKey"), b.absent("a"))
		}},
		{"if-match-race", guide, "the first write operation to finish succeeds", func(b *Bucket) error {
			b.put("a", "hello")
			won := race(b, "If-Match", etagOf("hello"))[http.StatusOK]
			return same("winners", won, 1).failed()
		}},
		{"if-match-delete", "API DeleteObject", "Deletes the object if the ETag (entity tag) value provided during the delete operation matches the ETag of the object in S3. If the ETag values do not match, the operation returns a 412 Precondition Failed error.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.remove("a", "If-Match", etagOf("other")).is(412, "PreconditionFailed"), b.holds("a", "hello"),
				b.remove("a", "If-Match", etagOf("hello")).is(204, ""), b.absent("a"))
		}},
	}
}

// race puts different bytes from eight sides at once, and counts the statuses.
func race(b *Bucket, header, value string) map[int]int {
	var mu sync.Mutex
	var done sync.WaitGroup
	got := make(map[int]int)
	start := make(chan struct{})
	for i := range 8 {
		r := b.request("PUT", b.at("a"), "writer "+decimal(i), header, value)
		b.sign(r, hexSHA256("writer "+decimal(i)))
		done.Go(func() {
			<-start
			a := b.exchange(r)
			mu.Lock()
			defer mu.Unlock()
			got[a.Status]++
		})
	}
	close(start)
	done.Wait()
	return got
}
