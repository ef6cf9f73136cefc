package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"postern.example/postern"
)

// patience is how long one answer may take.
const patience = 30 * time.Second

// Cloud is where setup works: a bucket's server, and the IAM beside it if there
// is one. It is for one caller at a time.
type Cloud struct {
	want   Want
	access Access
	s3     *s3.Client
	iam    *iam.Client // nil: there is no such API
	sts    *sts.Client // nil likewise
	caller Caller
}

// Open makes a Cloud. It reads the AWS configuration files, but calls nobody.
// Errors: ErrWant.
func Open(ctx context.Context, a Access, w Want) (*Cloud, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	if a.Logger == nil {
		a.Logger = slog.New(slog.DiscardHandler)
	}
	client := awshttp.NewBuildableClient().WithTimeout(patience)
	options := []func(*config.LoadOptions) error{config.WithRegion(w.Region), config.WithHTTPClient(client)}
	if a.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(a.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %v", err)
	}
	// Endpoints are those that were asked for, and none that the environment
	// holds for another purpose.
	cfg.BaseEndpoint = nil
	if a.Credentials != nil {
		cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			c, err := a.Credentials(ctx)
			return aws.Credentials{
				AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
				CanExpire: !c.Expires.IsZero(), Expires: c.Expires,
			}, err
		})
	}
	c := &Cloud{want: w, access: a}
	c.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = w.PathStyle
		o.BaseEndpoint = endpoint(w.Endpoint)
		// Checksums that the SDK adds by itself are refused by other servers;
		// where S3 demands one (lifecycle, policy), it is added all the same.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	if w.Endpoint == "" || a.IAMEndpoint != "" {
		c.iam = iam.NewFromConfig(cfg, func(o *iam.Options) { o.BaseEndpoint = endpoint(a.IAMEndpoint) })
	}
	if w.Endpoint == "" || a.STSEndpoint != "" {
		c.sts = sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = endpoint(a.STSEndpoint) })
	}
	return c, nil
}

func endpoint(url string) *string {
	if url == "" {
		return nil
	}
	return &url
}

// whoami finds out who the operator is. Where nobody tells, nobody is told.
func (c *Cloud) whoami(ctx context.Context) error {
	if c.sts == nil || c.caller.ARN != "" {
		return nil
	}
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		if noAPI(err) {
			return nil
		}
		return fmt.Errorf("ask who we are: %w", plainly(err))
	}
	c.caller = Caller{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}
	if c.want.Account == "" {
		c.want.Account = c.caller.Account
	}
	return nil
}

// hasIAM says whether keys can be made here.
func (c *Cloud) hasIAM() bool { return c.iam != nil && c.want.Provider.IAM != postern.No }

// status is the HTTP status of an answer that is an error; 0: none came.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// noAPI says whether an answer means that the server has no such operation.
func noAPI(err error) bool {
	switch status(err) {
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return true
	}
	return saysCode(err, "NotImplemented", "MethodNotAllowed", "InvalidAction", "UnsupportedOperation", "UnknownOperationException")
}
