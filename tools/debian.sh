# Sourced by the scripts beside it: packages from Debian, when root or sudo without a
# password can install them.  Nothing here asks a question or starts a service.

say() {
    echo "$*" >&2
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Debian's packages ask this program before they start a service; 101 means "not now".
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$@" >&2
}

install_debian() {
    command -v apt-get >/dev/null && as_root true || return 1
    say "installing from Debian: $*"
    forbid_services
    apt_install "$@" 2>/dev/null && return 0
    as_root apt-get update -qq >&2 && apt_install "$@"
}
