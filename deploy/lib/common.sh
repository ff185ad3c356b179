# What the scripts here share: words for people, missing packages, the way to Swift. Sourced, never run.

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo > /dev/null; then sudo "$@"; else
        die "these packages are missing and neither root nor sudo is at hand: run as root: $*"
    fi
}

# need_packages NAME…: installs the Debian packages that are missing.
need_packages() {
    local missing=() name
    command -v dpkg-query > /dev/null || {
        say "This is no Debian-like system; these packages (or their like) have to be there: $*"
        return 0
    }
    for name in "$@"; do
        [ "$(dpkg-query -W -f='${Status}' "$name" 2> /dev/null)" = "install ok installed" ] || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    step "Installing ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# What the build needs and what the scripts need.
build_packages=(libopenblas-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev)
script_packages=(curl jq ca-certificates)

# Swift 6.2 or later on the PATH, or the reason why not.
need_swift() {
    local candidate version
    if ! command -v swift > /dev/null; then
        for candidate in /opt/swift/usr/bin "$HOME/.local/share/swiftly/bin" /usr/local/swift/usr/bin; do
            if [ -x "$candidate/swift" ]; then PATH="$candidate:$PATH"; break; fi
        done
    fi
    command -v swift > /dev/null || die "Swift is not installed.
Spindle is built with Swift 6.3. On Debian 12 the official way is swiftly, or the toolchain archive for Debian 12:
see https://www.swift.org/install/linux/ . Afterwards 'swift --version' has to work in this shell; then run this again."
    version="$(swift --version 2> /dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)"
    case "$version" in
        6.[2-9] | 6.[1-9][0-9] | [7-9].* | [1-9][0-9].*) ;;
        *) die "Swift ${version:-of unknown version} is too old: Spindle needs 6.2 or later, see https://www.swift.org/install/linux/" ;;
    esac
}

# swift_build ARGUMENT…: a build that says little unless something is wrong; fails when the build fails.
swift_build() {
    swift build "$@" 2>&1 | { grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Emitting|Wrapping|Write|Linking|Copying)' || true; } >&2
}

# start_time PID: when the process started, in clock ticks since boot. With the pid it names one process for certain.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 20; }

# record_process FILE PID; is_recorded FILE: whether that very process still runs.
record_process() { printf '%s %s\n' "$2" "$(start_time "$2")" > "$1"; }
recorded_pid() { cut -d ' ' -f 1 "$1" 2> /dev/null; }
is_recorded() {
    local pid started
    [ -f "$1" ] || return 1
    read -r pid started < "$1" || return 1
    [ -n "$pid" ] && [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ]
}

# stop_recorded FILE SECONDS: ends the recorded process in order, and by force when it does not go.
stop_recorded() {
    local pid i
    is_recorded "$1" || { rm -f "$1"; return 1; }
    pid="$(recorded_pid "$1")"
    kill -TERM "$pid" 2> /dev/null
    for ((i = 0; i < $2 * 10; i++)); do
        is_recorded "$1" || { rm -f "$1"; return 0; }
        sleep 0.1
    done
    say "process $pid does not stop; ending it by force (nothing acknowledged is lost)"
    kill -KILL "$pid" 2> /dev/null
    rm -f "$1"
}

# wait_for_server URL SECONDS PIDFILE: until /readyz says yes, or the process is gone.
wait_for_server() {
    local i
    for ((i = 0; i < $2 * 20; i++)); do
        curl -fsS -o /dev/null --max-time 2 "$1/readyz" 2> /dev/null && return 0
        is_recorded "$3" || return 1
        sleep 0.05
    done
    return 1
}

# launch_server BINARY DATA LOG PIDFILE PORT [ARGUMENT…]: starts a server and sets server_url from its own words.
launch_server() {
    local binary="$1" data="$2" log="$3" pidfile="$4" port="$5" i
    shift 5
    : > "$log"
    setsid nohup "$binary" serve --data "$data" --port "$port" "$@" >> "$log" 2>&1 < /dev/null &
    record_process "$pidfile" $!
    for ((i = 0; i < 600; i++)); do
        server_url="$(sed -n 's/^listening on \(http[^ ]*\)$/\1/p' "$log" | head -n 1)"
        [ -n "$server_url" ] && wait_for_server "$server_url" 30 "$pidfile" && return 0
        is_recorded "$pidfile" || break
        sleep 0.05
    done
    say "the server did not start; its log says:"
    tail -n 20 "$log" >&2
    return 1
}
