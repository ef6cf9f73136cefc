// Package clients holds no code, only tests: it starts the built binary's
// bucket and uses it through the S3 clients that people have, each with its
// default settings: aws-sdk-go-v2 with both transfer managers, minio-go,
// boto3, the AWS SDK for JavaScript, and curl.
//
// Everything runs twice, against http in us-east-1 and against https in
// eu-central-1: SDKs send bodies in another way over TLS (unsigned chunks with
// a checksum behind them), and S3 has rules of its own for us-east-1.
//
// It is a module of its own, so that none of these clients is in the go.mod of
// the product. `make clients` installs what is needed and runs it; in this
// folder `go test` does where the clients are installed already.
//
// # Settings
//
//   - POSTERN_BIN: the binary; without it one is built.
//   - POSTERN_CLIENTS_ENDPOINT: run against this S3 instead, path-style, with
//     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION.
//   - POSTERN_CLIENTS_SKIP: clients to leave out, of python, node and curl,
//     separated by commas. Where POSTERN_CLIENTS_REQUIRED is set, a client that is neither named
//     here nor installed is a failure.
//   - POSTERN_CLIENTS_PYTHON: the interpreter that has boto3; /usr/bin/python3,
//     which sees Debian's python3-boto3, is the default.
package clients
