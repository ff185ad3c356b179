#!/usr/bin/env bash
# Installs Spindle on this machine: the program, the dashboard, and the service (not started unless asked for).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
    cat << 'HELP'
deploy/install.sh [--prefix FOLDER] [--start] | --uninstall

Builds Spindle with the Swift runtime inside the program, and installs

  PREFIX/bin/spindle                       the program
  PREFIX/share/spindle/Public              the dashboard
  /etc/systemd/system/spindle.service      the service, when this system has systemd
  /etc/spindle/spindle.conf                its settings, left alone when they are there

  --prefix FOLDER   default /usr/local
  --start           enable and start the service
  --uninstall       remove the program, the dashboard and the service; data and settings stay
HELP
}

prefix=/usr/local
start=no
uninstall=no
while [ $# -gt 0 ]; do
    case "$1" in
        --prefix) [ $# -ge 2 ] || { usage >&2; exit 2; }; prefix="$2"; shift 2 ;;
        --start) start=yes; shift ;;
        --uninstall) uninstall=yes; shift ;;
        -h | --help) usage; exit 0 ;;
        *) say "unknown option $1"; usage >&2; exit 2 ;;
    esac
done
unit=/etc/systemd/system/spindle.service
has_systemd() { [ -d /run/systemd/system ]; }

if [ "$uninstall" = yes ]; then
    if has_systemd && [ -f "$unit" ]; then as_root systemctl disable --now spindle.service || true; fi
    as_root rm -rf "$prefix/bin/spindle" "$prefix/share/spindle" "$prefix/share/doc/spindle" "$unit"
    if has_systemd; then as_root systemctl daemon-reload; fi
    say "Spindle is removed. Its data is still in /var/lib/spindle, its settings in /etc/spindle."
    exit 0
fi

need_packages "${build_packages[@]}" "${script_packages[@]}"
need_swift
cd "$repository"
step "Building"
swift_build -c release --product spindle --static-swift-stdlib || die "the build failed; see the messages above"
binary="$(swift build -c release --static-swift-stdlib --show-bin-path)/spindle"
[ -x "$binary" ] || die "the build failed; see the messages above"

step "Installing to $prefix"
as_root install -D -m 755 "$binary" "$prefix/bin/spindle"
as_root rm -rf "$prefix/share/spindle/Public"
as_root mkdir -p "$prefix/share/spindle" "$prefix/share/doc/spindle"
as_root cp -R Public "$prefix/share/spindle/Public"
as_root chmod -R a+rX "$prefix/share/spindle"
as_root install -m 644 README.md LICENSE "$prefix/share/doc/spindle/"
"$prefix/bin/spindle" version > /dev/null || die "the installed program does not run"

if has_systemd; then
    sed "s#/usr/local/#$prefix/#g" deploy/systemd/spindle.service | as_root tee "$unit" > /dev/null
    as_root mkdir -p /etc/spindle
    [ -f /etc/spindle/spindle.conf ] || as_root install -m 644 deploy/systemd/spindle.conf.example /etc/spindle/spindle.conf
    as_root systemctl daemon-reload
    if [ "$start" = yes ]; then
        as_root systemctl enable spindle.service
        as_root systemctl restart spindle.service
        say "The service runs: http://127.0.0.1:7070/"
    else
        say "Start it with: systemctl enable --now spindle"
    fi
else
    say "This system has no systemd. Start the server with: $prefix/bin/spindle serve --data FOLDER"
fi
