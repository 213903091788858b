# `make test` needs Go only: it finds, starts or fetches a PostgreSQL.

GO       ?= go
WITH_PG   = $(GO) run -C tools ./withpostgres -dir "$(CURDIR)" --
FUZZTIME ?= 10s
export GOTOOLCHAIN = local

.PHONY: test lint bench fuzz conformance

test:
	$(WITH_PG) env TENON_TEST_REQUIRE=postgres $(GO) test -race ./...
	$(GO) test -run '^TestR7_Time' . # says nothing under the race detector

lint:
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

bench:
	$(WITH_PG) bash bench/run.sh

fuzz:
	bash tools/fuzz.sh $(FUZZTIME)

conformance:
	bash conformance/run.sh
