#!/usr/bin/env bash
# Starts the quickstart as a stranger does, makes the journey with curl, and asks it to stop.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || kill -KILL "$pid" 2>"$dir/kill" || true # gone, if all went well
  rm -rf "$dir"
}
trap finish EXIT

fail() {
  echo "smoke: $1"
  cat "$dir/log"
  exit 1
}

go build -o "$dir/quickstart" ./examples/quickstart
: >"$dir/log"
(cd "$dir" && exec ./quickstart -addr 127.0.0.1:0 >log 2>&1) &
pid=$!

base=
for _ in $(seq 300); do
  base=$(sed -n 's|^ *Start here *\(http://[^/]*\)/$|\1|p' "$dir/log")
  [ -z "$base" ] || break
  kill -0 "$pid" || fail "it ended"
  sleep 0.1
done
[ -n "$base" ] || fail "it did not say where it is"

# ask METHOD PATH [BODY]: the answer's body; a refusal fails.
ask() {
  local args=(--silent --show-error --fail-with-body --max-time 10 --cookie "$dir/jar" --cookie-jar "$dir/jar" -X "$1")
  [ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data "$3")
  curl "${args[@]}" "$base$2" || fail "$1 $2"
}

# want TEXT: fails unless it occurs in what was answered.
want() { grep -qF -- "$1" "$dir/answer" || fail "no $1 in: $(cat "$dir/answer")"; }

person='"email":"ada@example.com","password":"a mild winter evening"'
ask GET /api/auth/ok >"$dir/answer"
want '"ok":true'
ask GET / >"$dir/answer"
want '<form method="post" action="/sign-up">'
ask GET /api/auth/openapi.json >"$dir/answer"
want '"/sign-up/email"'
ask POST /api/auth/sign-up/email "{\"name\":\"Ada\",$person}" >"$dir/answer"
want '"emailVerified":false'
token=
for _ in $(seq 100); do
  ask GET /dev/mailbox.json >"$dir/mail"
  token=$(grep -o 'verify-email?token=[A-Za-z0-9_]*' "$dir/mail" | head -n 1 | cut -d= -f2) || true
  [ -z "$token" ] || break
  sleep 0.1
done
[ -n "$token" ] || fail "no mail came"
ask POST "/api/auth/verify-email?token=$token" '{}' >"$dir/answer"
want '"emailVerified":true'
ask POST /api/auth/sign-in/email "{$person}" >"$dir/answer"
want '"token":null'
ask GET /api/auth/get-session >"$dir/answer"
want '"email":"ada@example.com"'
ask GET / >"$dir/answer"
want 'Hello, Ada'
ask POST /api/auth/sign-out '{}' >"$dir/answer"
want '"success":true'
ask GET /api/auth/get-session >"$dir/answer"
[ "$(tr -d '\n' <"$dir/answer")" = null ] || fail "still signed in: $(cat "$dir/answer")"

[ "$(stat -c %a "$dir/tenon.keys")" = 600 ] || fail "the key file's mode is $(stat -c %a "$dir/tenon.keys")"
! grep -qF "$token" "$dir/log" || fail "a secret is in the log"

kill -TERM "$pid"
for _ in $(seq 100); do
  kill -0 "$pid" 2>"$dir/kill" || break
  sleep 0.1
done
kill -0 "$pid" 2>"$dir/kill" && fail "no exit within 10 s of SIGTERM"
code=0
wait "$pid" || code=$?
pid=
[ "$code" = 0 ] || fail "exit code $code after SIGTERM"
echo "smoke: the journey works, and SIGTERM ends it with 0"
