#!/usr/bin/env bash
# Runs the outside judges, one line each; a judge that fails shows what it said.
#
#   envelope  the sealed bytes, by a second implementation in Node
#   jwt       access tokens and their key set, by a second reader in Node
#   refresh   refresh tokens, by a second implementation in Node
#   oidc      signing in with others, by a certified OpenID provider in Node, Chromium and the official client
#   client    the routes, by the official better-auth client, on SQLite and PostgreSQL
#   browser   the pages, by Chromium without JavaScript
#   rows      organizations, invitations, notifications and the audit trail, with PostgreSQL's row security
#   transit   crypto/transitkms, by the transit engine of HashiCorp Vault
#
# It needs Go and Node, fetches the rest, and starts a PostgreSQL of its own unless TENON_TEST_POSTGRES names one.
# conformance/run.sh client browser runs those two. Where CI is set, nothing may be missing; elsewhere a judge that
# cannot be had is skipped loudly.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${TENON_TEST_POSTGRES:-}" ]; then
  exec go run -C tools ./withpostgres -dir "$PWD" -- bash conformance/run.sh "$@"
fi

limit=10m # for one judge
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
report() { printf 'conformance: %-9s %s\n' "$1" "$2"; }

# missing JUDGE WHAT: fails in CI, skips elsewhere.
missing() {
  if [ -n "${CI:-}" ]; then
    report "$1" "FAILED: $2"
    failed=1
  else
    report "$1" "*** SKIPPED: $2 ***"
  fi
}

# judge NAME COMMAND... runs one within the limit.
judge() {
  local name=$1 start=$SECONDS
  shift
  if timeout --kill-after=20s "$limit" "$@" >"$work/$name.log" 2>&1; then
    report "$name" "passed in $((SECONDS - start)) s"
  else
    report "$name" "FAILED with $? after $((SECONDS - start)) s:"
    cat "$work/$name.log"
    failed=1
  fi
}

# packages installs what the lock file pins, unless it is there.
packages() {
  local lock=conformance/package-lock.json mark=conformance/node_modules/.installed
  if ! cmp -s "$lock" "$mark"; then
    (cd conformance && timeout 5m npm ci --legacy-peer-deps --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 ||
      { cat "$work/npm.log"; return 1; }
    cp "$lock" "$mark"
  fi
}

chromium() {
  command -v "${TENON_CHROMIUM:-/usr/bin/chromium}" >"$work/which" && return
  [ -z "${TENON_CHROMIUM:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get >"$work/which" || return 1
  (apt-get update -q && DEBIAN_FRONTEND=noninteractive timeout 8m apt-get install -qy --no-install-recommends chromium) \
    >"$work/apt.log" 2>&1 || { cat "$work/apt.log"; return 1; }
}

envelope() { judge envelope go test -count=1 -run '^TestNode' ./crypto; }

jwt() { judge jwt go test -count=1 -run '^TestNode' ./token/jwt; }

refresh() { judge refresh go test -count=1 -run '^TestNode' ./session/internal/family; }

# oidc has packages of its own, so that whoever wants the client alone does not fetch a provider.
oidc() {
  local dir=$PWD/conformance/oidc lock=conformance/oidc/package-lock.json mark=conformance/oidc/node_modules/.installed
  if ! cmp -s "$lock" "$mark"; then
    (cd "$dir" && timeout 5m npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm-oidc.log" 2>&1 ||
      { cat "$work/npm-oidc.log"; missing oidc "npm could not install oidc-provider"; return; }
    cp "$lock" "$mark"
  fi
  if ! packages; then
    missing oidc "npm could not install better-auth and playwright-core"
  elif ! chromium; then
    missing oidc "there is no chromium; install it, or name one in TENON_CHROMIUM"
  else
    judge oidc env TENON_OIDC_PROVIDER="$dir/provider.mjs" bash -ec '
      go test -count=1 -run "^TestCertified" ./auth/oauth/provider
      npm --prefix conformance run -s oidc'
  fi
}

client() {
  if packages; then judge client npm --prefix conformance run -s client; else missing client "npm could not install better-auth"; fi
}

browser() {
  if ! packages; then
    missing browser "npm could not install playwright-core"
  elif ! chromium; then
    missing browser "there is no chromium; install it, or name one in TENON_CHROMIUM"
  else
    judge browser npm --prefix conformance run -s browser
  fi
}

rows() {
  judge rows env TENON_TEST_ROW_SECURITY=1 TENON_TEST_REQUIRE=postgres go test -count=1 -timeout "$limit" \
    -run 'Twin|Organization|Invit|Team|News|Notif|Trail|Audit|R13|R18|R21|R29|R31' -skip 'SQLite|/sqlite' .
}

transit() {
  if timeout "$limit" go test -C conformance/transit -c -o "$work/transit.test" . >"$work/transit-build.log" 2>&1; then
    judge transit "$work/transit.test" -test.timeout=2m
  else
    cat "$work/transit-build.log"
    missing transit "Vault's transit engine could not be built"
  fi
}

if command -v node >"$work/which" && command -v npm >"$work/which"; then
  export TENON_QUICKSTART=$work/quickstart
  go build -o "$TENON_QUICKSTART" ./examples/quickstart
else
  for name in envelope jwt refresh oidc client browser; do
    eval "$name() { missing $name 'there is no node and npm'; }"
  done
fi
for name in ${*:-envelope jwt refresh oidc client browser rows transit}; do
  case $name in
    envelope | jwt | refresh | oidc | client | browser | rows | transit) "$name" ;;
    *) echo "conformance: there is no judge called $name" >&2; exit 2 ;;
  esac
done
exit "$failed"
