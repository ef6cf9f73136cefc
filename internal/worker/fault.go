package worker

import (
	"math/bits"
	"math/rand/v2"
	"net/http"
	"time"

	"postern.example/postern"
)

// blame says who must do something about a fault.
type blame string

const (
	theirs blame = "file"    // the file is not acceptable: reject it now
	ours   blame = "postern" // an error of ours: a few more attempts, then failed
	around blame = "outside" // something around us is away: again until Grace is over
)

// fault is why an attempt did not end in a picture.
type fault struct {
	blame blame
	words *postern.Error // public: what the upload ends with, if it ends with this
	cause error          // for the log
}

// rejects makes the fault of a file.
func rejects(words *postern.Error) *fault { return &fault{theirs, words, words.Err} }

// Words of uploads that failed. They are read by people who cannot do much
// about it, so they say what is known and what to do.
var (
	wordsProcessing = "The picture could not be processed; that is not the picture's fault. Upload it again later."
	wordsGone       = "The file is no longer in the bucket."
	wordsBucket     = "The bucket could not be reached for a day."
	wordsNotGranted = "The file in the bucket is not the one that was granted."
)

func processing(blame blame, words string, cause error) *fault {
	return &fault{blame, postern.ErrProcessing.With("%s", words), cause}
}

// away is a bucket that does not do what it is asked.
func away(cause error) *fault { return processing(around, wordsBucket, cause) }

// engineFault reads off an engine's error whose fault it is.
func engineFault(err error) *fault {
	e, p := postern.ProblemOf(err)
	if p.Status < http.StatusInternalServerError {
		return rejects(e)
	}
	if e.Code == postern.ErrProcessing.Code && e.Detail != "" {
		return processing(ours, e.Detail, err)
	}
	return processing(ours, wordsProcessing, err)
}

const maxBackoff = 5 * time.Minute

// fullJitter spreads what failed together: without it, all that an outage
// stopped comes back at the same instants
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func fullJitter(attempt int) time.Duration {
	limit := maxBackoff
	if attempt < 9 { // 2^9 s are more than the limit
		limit = min(limit, time.Second<<max(attempt, 0))
	}
	return rand.N(limit) //nolint:gosec // spreads load, protects nothing
}

// patience is which attempt's pause suits an upload of this age. Pauses that
// follow the age grow as those that follow a count, need no count, and go on
// growing when the process is restarted during an outage.
func patience(age time.Duration) int {
	return bits.Len64(uint64(max(age, 0) / time.Second))
}
