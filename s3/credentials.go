package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"

	"postern.example/postern/sigv4"
)

const (
	defaultRegion = "us-east-1"
	// httpLimit is how long a source of credentials may take for one answer. The
	// SDK sets none, and a fetch that hangs would be the last.
	httpLimit = 20 * time.Second
	// givenSource is the source of credentials that came with the Config.
	givenSource = "Config.Credentials"
)

// key is where a credential comes from.
type key struct {
	credentials func(context.Context) (sigv4.Credentials, error)
	source      func(context.Context) (string, error)
}

// Credentials returns the key in use, from memory: temporary ones are fetched
// anew in the background from 15 minutes before their end on, or from half of
// a shorter life. It waits only when there is none that is valid. If the source
// then fails, that is the error; it names no secret.
func (b *Bucket) Credentials(ctx context.Context) (sigv4.Credentials, error) {
	return b.key.credentials(ctx)
}

// CredentialSource says where the key in use is from, as the AWS SDK names it:
// "EnvConfigCredentials", "SharedConfigCredentials: …", "AssumeRoleProvider",
// "WebIdentityCredentials", "SSOProvider", "ProcessProvider",
// "CredentialsEndpointProvider" (containers), "EC2RoleProvider", …; or
// "Config.Credentials". It fetches the key if there is none yet.
func (b *Bucket) CredentialSource(ctx context.Context) (string, error) {
	return b.key.source(ctx)
}

// SigningCredentials returns the key of Config.Signer, as Credentials does; the
// same as that one when there is no other.
func (b *Bucket) SigningCredentials(ctx context.Context) (sigv4.Credentials, error) {
	return b.signer.credentials(ctx)
}

// SigningSource says where the key of Config.Signer is from.
func (b *Bucket) SigningSource(ctx context.Context) (string, error) {
	return b.signer.source(ctx)
}

// awsConfig is the AWS configuration for c. Without c.Credentials it reads
// the environment and the shared files as every AWS tool does, and the
// configuration's credentials are the chain's, to be fetched anew at each call.
func awsConfig(ctx context.Context, c Config) (aws.Config, error) {
	if c.Credentials != nil {
		region := c.Region
		if region == "" {
			region = defaultRegion
		}
		return aws.Config{Region: region, Credentials: provider(c.Credentials)}, nil
	}
	client := awshttp.NewBuildableClient().WithTimeout(httpLimit)
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }),
		// Credentials are said to end when they do. That we are early is our task.
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow, o.ExpiryWindowJitterFrac = 0, 0 }),
	}
	if c.CredentialsFile != "" {
		options = append(options, config.WithSharedCredentialsFiles([]string{c.CredentialsFile}))
		if c.Profile == "" {
			c.Profile = config.DefaultSharedConfigProfile
		}
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %v", err)
	}
	if c.Region != "" {
		cfg.Region = c.Region
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	// Objects may take longer than credentials. The client may have certificates
	// of AWS_CA_BUNDLE by now, so it is not made anew.
	if client, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = client.WithTimeout(0)
	}
	return cfg, nil
}

// useCredentials makes the signer and the SDK use the same credentials: those
// given, or those that cfg finds.
func (b *Bucket) useCredentials(given func(context.Context) (sigv4.Credentials, error), cfg *aws.Config) key {
	if given != nil {
		return key{given, func(context.Context) (string, error) { return givenSource, nil }}
	}
	k := &keeper{fetch: anew(cfg.Credentials), now: b.clock.bucketNow, log: b.clock.log}
	found := key{
		func(ctx context.Context) (sigv4.Credentials, error) {
			h, err := k.get(ctx)
			if err != nil {
				return sigv4.Credentials{}, err
			}
			return h.Credentials, nil
		},
		func(ctx context.Context) (string, error) {
			h, err := k.get(ctx)
			if err != nil {
				return "", err
			}
			return h.source, nil
		},
	}
	cfg.Credentials = provider(found.credentials)
	return found
}

// provider shows our credentials to the SDK.
func provider(f func(context.Context) (sigv4.Credentials, error)) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := f(ctx)
		return aws.Credentials{
			AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
			CanExpire: !c.Expires.IsZero(), Expires: c.Expires,
		}, err
	})
}

// anew makes each call of p a fetch. The SDK's own cache waits with that until
// credentials have ended, and hands out ended ones of instances.
func anew(p aws.CredentialsProvider) func(context.Context) (aws.Credentials, error) {
	return func(ctx context.Context) (aws.Credentials, error) {
		if cache, ok := p.(*aws.CredentialsCache); ok {
			cache.Invalidate()
		}
		return p.Retrieve(ctx)
	}
}

// hideOutput leaves out what a credential_process has written: the SDK puts it
// into its error when it is not the JSON that it should be, and it may hold
// keys all the same.
func hideOutput(err error) error {
	var process *processcreds.ProviderError
	if !errors.As(err, &process) {
		return err
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var date *time.ParseError
	if errors.As(err, &syntax) || errors.As(err, &kind) || errors.As(err, &date) {
		return errors.New("credential_process has not written the JSON that is asked of it")
	}
	return err
}
