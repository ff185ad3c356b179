#!/usr/bin/env bash
# Lets real Flax, Optax and JAX judge what Spindle trained, and real TensorFlow, TF Lite and onnxruntime what it exports. The Python environment is kept under .build/interop.
# With --examples, Flax also trains every example spec (a quarter of an hour); without, the two quick ones.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
cd "$repository"

examples=()
case "${1:-}" in
    "") ;;
    --examples) examples=(all) ;;
    *) die "unknown option $1; there is --examples" ;;
esac

environment="$repository/.build/interop"
stamp="$environment/ready-$(sha256sum deploy/interop/requirements.txt | cut -c 1-16)"
if [ ! -f "$stamp" ]; then
    step "Making a Python environment with flax, optax, jax, tensorflow and onnxruntime"
    command -v python3 > /dev/null || need_packages python3 python3-venv
    rm -rf "$environment"
    python3 -m venv "$environment" 2> /dev/null || { need_packages python3-venv; python3 -m venv "$environment"; }
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r deploy/interop/requirements.txt
    touch "$stamp"
fi

binary="${SPINDLE_BINARY:-$(swift build -c release --show-bin-path)/spindle}"
[ -x "$binary" ] || binary="$(swift build --show-bin-path)/spindle"
[ -x "$binary" ] || die "no spindle is built: swift build -c release --product spindle"
work="$(mktemp -d)"
pidfile="$work/server.pid"
trap 'stop_recorded "$pidfile" 20 > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
# The tests write what they export, with inputs and outputs.
say "-- exports of graphs, StableHLO of every primitive"
SPINDLE_GRAPH_EXPORTS="$work/graphs" SPINDLE_STABLEHLO_CASES="$work/stablehlo" \
    swift test --filter 'GraphExportTests|StableHLO' > "$work/exports.log" 2>&1 \
    || { tail -n 40 "$work/exports.log"; die "the exports could not be written"; }

launch_server "$binary" "$work/data" "$work/server.log" "$pidfile" 0 --public none || exit 1

export JAX_PLATFORMS=cpu
for script in deploy/interop/[!_]*.py; do
    say "-- $(basename "$script")"
    limit=600 names=()
    case "$script" in
        */graphs.py) subject="$work/graphs" ;;
        */stablehlo.py) subject="$work/stablehlo" limit=900 ;;
        */examples.py) subject="$server_url" names=(${examples[@]+"${examples[@]}"}) limit=3600 ;;
        *) subject="$server_url" ;;
    esac
    timeout "$limit" "$environment/bin/python" "$script" "$subject" ${names[@]+"${names[@]}"}
done
