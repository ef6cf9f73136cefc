# Each target is one command, and CI calls the same ones.
.PHONY: run build test clients compat oracle lint fuzz bench bench-sign bench-peers bench-bucket bench-load bench-web chaos web licences sbom

run: ## the gate on this machine, with nothing to configure
	go run ./cmd/postern serve

build: ## bin/postern, static
	CGO_ENABLED=0 go build -trimpath -o bin/postern ./cmd/postern

test: ## everything, with what it needs installed: Go, Node and real Chromium
	bash .ci/test

clients: ## stock S3 clients (Go, Python, Node, curl) against the built bucket
	bash .ci/clients

compat: ## other people's upload clients (Uppy, Rails, plain forms) and frameworks (React, Vue) in real Chromium against the built gate
	bash .ci/compat

oracle: ## our assumptions about S3, asked of versitygw and MinIO as well; the first run builds both (20 min)
	bash .ci/oracle

lint: ## the linters of .golangci.yml; the first run builds them
	go tool -modfile=tools.mod golangci-lint run ./...

fuzz: ## each parser of hostile bytes for FUZZTIME (30s)
	bash .ci/fuzz $(or $(FUZZTIME),30s)

bench: build ## our figures beside those of named peers, in one run
	cd bench && POSTERN_BIN=../bin/postern go test -run '^$$' -bench . -benchmem -count $(or $(COUNT),1)

bench-sign: ## the signer beside aws-sdk-go-v2 and minio-go, CPU time, in one run
	cd bench && go run ./sign

bench-peers: build ## the endpoint beside bare net/http, Uppy Companion and the tutorial's hapi server
	bash .ci/bench-peers $(or $(ROUNDS),5)

bench-bucket: build ## the bucket beside versitygw and MinIO, which the first run builds (20 min)
	bash .ci/bench-bucket $(or $(ROUNDS),5)

bench-load: build ## what copies bear: grants with quotas, on SQLite and PostgreSQL, 1 000 listeners, memory over SOAK (1m)
	cd bench && go build -trimpath -o ../bin/load ./load
	bash .ci/postgres bin/load -postern bin/postern -rounds $(or $(ROUNDS),5) -soak $(or $(SOAK),1m) $(if $(ONLY),-only $(ONLY))

chaos: ## 10 000 uploads through three copies, PostgreSQL and Ceph on three disks, while all of it is killed, cut off and filled (30 min)
	bash .ci/chaos $(if $(FOR),-for $(FOR))

bench-web: build ## the element beside Uppy Dashboard and a bare XMLHttpRequest, in real Chromium
	bash .ci/bench-web $(or $(ROUNDS),3)

web: ## web/dist and the generated sources, from web/src
	go generate ./web

licences: ## docs/licences.md: what is linked, and its licences; after a change of go.mod
	go run -C deploy/bom . -licences

sbom: build ## dist-release/postern.cdx.json: CycloneDX of bin/postern
	go run -C deploy/bom . -sbom $(CURDIR)/dist-release/postern.cdx.json $(CURDIR)/bin/postern
