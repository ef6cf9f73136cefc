package s3

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// S3 refuses a signature whose date is more than 15 minutes away from its own
// clock (RequestTimeTooSkewed), and lets a policy expire by that clock. So we
// read its clock off the Date of every answer, and sign by it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList

const (
	// A Date tells whole seconds, and an answer's way may be longer there than
	// back: less is no difference.
	skewIgnored = 5 * time.Second
	// slowAnswer is how long an answer may take and still tell the time to
	// skewIgnored: the date is from between the question and the answer.
	slowAnswer = 2 * skewIgnored
	// People are told when the difference passes skewAlarming, and again when
	// it has come below half of it; one that wavers is told once.
	skewAlarming = time.Minute
)

// clock compares the bucket's clock with ours. It is safe for concurrent use.
type clock struct {
	now  func() time.Time
	log  *slog.Logger
	skew atomic.Int64 // nanoseconds

	mu    sync.Mutex
	alarm bool // guarded by mu
}

// Skew returns by how much the bucket's clock is ahead of ours, as its latest
// answers showed; it is negative when the bucket's is behind. It is zero before
// the first answer, and for differences under 5 s. It asks nobody.
func (b *Bucket) Skew() time.Duration { return b.clock.Skew() }

func (c *clock) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// bucketNow is what the bucket's clock shows.
func (c *clock) bucketNow() time.Time { return c.now().Add(c.Skew()) }

// watch adds the clock to a stack, next to the transport, so that it sees each
// try by itself.
func (c *clock) watch(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("PosternClock",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			asked := c.now()
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if answer, ok := out.RawResponse.(*smithyhttp.Response); ok && answer != nil && answer.Response != nil {
				c.see(answer.Header, asked, c.now())
			}
			return out, metadata, err
		}), middleware.After)
}

// see reads the header of an answer.
func (c *clock) see(h http.Header, asked, answered time.Time) {
	took := answered.Sub(asked)
	if h.Get("Age") != "" || took > slowAnswer || took < 0 { // out of a cache; or too vague
		return
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	// The middle of the second, and of the way there and back.
	skew := date.Add(time.Second / 2).Sub(answered.Add(-took / 2))
	if skew.Abs() < skewIgnored {
		skew = 0
	}
	c.skew.Store(int64(skew))
	c.tell(skew)
}

// tell logs when the clocks begin to disagree, and when they agree again.
func (c *clock) tell(skew time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.alarm && skew.Abs() > skewAlarming:
		c.alarm = true
		c.log.Warn("our clock and the bucket's differ; we sign by the bucket's",
			slog.Duration("bucket_ahead", skew.Round(time.Second)), slog.Duration("alarm_above", skewAlarming))
	case c.alarm && skew.Abs() < skewAlarming/2:
		c.alarm = false
		c.log.Warn("our clock and the bucket's agree again", slog.Duration("bucket_ahead", skew.Round(time.Second)))
	}
}
