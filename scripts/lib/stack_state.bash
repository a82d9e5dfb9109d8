# A whole stack: its data directory, its ports, and the saved options of its start. Sourced after services.bash.

new_state() {
    data=""
    shards=16
    parleyd=$root/build/release/src/parleyd
    parleyctl=""
    settings=()
    environment=()
    ports=auto
    edge=yes
    with_parleyd=yes
    init=yes
    http_port=0 https_port=0 admin_port=0 postgresql_port=0 pgbouncer_port=0
}

# name_databases N: sets the names, the first N of parley_a to parley_z.
name_databases() {
    local letters=({a..z})
    [[ $1 =~ ^[1-9][0-9]?$ ]] && [ "$1" -le "${#letters[@]}" ] ||
        die "--databases is '$1': give a number from 1 to ${#letters[@]}"
    databases=("${letters[@]:0:$1}")
    databases=("${databases[@]/#/parley_}")
}

kept_variables=(shards databases parleyd parleyctl settings environment ports edge with_parleyd init
    http_port https_port admin_port postgresql_port pgbouncer_port)

save_state() { (umask 077 && declare -p "${kept_variables[@]}" | sed 's/^declare /declare -g /' >"$data/run/state"); }

load_state() {
    [ -r "$data/run/state" ] || die "no stack was started in $data: start it first"
    . "$data/run/state"
}

# Creates the data directory if it is missing, and reports why one cannot be used.
open_data_directory() {
    # The path is part of connection strings and of the settings of four programs, and each quotes in its own way.
    [[ $data =~ ^[A-Za-z0-9_./+,@-]+$ ]] ||
        die "the data directory's path '$data' has characters other than letters, digits and _./+,@-: set PARLEY_DATA_DIR to another place"
    if [ -e "$data" ] && ! [ -d "$data" ]; then
        die "$data is not a directory: move it away, or set PARLEY_DATA_DIR to another place"
    fi
    if ! [ -d "$data" ] && ! mkdir -p "$data" 2>/dev/null; then
        die "cannot make the data directory $data: make it and give it to $(id -un), or set PARLEY_DATA_DIR to another place"
    fi
    [ -O "$data" ] ||
        die "the data directory $data belongs to $(stat -c %U "$data") and this runs as $(id -un): set PARLEY_DATA_DIR to another place, run as $(stat -c %U "$data"), or remove it if nothing in it is needed"
    chmod u=rwx,go+x "$data"
    mkdir -p "$data/log" "$data/run" "$data/secrets" "$data/tls" ||
        die "cannot write in the data directory $data: see whether its disk is full or read-only"
    chmod 700 "$data/secrets" "$data/log" "$data/run"
}

# Allows one command at a time. The lock is on descriptor 9, which no service inherits.
lock_data_directory() {
    exec 9>"$data/run/lock"
    flock -n 9 || flock -w "${lock_wait-60}" 9 ||
        die "another process works on $data (quickstart, or a stack command): stop it first, or set PARLEY_DATA_DIR to another place"
}

# Chooses the ports: the outer ones as given or free ones, the inner ones always free ones. A running service keeps its port.
choose_ports() {
    if [ "$ports" = given ]; then
        claim_given_ports
    else
        keep_or_pick http_port parleyd
        keep_or_pick https_port haproxy
        keep_or_pick admin_port parleyd
    fi
    keep_or_pick postgresql_port postgresql
    keep_or_pick pgbouncer_port pgbouncer
}

claim_given_ports() {
    claim_port http_port "${PARLEY_HTTP_PORT:-8080}" PARLEY_HTTP_PORT parleyd
    claim_port https_port "${PARLEY_HTTPS_PORT:-8443}" PARLEY_HTTPS_PORT haproxy
    claim_port admin_port "${PARLEY_ADMIN_PORT:-8081}" PARLEY_ADMIN_PORT parleyd
    [ "$http_port" != "$https_port" ] && [ "$http_port" != "$admin_port" ] && [ "$https_port" != "$admin_port" ] ||
        die "PARLEY_HTTP_PORT, PARLEY_HTTPS_PORT and PARLEY_ADMIN_PORT must differ: they are $http_port, $https_port, $admin_port"
}

