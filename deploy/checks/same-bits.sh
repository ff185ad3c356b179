#!/usr/bin/env bash
# One job, many ways to run it: debug and release build, one and two threads, AVX2 forced. The final checkpoint's SHA-256 has
# to be the same each time: a run's result depends on the spec, the data and the engine's version, on nothing else.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
cd "$repository"

work="$(mktemp -d)"
pidfile="$work/server.pid"
trap 'stop_recorded "$pidfile" 20 > /dev/null 2>&1 || true; rm -rf "$work"' EXIT

# digests BINARY THREADS [VARIABLE=VALUE]…: the final digests of both examples.
digests() {
    local binary="$1" threads="$2" data spec job answer
    shift 2
    data="$(mktemp -d -p "$work")"
    (
        for setting in "$@"; do export "${setting?}"; done
        launch_server "$binary" "$data" "$work/server.log" "$pidfile" 0 --threads "$threads" --public none && printf '%s' "$server_url" > "$work/url"
    ) || { cat "$work/server.log" >&2; return 1; }
    server_url="$(cat "$work/url")"
    curl -fsS -o /dev/null -H 'Content-Type: text/csv' -T deploy/examples/digits.csv "$server_url/v1/datasets/digits"
    for spec in digits flax-basics; do
        job="$(curl -fsS -H 'Content-Type: application/json' --data-binary "@deploy/examples/$spec.json" "$server_url/v1/jobs" | jq -r .id)"
        answer='{}'
        for _ in 1 2 3 4 5 6; do
            answer="$(curl -fsS --max-time 90 "$server_url/v1/jobs/$job?wait=30&until=terminal")"
            [ "$(printf '%s' "$answer" | jq -r '.finished_at != null')" = true ] && break
        done
        [ "$(printf '%s' "$answer" | jq -r .state)" = succeeded ] || { printf '%s' "$answer" | jq '{state, error}' >&2; return 1; }
        curl -fsS "$server_url/v1/jobs/$job/attempts" | jq -r '.data[-1].kernel_level' > "$work/kernels"
        curl -fsS "$server_url/v1/checkpoints/$(printf '%s' "$answer" | jq -r .checkpoint.id)" | jq -r .digest_hex
    done
    stop_recorded "$pidfile" 20 > /dev/null || true
}

release="$(swift build -c release --show-bin-path)/spindle"
debug="$(swift build --show-bin-path)/spindle"
[ -x "$release" ] || die "no release build: swift build -c release --product spindle"

expected=""
check() {
    local label="$1" found
    shift
    found="$(digests "$@")" || die "$label: the run failed"
    [ -n "$expected" ] || expected="$found"
    [ "$found" = "$expected" ] || die "$label gives other bits:
$found
expected
$expected"
    say "$label: the same ($(cat "$work/kernels") kernels)"
}

check "release, 1 thread" "$release" 1
check "release, 2 threads" "$release" 2
if "$release" help serve | grep -q -- --kernels; then
    check "release, AVX2 kernels" "$release" 1 SPINDLE_KERNELS=avx2
    [ "$(cat "$work/kernels")" = avx2 ] || die "SPINDLE_KERNELS=avx2 did not make the worker use the AVX2 kernels"
else
    say "AVX2 kernels: left out, because this server has no --kernels"
fi
if [ -x "$debug" ]; then check "debug, 2 threads" "$debug" 2; else say "no debug build here: left out"; fi
