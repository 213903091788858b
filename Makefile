# `make test` needs Go only: it finds, starts or fetches a PostgreSQL.

GO       ?= go
# The race detector links with a C compiler; without one the tests run without it.
# It is kept from SQLite, which is C turned into Go: it took nine tenths of the time there
# and finds nothing of ours.
RACE      = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race -gcflags=modernc.org/...=-race=false)
# A tenth of the tests' time went to collecting garbage; memory is not what they lack.
GOGC     ?= 400
WITH_PG   = $(GO) run -C tools ./withpostgres -dir "$(CURDIR)" --
FUZZTIME ?= 10s
export GOTOOLCHAIN = local

.PHONY: test lint bench fuzz conformance

test:
	@echo 'make test: race detector $(if $(RACE),on,off, for want of a C compiler)'
	$(WITH_PG) env TENON_TEST_REQUIRE=postgres GOGC=$(GOGC) $(GO) test $(RACE) -timeout 20m ./...
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
