# Shared by all scripts here: messages, the root of the checkout, privileges and ports. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=${0##*/}

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$program" "$*" >&2; }

# Ends the script with one line that says what is wrong and what to do about it.
die() {
    warn "$*"
    exit 1
}

# as_root PURPOSE BY_HAND COMMAND...: runs a command as root, directly or with sudo. If neither is possible, it prints why
# root is needed and what to run by hand instead.
as_root() {
    local purpose=$1 by_hand=$2
    shift 2
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        die "root is needed to $purpose, and there is no sudo: run as root: $by_hand"
    elif ! sudo -n true 2>/dev/null && ! [ -t 0 ]; then
        die "root is needed to $purpose, and sudo asks for a password: run in a terminal: sudo $by_hand"
    else
        sudo -v || die "root is needed to $purpose, and sudo refuses: run as root: $by_hand"
        sudo "$@"
    fi
}

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }

# Whether something listens on a TCP port of any local address. Reads /proc, so it needs no package.
port_is_used() {
    local hex
    printf -v hex '%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$hex" '$4 == "0A" { n = split($2, a, ":"); if (a[n] == port) found = 1 }
                            END { exit !found }'
}

# Sets the named variable to a free TCP port below 32768: the kernel takes no port from that range for an
# outgoing connection.
pick_port() {
    local -n port_r=$1
    local tries
    for tries in {1..100}; do
        port_r=$((10240 + SRANDOM % 22000))
        [[ " $picked_ports " == *" $port_r "* ]] && continue
        port_is_used "$port_r" && continue
        picked_ports+=" $port_r"
        return 0
    done
    die "no free TCP port found in 10240 to 32240: close what listens there"
}
picked_ports=""

# hex_secret BYTES: prints that many random bytes from the kernel, in hexadecimal.
hex_secret() { od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'; }
