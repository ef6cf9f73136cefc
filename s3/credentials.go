package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"postern.example/postern/sigv4"
)

const defaultRegion = "us-east-1"

// awsConfig is the AWS configuration for c. Without c.Credentials it reads
// the environment and the shared files as every AWS tool does.
func awsConfig(ctx context.Context, c Config) (aws.Config, error) {
	if c.Credentials != nil {
		region := c.Region
		if region == "" {
			region = defaultRegion
		}
		return aws.Config{Region: region, Credentials: provider(c.Credentials)}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %v", err)
	}
	if c.Region != "" {
		cfg.Region = c.Region
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	return cfg, nil
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

// chain shows the SDK's credentials to the signer. The SDK keeps them in
// memory and refreshes them before they expire.
func chain(p aws.CredentialsProvider) func(context.Context) (sigv4.Credentials, error) {
	return func(ctx context.Context) (sigv4.Credentials, error) {
		c, err := p.Retrieve(ctx)
		if err != nil {
			return sigv4.Credentials{}, fmt.Errorf("find AWS credentials: %v", err)
		}
		out := sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
		if c.CanExpire {
			out.Expires = c.Expires
		}
		return out, nil
	}
}
