package s3

import (
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// What is tried again, besides what the SDK tries again: its errors of
// connections, 500, 502, 503, 504 and throttling.

const maxAttempts = 3

// skewRefused is by how much the dates of a question and of its answer differ
// when the refusal is blamed on that: S3 allows 15 minutes, others less.
const skewRefused = 4 * time.Minute

// retries sets the rules for the SDK. The first to have an opinion decides.
func retries(o *retry.StandardOptions) {
	o.MaxAttempts = maxAttempts
	rules := []retry.IsErrorRetryable{
		// The SDK takes an error in an answer of status 200 for one of 500; but
		// these will be the same the next time.
		retry.IsErrorRetryableFunc(never("NoSuchUpload", "InvalidPart", "InvalidPartOrder", "PreconditionFailed", "EntityTooSmall", "EntityTooLarge")),
		retry.IsErrorRetryableFunc(misdated),
		// Two writes at once: the next try finds what the other has done.
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
		retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}}},
	}
	o.Retryables = append(rules, o.Retryables...)
	backoff := retry.NewExponentialJitterBackoff(o.MaxBackoff)
	o.Backoff = retry.BackoffDelayerFunc(func(attempt int, err error) (time.Duration, error) {
		if misdated(err) == aws.TrueTernary {
			return 0, nil // there is nothing to wait for
		}
		return backoff.BackoffDelay(attempt, err)
	})
}

func never(codes ...string) func(error) aws.Ternary {
	return func(err error) aws.Ternary {
		if saysCode(err, codes...) {
			return aws.FalseTernary
		}
		return aws.UnknownTernary
	}
}

// misdated finds what was refused for its date; the SDK dates the next try by
// the answer. By itself it tries again only if the answer says
// RequestTimeTooSkewed; but one to a HEAD has no body to say that in, and some
// servers have another code. So the dates of question and answer are compared.
func misdated(err error) aws.Ternary {
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusForbidden || answer.Response == nil ||
		answer.Response.Response == nil || answer.Response.Request == nil || answer.Response.Header.Get("Age") != "" {
		return aws.UnknownTernary
	}
	date, err := http.ParseTime(answer.Response.Header.Get("Date"))
	if err != nil {
		return aws.UnknownTernary
	}
	signed, err := time.Parse("20060102T150405Z", answer.Response.Request.Header.Get("X-Amz-Date"))
	if err != nil || date.Sub(signed).Abs() < skewRefused {
		return aws.UnknownTernary
	}
	return aws.TrueTernary
}
