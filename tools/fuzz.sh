#!/usr/bin/env bash
# Runs every fuzz target of the repository for DURATION each: tools/fuzz.sh 10s
# Fails when one finds a crasher; go test has then kept the input in testdata/fuzz beside the test.
set -euo pipefail
cd "$(dirname "$0")/.."

duration=${1:?usage: tools/fuzz.sh DURATION, such as 10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE TARGET
fuzz() {
  # The engine of Go before 1.27 may fail at the end of the duration with nothing found (go.dev/issue/75804):
  # only an input that it wrote counts.
  for try in 1 2 3; do
    if go test -run='^$' -fuzz="^$2\$" -fuzztime="$duration" "$1" >"$log" 2>&1; then
      grep -o 'execs: .*' "$log" | tail -n 1 || true
      return 0
    fi
    if grep -q 'Failing input written' "$log" || ! grep -q 'context deadline exceeded' "$log"; then
      break
    fi
    echo "fuzz: $2 was cut off; try $((try + 1))"
  done
  cat "$log"
  return 1
}

# "PACKAGE TARGET" lines, found in the test files that this platform compiles.
targets=$(go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}' ./... |
  while read -r package file; do
    if [ -n "$package" ]; then
      sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(.*|$package \1|p" "$file"
    fi
  done)
if [ -z "$targets" ]; then
  echo "fuzz: there is no target" >&2
  exit 1
fi

failed=0
while read -r package target; do
  echo "fuzz: $target in $package for $duration"
  fuzz "$package" "$target" || failed=1
done <<<"$targets"
echo "fuzz: $(wc -l <<<"$targets") targets, $([ "$failed" = 0 ] && echo 'nothing found' || echo 'CRASHERS FOUND')"
exit "$failed"