# claim_port VARIABLE PORT NAME SERVICE
claim_port() {
    local -n claimed_r=$1
    is_port "$2" || die "$3 is '$2': set it to a number from 1 to 65535"
    claimed_r=$2
    if [ "$(id -u)" != 0 ] && [ "$2" -lt "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" ]; then
        die "only root may use port $2: set $3 to a port from $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) on"
    fi
    picked_ports+=" $2"
    if ! is_running "$4" && port_is_used "$2"; then
        die "port $2 is in use: stop what listens there, or set $3 to another port"
    fi
}

keep_or_pick() {
    local -n kept_r=$1
    if [ "$kept_r" = 0 ] || { ! is_running "$2" && port_is_used "$kept_r"; }; then
        pick_port "$1"
    fi
}

start_all() {
    local kept
    if [ -r "$data/run/state" ]; then
        # Options that this call does not give stay as they were: above all the ports, and the databases, which are created once.
        kept=$(grep -E '^declare -g (-- (http|https|admin|postgresql|pgbouncer)_port|-a databases)=' "$data/run/state")
        eval "$kept"
    fi
    [ -n "$parleyctl" ] || parleyctl=${parleyd%/*}/parleyctl
    choose_ports
    bound_logs
    start_service postgresql
    create_databases
    start_service pgbouncer
    prepare_parleyd
    if [ "$init" = yes ]; then
        initialise_schemas
    fi
    if [ "$with_parleyd" = yes ]; then
        start_service parleyd
    fi
    if [ "$edge" = yes ]; then
        # The edge starts last, and another program may have taken its port since it was chosen.
        [ "$ports" = given ] || keep_or_pick https_port haproxy
        start_service haproxy
    fi
    write_stack_env
}

stop_all() {
    local service
    # parleyd first: the edge still passes on its last answers.
    for service in parleyd haproxy pgbouncer postgresql; do
        stop_service "$service"
    done
    # Before the first start `sockets` may not be set (choose_base).
    if [ -n "${sockets-}" ] && [ "$sockets" != "$base/sockets" ]; then
        rm -rf "$sockets"
    fi
}

remove_data() {
    rm -rf "$sockets"
    [ "$base" = "$data" ] || rm -rf "$base"
    rm -rf "$data"
}

# Writes DIR/stack.env: lines NAME='value', for a shell and for Python's shlex.
write_stack_env() {
    local name
    {
        printf "PARLEY_URL='http://127.0.0.1:%s'\n" "$http_port"
        printf "PARLEY_HTTPS_URL='https://localhost:%s'\n" "$https_port"
        printf "PARLEY_CA='%s'\n" "$data/tls/server.crt"
        printf "PARLEY_ADMIN_URL='http://127.0.0.1:%s'\n" "$admin_port"
        printf "PARLEY_JWT_KEY='%s'\n" "$data/jwt.key"
        printf "PARLEY_CONFIG='%s'\n" "$data/parley.ini"
        printf "PARLEYD='%s'\nPARLEYCTL='%s'\n" "$parleyd" "$parleyctl"
        printf "PARLEY_DATABASES='%s'\n" "${databases[*]}"
        printf "PARLEY_SUPERUSER_DSN='%s'\n" "$(dsn postgres postgres)"
        printf "PARLEY_POSTGRESQL_PORT='%s'\nPARLEY_PGBOUNCER_PORT='%s'\n" "$postgresql_port" "$pgbouncer_port"
        for name in "${databases[@]}"; do
            printf "%s_DSN='%s'\n" "${name^^}" "$(dsn parley_server "$name" pooled)"
            printf "%s_DIRECT_DSN='%s'\n" "${name^^}" "$(dsn parley_server "$name")"
            printf "%s_OWNER_DSN='%s'\n" "${name^^}" "$(dsn parley_owner "$name")"
            printf "%s_SUPERUSER_DSN='%s'\n" "${name^^}" "$(dsn postgres "$name")"
        done
        for name in "${all_services[@]}"; do
            is_running "$name" && printf "%s_PID='%s'\n" "${name^^}" "$(pid_of "$name")"
        done
    } >"$data/stack.env.new"
    chmod 600 "$data/stack.env.new"
    mv "$data/stack.env.new" "$data/stack.env"
}
