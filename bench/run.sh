#!/usr/bin/env bash
# Prints the table of docs/performance.md. Needs PostgreSQL in TENON_TEST_POSTGRES:
# `make bench` brings one. Arguments go to the program, such as -only lookup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p out
GOWORK=off go build -o out/bench .
out/bench "$@"
[ $# -gt 0 ] || go test -C .. ./bundb/postgres -run '^$' -bench '^BenchmarkScope$' # row security, off and on
