#!/usr/bin/env bash
# From a clone to a trained model: installs what is missing, builds, starts a server on this machine, uploads the digits,
# trains, downloads the best checkpoint, and leaves the server running. Everything that talks to the server is curl.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
    cat << 'HELP'
deploy/quickstart.sh [--port N] [--data FOLDER] [--binary FILE]
deploy/quickstart.sh --stop [--data FOLDER]

Builds Spindle, starts it on 127.0.0.1, trains a classifier of handwritten digits over HTTP with curl, downloads its best
checkpoint, and leaves the server running. May be run again: it uses the server that is running already.

  --port N         the port; default 7070, or a free one when that is taken
  --data FOLDER    where everything is kept; default $SPINDLE_DATA, or ~/.local/share/spindle
  --binary FILE    use this spindle instead of building one
  --stop           end the server that this script started; the data stays
HELP
}

port=7070
data="${SPINDLE_DATA:-$HOME/.local/share/spindle}"
binary=""
stop=no
while [ $# -gt 0 ]; do
    case "$1" in
        --port | --data | --binary)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case "$1" in --port) port="$2" ;; --data) data="$2" ;; --binary) binary="$2" ;; esac
            shift 2 ;;
        --stop) stop=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) say "unknown option $1"; usage >&2; exit 2 ;;
    esac
done
mkdir -p "$data"
data="$(cd "$data" && pwd)"
pidfile="$data/quickstart.pid"
log="$data/server.log"

if [ "$stop" = yes ]; then
    if stop_recorded "$pidfile" 30; then say "The server is stopped. Its data is in $data"; else say "No server of this script is running with $data"; fi
    exit 0
fi

need_packages "${build_packages[@]}" "${script_packages[@]}"
cd "$repository"
if [ -z "$binary" ]; then
    need_swift
    step "Building (a few minutes the first time)"
    swift_build -c release --product spindle || die "the build failed; see the messages above"
    binary="$(swift build -c release --show-bin-path)/spindle"
fi
[ -x "$binary" ] || die "$binary was not built; see the messages above"

step "Starting the server"
if is_recorded "$pidfile" && server_url="$(sed -n 's/^listening on \(http[^ ]*\)$/\1/p' "$log" | head -n 1)" && [ -n "$server_url" ] && wait_for_server "$server_url" 5 "$pidfile"; then
    say "It runs already (process $(recorded_pid "$pidfile"))."
else
    if [ "$port" = 7070 ] && (exec 3<> /dev/tcp/127.0.0.1/7070) 2> /dev/null; then
        say "Port 7070 is taken by another program; taking a free one."
        port=0
    fi
    launch_server "$binary" "$data" "$log" "$pidfile" "$port" --public "$repository/Public" || exit 1
fi
say "$server_url, data in $data"
api="$server_url/v1"

# Sends a request; on an answer that is not 2xx says why, as the server put it.
request() {
    local answer status
    answer="$(curl -sS --max-time 90 -w '\n%{http_code}' "$@")" || die "the server does not answer; see $log"
    status="${answer##*$'\n'}"
    answer="${answer%$'\n'*}"
    case "$status" in
        2??) printf '%s' "$answer" ;;
        *)
            say "The server refused (HTTP $status):"
            printf '%s' "$answer" | jq -r '(.detail // .title), (.errors[]? | "  \(.pointer)  \(.detail)")' >&2 || printf '%s\n' "$answer" >&2
            exit 1 ;;
    esac
}

step "Uploading the digits"
request -H 'Content-Type: text/csv' -T deploy/examples/digits.csv "$api/datasets/digits" \
    | jq -r '"\(.name): \(.rows) rows, \(.columns | length) columns, \(.digest)"'

step "Submitting deploy/examples/digits.json"
key="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
job="$(request -H 'Content-Type: application/json' -H "Idempotency-Key: \"$key\"" --data-binary @deploy/examples/digits.json "$api/jobs" | jq -r .id)"
say "$job"

# One line: a bar with loss and accuracy. On a terminal it is redrawn in place.
show() {
    jq -r '
        def figure: if . == null then "–" elif type == "number" then (. * 10000 | round / 10000 | tostring) else . end;
        ((.progress.ratio // 0) * 30 | floor) as $full
        | "\(.state)  " + ("█" * $full // "") + ("░" * (30 - $full) // "")
        + "  \((.progress.ratio // 0) * 100 | floor) %  step \(.progress.step)/\(.progress.steps_total)"
        + "  loss \(.latest["train/loss"] | figure)  accuracy \(.latest["validation/accuracy"] | figure)"'
}
last=""
while :; do
    answer="$(request "$api/jobs/$job?wait=1&until=terminal")"
    line="$(printf '%s' "$answer" | show)"
    if [ -t 2 ]; then printf '\r\033[K%s' "$line" >&2; elif [ "$line" != "$last" ]; then say "$line"; fi
    last="$line"
    state="$(printf '%s' "$answer" | jq -r .state)"
    case "$state" in succeeded | failed | cancelled) break ;; esac
done
[ -t 2 ] && printf '\n' >&2
if [ "$state" != succeeded ]; then
    printf '%s' "$answer" | jq -r '"The job \(.state): \(.error.code // "") \(.error.detail // "")"' >&2
    exit 1
fi

step "Downloading the best checkpoint"
best="$(printf '%s' "$answer" | jq -r '.best.checkpoint // .checkpoint.id')"
mkdir -p "$data/downloads"
file="$data/downloads/digits.msgpack"
digest="$(request "$api/checkpoints/$best" | jq -r .digest_hex)"
curl -fsS --max-time 300 -o "$file" "$api/checkpoints/$best/content"
echo "$digest  $file" | sha256sum -c --quiet - || die "the checkpoint's SHA-256 is not the announced one"

printf '%s' "$answer" | jq -r '"\nvalidation accuracy  \(.latest["validation/accuracy"])\nbest                 \(.best.value) at step \(.best.step)\n"'
cat << END
checkpoint   $file (a Flax TrainState)
job          $server_url/#/jobs/$job
dashboard    $server_url/
data         $data
stop with    deploy/quickstart.sh --stop$([ "$data" = "$HOME/.local/share/spindle" ] || printf ' --data %q' "$data")
END
