#!/usr/bin/env bash
# Every check of the project: format, build, tests, the same bits in every build, and with --interop real Flax as the judge.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
    cat << 'HELP'
deploy/test.sh [--interop [--examples]] [--quick] [--only NAME]…

  --interop     also run deploy/interop against a real server: makes a Python environment with flax, optax and jax under
                .build/interop (needs PyPI and python3-venv) and lets real Flax restore what Spindle trained
  --examples    with interop: Flax trains every example spec as well, not only the quick ones (a quarter of an hour)
  --quick       format and debug tests only
  --only NAME   one of format, test, release, interop; may be repeated

The order: format (swift format lint), test (swift test, debug), release (the same tests in release, the release build, and
the same bits from debug and release, one and two threads, AVX2 and AVX-512), interop.
HELP
}

interop=no
examples=()
quick=no
only=()
while [ $# -gt 0 ]; do
    case "$1" in
        --interop) interop=yes; shift ;;
        --examples) interop=yes; examples=(--examples); shift ;;
        --quick) quick=yes; shift ;;
        --only) [ $# -ge 2 ] || { usage >&2; exit 2; }; only+=("$2"); shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) say "unknown option $1"; usage >&2; exit 2 ;;
    esac
done
wanted() {
    local name
    if [ ${#only[@]} -gt 0 ]; then
        for name in "${only[@]}"; do [ "$name" = "$1" ] && return 0; done
        return 1
    fi
    case "$1" in
        release) [ "$quick" = no ] ;;
        interop) [ "$interop" = yes ] ;;
        *) return 0 ;;
    esac
}

need_packages "${build_packages[@]}" "${script_packages[@]}"
need_swift
cd "$repository"
mkdir -p .build
summary=()
closing=""

if wanted format; then
    step "Format"
    swift format lint --strict --parallel --recursive Package.swift Sources Tests
    for script in deploy/*.sh deploy/lib/*.sh deploy/checks/*.sh .ci/run; do bash -n "$script"; done
    summary+=("format: passed")
fi

# The engine's tests keep every core busy for a minute; the server's have deadlines of seconds. So they run one after the other.
compute_tests='^(TensorEngine|Linen|Optax|Serialization|Parity|Datasets|JobSpec|Training|Style)Tests\.'

# run_tests LOG [OPTION]…: both groups; closes with the sum of the tests that ran.
run_tests() {
    local log="$1" status=0 group
    shift
    : > "$log"
    for group in --filter --skip; do
        timeout --kill-after=30 1200 swift test --skip-build "$@" "$group" "$compute_tests" >> "$log" 2>&1 || status=$?
    done
    closing="$(grep -E '^. Test run with' "$log" | sed -E 's/.*with ([0-9]+) tests? in ([0-9]+) suites?.*/\1 \2/' |
        awk '{ tests += $1; suites += $2 } END { print "Test run with " tests " tests in " suites " suites" }')"
    if [ $status -ne 0 ]; then
        grep -E '✘|error:|failed|Fatal|crashed|recorded an issue' "$log" | head -n 60 >&2 || true
        tail -n 15 "$log" >&2
        [ $status -eq 124 ] && die "the tests did not end within 20 minutes"
        die "swift test failed; everything it said is in $log"
    fi
    closing="$closing passed"
    say "$closing"
}

if wanted test; then
    step "Debug build, warnings are errors"
    swift_build --build-tests || die "the build failed; see the messages above"
    step "Tests"
    run_tests .build/swift-test.log
    summary+=("tests: passed")
fi

if wanted release; then
    # The optimizer has bugs of its own: what holds in debug is not known to hold in release.
    step "Tests in release"
    optimized=(-c release -Xswiftc -enable-testing --scratch-path .build/release-tests)
    swift_build "${optimized[@]}" --build-tests || die "the build failed; see the messages above"
    debug_closing="$closing"
    run_tests .build/swift-test-release.log "${optimized[@]}"
    closing="${debug_closing:-$closing}"
    summary+=("tests in release: passed")
    step "Release build"
    swift_build -c release --product spindle || die "the build failed; see the messages above"
    step "The same bits from every build"
    deploy/checks/same-bits.sh
    summary+=("same bits: passed")
fi

if wanted interop; then
    step "Interop: real Flax"
    deploy/interop/run.sh ${examples[@]+"${examples[@]}"}
    summary+=("interop: passed")
fi

step "Summary"
printf '%s\n' "${summary[@]}"
[ -z "$closing" ] || printf '%s\n' "$closing"
