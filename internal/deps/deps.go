//go:build never

// Package deps is temporary.
package deps

import (
	_ "github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/config"
	_ "github.com/aws/aws-sdk-go-v2/credentials"
	_ "github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/aws/smithy-go"
	_ "github.com/getkin/kin-openapi/openapi3"
	_ "github.com/getkin/kin-openapi/openapi3filter"
	_ "github.com/getkin/kin-openapi/routers/legacy"
	_ "github.com/goccy/go-yaml"
	_ "github.com/pressly/goose/v3"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/tidwall/btree"
	_ "github.com/urfave/cli/v3"
	_ "golang.org/x/image/webp"
	_ "golang.org/x/image/draw"
	_ "golang.org/x/sync/semaphore"
	_ "golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
)
