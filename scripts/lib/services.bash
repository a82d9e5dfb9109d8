# Prepares, starts and stops the processes of a private Parley in one data directory.
# Sourced after common.bash.
#
# $data/              parley.ini, parleyctl.ini, jwt.key, stack.env, tls/, and in secrets/ the generated passwords
# $data/log/NAME.log  the service's output; the edge's requests are in access.log; $data/run/NAME.pid  its process id, removed by an orderly stop
# $base/              files of PostgreSQL and PgBouncer; $base is $data if possible (see choose_base)
#
# The caller sets the variables that new_state (stack_state.bash) lists.

pg_bin=/usr/lib/postgresql/15/bin
all_services=(postgresql pgbouncer parleyd haproxy)
databases=(parley_a parley_b)

# PostgreSQL and PgBouncer refuse to run as root, and HAProxy does not need root. If root starts them, each runs as the
# user that its Debian package created. parleyd becomes the user `parley` by itself ([server] user).
service_user() {
    case $1 in
    postgresql | pgbouncer) echo postgres ;;
    haproxy) echo haproxy ;;
    *) id -un ;;
    esac
}

# exec_as USER COMMAND...: replaces this shell by the command, so the process keeps its id.
# If `end_signal` is set, the kernel sends that signal to the command when this shell's parent ends.
exec_as() {
    local user=$1 options=()
    shift
    [ -n "${end_signal-}" ] && options+=(--pdeathsig "$end_signal")
    if [ "$(id -u)" = 0 ] && [ "$user" != root ]; then
        options+=(--reuid "$user" --regid "$(id -gn "$user")" --init-groups --inh-caps=-all)
    fi
    if [ ${#options[@]} -gt 0 ]; then
        exec setpriv "${options[@]}" -- "$@"
    fi
    exec "$@"
}

run_as() { (exec_as "$@"); }

# Sets `base`, the directory for the files of PostgreSQL, PgBouncer and HAProxy. It is the data directory, with one exception: if
# root runs this and a directory above is closed to those users (as /root is), it is a directory in /var/lib/parley, and the link
# `base` in the data directory leads to it. A socket's path has at most 107 bytes, so the sockets of a deep directory are in /tmp.
choose_base() {
    base=$data
    # Before the packages are installed no service can run, and the users that own the files do not exist.
    id postgres >/dev/null 2>&1 || return 0
    if [ -L "$data/base" ]; then
        base=$(readlink "$data/base")
        [ -d "$base" ] || die "$base, which $data/base leads to, is gone: put it back from a copy, or move $data away to start from nothing"
    elif [ "$(id -u)" = 0 ] && ! run_as postgres test -x "$data"; then
        [ -d "$data/postgresql" ] && die "a directory above $data is closed to the user postgres: open it (chmod o+x)"
        mkdir -p /var/lib/parley
        chmod 711 /var/lib/parley
        base=$(mktemp -d /var/lib/parley/XXXXXXXX)
        chmod 711 "$base"
        ln -s "$base" "$data/base"
    fi
    sockets=$base/sockets
    if [ ${#sockets} -gt 70 ]; then
        sockets=/tmp/parley-sockets-$(printf '%s' "$base" | sha256sum | cut -c1-12)
    fi
}

# Open to the users of the other services; PostgreSQL and PgBouncer ask each for a password.
make_sockets() {
    [ -d "$sockets" ] || mkdir "$sockets" || die "cannot make $sockets: remove what is there"
    chmod 711 "$sockets"
    own "$sockets" postgres
}

# own PATH USER: gives the path to the service's user if root runs this.
own() {
    if [ "$(id -u)" = 0 ]; then
        chown -R "$2": "$1"
    fi
}

# secret NAME: prints the saved password of that name; creates it at its first use.
secret() {
    local file=$data/secrets/$1
    [ -s "$file" ] || (umask 077 && hex_secret 16 >"$file")
    cat "$file"
}

# dsn ROLE DATABASE [pooled]
dsn() {
    local port=$postgresql_port
    [ "${3-}" = pooled ] && port=$pgbouncer_port
    printf 'host=%s port=%s dbname=%s user=%s password=%s' "$sockets" "$port" "$2" "$1" "$(secret "$1")"
}

# Runs the SQL on standard input. A command line can be read by every user of the machine, so no password is on it.
as_superuser() { # DATABASE [psql's arguments]
    local passfile=$data/secrets/passfile
    (umask 077 && printf '*:*:*:postgres:%s\n' "$(secret postgres)" >"$passfile")
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 \
        -d "host=$sockets port=$postgresql_port dbname=$1 user=postgres passfile=$passfile" "${@:2}"
}

# --- processes ---

pid_of() { cat "$data/run/$1.pid" 2>/dev/null; }

# A pid file can outlive its process, and another process can get the number. So the command line is compared, too.
is_running() {
    local pid
    pid=$(pid_of "$1") && [ -n "$pid" ] && [ -e "/proc/$pid" ] || return 1
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null || return 1
    { tr "\0" " " <"/proc/$pid/cmdline" | grep -qF -- "$(service_mark "$1")"; } 2>/dev/null
}

# Prints what identifies the command line of a service.
service_mark() {
    case $1 in
    postgresql) echo "-D $base/postgresql" ;;
    pgbouncer) echo "$base/pgbouncer/pgbouncer.ini" ;;
    haproxy) echo "$base/haproxy/haproxy.cfg" ;;
    parleyd) echo "$data/parley.ini" ;;
    esac
}

service_command() {
    case $1 in
    postgresql) command=("$pg_bin/postgres" -D "$base/postgresql") ;;
    pgbouncer) command=(/usr/sbin/pgbouncer "$base/pgbouncer/pgbouncer.ini") ;;
    haproxy) command=(/usr/sbin/haproxy -db -f "$base/haproxy/haproxy.cfg") ;;
    parleyd) command=(env "${environment[@]}" "$parleyd" -c "$data/parley.ini") ;;
    esac
}

# Prints the signal for an orderly stop. For PostgreSQL INT is the fast shutdown; TERM would wait for the sessions to end.
stop_signal() {
    if [ "$1" = postgresql ]; then
        echo INT
    else
        echo TERM
    fi
}

# spawn SERVICE: starts the process in a session of its own, so that Ctrl-C reaches only the caller.
# Under a supervisor (`supervised` is set) the process ends when the supervisor is killed.
spawn() {
    local command end_signal=""
    service_command "$1"
    [ -n "${supervised-}" ] && end_signal=$(stop_signal "$1")
    (
        exec </dev/null >>"$data/log/$1.log" 2>&1
        cd "$base" || exit 1
        exec 9>&-
        # HAProxy takes O_APPEND from the files that it logs to, which bound_logs needs; a pipe and cat have no such trouble.
        [ "$1" = haproxy ] && export_edge_settings && exec > >(exec setsid cat >>"$data/log/access.log")
        exec_as "$(service_user "$1")" setsid "${command[@]}"
    ) &
    spawned_pid=$!
    disown # the supervisor reports its end, not bash
    # Written in one step, because it may be read at any moment.
    printf '%s\n' "$spawned_pid" >"$data/run/$1.pid.new"
    mv "$data/run/$1.pid.new" "$data/run/$1.pid"
}

# start_service SERVICE: returns when the service answers; ends the script with the reason if it does not.
start_service() {
    is_running "$1" && return 0
    "prepare_$1"
    spawn "$1"
    local tries limit=300
    for ((tries = 0; tries < limit; tries++)); do
        if ! [ -e "/proc/$spawned_pid" ] || grep -q '^State:[[:space:]]*Z' "/proc/$spawned_pid/status"; then
            break
        fi
        "${1}_answers" && return 0
        sleep 0.1
    done
    die "$1 does not start: $(last_words "$1") (all of it: $data/log/$1.log)"
}

# Empties each log that has become too large, and keeps its content as NAME.log.1. The services append, so they go on at the
# beginning. A line that is written between the two is lost.
bound_logs() {
    local log
    find "$data/log" -name '*.log' -size "+${PARLEY_LOG_BYTES:-16777216}c" | while IFS= read -r log; do
        cp "$log" "$log.1" && : >"$log"
    done
}

last_words() {
    grep -E 'FATAL|PANIC|ERROR|ALERT|"level":"(error|fatal)"' "$data/log/$1.log" | tail -n 1 | cut -c1-300
}

# stop_service SERVICE: sends the signal for an orderly stop, and kills the service after 20 s.
stop_service() {
    local pid tries
    if is_running "$1"; then
        pid=$(pid_of "$1")
        kill -"$(stop_signal "$1")" "$pid" 2>/dev/null
        for ((tries = 0; tries < 400; tries++)); do
            is_running "$1" || break
            sleep 0.05
        done
        if is_running "$1"; then
            warn "$1 did not stop within 20 s: killing it"
            kill -KILL "$pid" 2>/dev/null
        fi
    fi
    rm -f "$data/run/$1.pid"
}

# --- PostgreSQL ---

prepare_postgresql() {
    local pgdata=$base/postgresql
    check_cluster "$pgdata"
    if ! [ -d "$pgdata" ]; then
        create_cluster "$pgdata"
    fi
    make_sockets
    wait_for_orphans "$pgdata"
    cp "$root/conf/postgresql.conf" "$pgdata/parley.conf"
    cat >"$pgdata/instance.conf" <<END
listen_addresses = '127.0.0.1'
port = $postgresql_port
unix_socket_directories = '$sockets'
END
    own "$pgdata/parley.conf" postgres
    own "$pgdata/instance.conf" postgres
}

check_cluster() {
    [ -e "$1" ] || return 0
    [ -r "$1/PG_VERSION" ] ||
        die "$1 is not a PostgreSQL cluster (no PG_VERSION): put it back from a copy, or move $data away to start from nothing"
    [ "$(cat "$1/PG_VERSION")" = 15 ] ||
        die "$1 is of PostgreSQL $(cat "$1/PG_VERSION"), this needs 15: upgrade it, or move $data away to start from nothing"
    [ "$(stat -c %U "$1")" = "$(database_user)" ] ||
        die "$1 belongs to $(stat -c %U "$1"), not to $(database_user): run this as the user who made it, or set PARLEY_DATA_DIR to another directory"
}

database_user() {
    if [ "$(id -u)" = 0 ]; then
        echo postgres
    else
        id -un
    fi
}

# It has another name until it is complete, so that an interrupted start leaves no incomplete cluster.
create_cluster() {
    local new=$1.new password=$base/superuser-password
    rm -rf "$new"
    mkdir "$new"
    (umask 077 && secret postgres >"$password")
    own "$new" postgres
    own "$password" postgres
    run_as "$(database_user)" "$pg_bin/initdb" -D "$new" -U postgres --pwfile="$password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >>"$data/log/postgresql.log" 2>&1 ||
        die "initdb failed: $(tail -n 1 "$data/log/postgresql.log") (all of it: $data/log/postgresql.log)"
    rm -f "$password"
    printf "include 'parley.conf'\ninclude 'instance.conf'\n" >>"$new/postgresql.conf"
    mv "$new" "$1"
}

# After a kill -9 of the postmaster its children end by themselves; PostgreSQL does not start before that.
# After that, the old lock file must go: if its number now belongs to another process (or a zombie), PostgreSQL would never start.
wait_for_orphans() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        if [ -z "$(processes_in "$1")" ]; then
            rm -f "$1/postmaster.pid" "$sockets/.s.PGSQL.$postgresql_port"*
            return 0
        fi
        sleep 0.1
    done
    die "$1 is in use by process $(processes_in "$1" | head -n 1): stop that PostgreSQL first"
}

# Prints the processes whose working directory is the path. Every process of a PostgreSQL cluster has its directory.
processes_in() {
    local link
    for link in /proc/[0-9]*/cwd; do
        if [ "$(readlink "$link" 2>/dev/null)" = "$1" ]; then
            link=${link#/proc/}
            printf '%s\n' "${link%/cwd}"
        fi
    done
}

postgresql_answers() { "$pg_bin/pg_isready" -q -h "$sockets" -p "$postgresql_port"; }

# Creates the roles and databases once. Everything inside them is created by parleyctl.
create_databases() {
    [ -e "$data/run/databases-created" ] && return 0
    say "creating the databases"
    local name
    {
        printf "\\\\set owner '%s'\n\\\\set server '%s'\n" "$(secret parley_owner)" "$(secret parley_server)"
        cat "$root/scripts/lib/roles.sql"
    } | as_superuser postgres >/dev/null
    for name in "${databases[@]}"; do
        as_superuser postgres -v name="$name" >/dev/null <<'END'
SELECT format('CREATE DATABASE %I OWNER parley_owner TEMPLATE template0', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO parley_server;
END
    done
    touch "$data/run/databases-created"
}

# --- PgBouncer ---

prepare_pgbouncer() {
    local dir=$base/pgbouncer name
    make_sockets
    mkdir -p "$dir"
    {
        cat "$root/conf/pgbouncer.ini"
        printf 'listen_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir = %s\n' "$pgbouncer_port" "$sockets"
        printf 'auth_file = %s\n[databases]\n' "$dir/userlist.txt"
        for name in "${databases[@]}"; do
            printf '%s = host=%s port=%s dbname=%s\n' "$name" "$sockets" "$postgresql_port" "$name"
        done
    } >"$dir/pgbouncer.ini"
    (umask 077 && printf '"parley_server" "%s"\n' "$(secret parley_server)" >"$dir/userlist.txt")
    own "$dir" postgres
    # PgBouncer would take the socket of a killed process for one in use.
    rm -f "$sockets/.s.PGSQL.$pgbouncer_port"
}

pgbouncer_answers() { "$pg_bin/pg_isready" -q -h "$sockets" -p "$pgbouncer_port" -d "${databases[0]}" -U parley_server; }

# --- parleyd and parleyctl ---

# Writes parley.ini and parleyctl.ini: the settings of this stack, then the caller's `settings` ("section.key=value", the last
# one wins). A section's name can have a space ("database parley_a"); a key cannot have a dot.
write_configuration() {
    local -A value=()
    local order=() setting name
    for setting in "${stack_settings[@]}" "${settings[@]}"; do
        name=${setting%%=*}
        [[ $setting == *=* && $name == *.* ]] || die "--set takes section.key=value, not '$setting'"
        [ -v "value[$name]" ] || order+=("$name")
        value[$name]=${setting#*=}
    done
    (
        umask 077
        write_sections server >"$data/parley.ini"
        write_sections owner >"$data/parleyctl.ini"
    )
}

# write_sections server|owner: prints the settings of that file. The owner's DSNs are the ones that only parleyctl reads.
write_sections() {
    local section name keys=()
    for name in "${order[@]}"; do
        case $1-${name##*.} in
        server-owner_dsn) ;;
        server-* | owner-owner_dsn) keys+=("$name") ;;
        esac
    done
    for name in "${keys[@]}"; do
        printf '%s\n' "${name%.*}"
    done | awk '!seen[$0]++' | while IFS= read -r section; do
        printf '[%s]\n' "$section"
        for name in "${keys[@]}"; do
            [ "${name%.*}" = "$section" ] && printf '%s=%s\n' "${name##*.}" "${value[$name]}"
        done
    done
}

collect_stack_settings() {
    local name
    stack_settings=(
        "server.listen_address=127.0.0.1"
        "server.http_port=$http_port"
        "server.admin_address=127.0.0.1"
        "server.admin_port=$admin_port"
        "directory.dsn=$(dsn parley_server "${databases[0]}")"
        "directory.owner_dsn=$(dsn parley_owner "${databases[0]}")"
        "auth.jwt_key_file=$base/parleyd/jwt.key"
    )
    if [ "$(id -u)" = 0 ]; then
        stack_settings+=("server.user=parley")
    fi
    for name in "${databases[@]}"; do
        stack_settings+=(
            "database $name.dsn=$(dsn parley_server "$name" pooled)"
            "database $name.direct_dsn=$(dsn parley_server "$name")"
            "database $name.owner_dsn=$(dsn parley_owner "$name")"
        )
    done
}

# The system user that parleyd becomes if root starts it. Two stacks may start at the same time.
make_parley_user() {
    [ "$(id -u)" = 0 ] || return 0
    local tries
    for tries in {1..50}; do
        id parley >/dev/null 2>&1 && return 0
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin parley >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    die "cannot create the system user parley: run useradd --system parley, which says why"
}

prepare_parleyd() {
    local dir=$base/parleyd
    make_parley_user
    [ -s "$data/jwt.key" ] || (umask 077 && hex_secret 32 >"$data/jwt.key")
    # A copy for parleyd's user, which may not enter every directory above the other.
    mkdir -p "$dir"
    (umask 077 && cp "$data/jwt.key" "$dir/jwt.key")
    own "$dir" parley
    collect_stack_settings
    write_configuration
}

parleyd_answers() { curl -fs -o /dev/null --max-time 2 "http://127.0.0.1:$admin_port/readyz"; }

# Creates the schemas at the first start, and migrates them to this checkout's version at later ones.
initialise_schemas() {
    local log=$data/log/parleyctl.log subcommand=(migrate up)
    if ! [ -e "$data/run/initialised" ]; then
        local IFS=,
        subcommand=(init --shards "$shards" --databases "${databases[*]}")
        unset IFS
    fi
    "$parleyctl" -c "$data/parley.ini" "${subcommand[@]}" >>"$log" 2>&1 ||
        die "parleyctl ${subcommand[*]} failed: $(tail -n 1 "$log") (all of it: $log)"
    touch "$data/run/initialised"
}

# --- HAProxy ---

prepare_haproxy() {
    local dir=$base/haproxy
    mkdir -p "$dir"
    make_certificate
    # Only HAProxy's user may read the key.
    (umask 077 && cat "$data/tls/server.crt" "$data/tls/server.key" >"$dir/server.pem")
    cp "$root/conf/haproxy.cfg" "$dir/haproxy.cfg"
    own "$dir" haproxy
}

# A self-signed certificate for this machine, renewed in its last week.
make_certificate() {
    local dir=$data/tls
    mkdir -p "$dir"
    if ! openssl x509 -checkend 604800 -noout -in "$dir/server.crt" >/dev/null 2>&1; then
        (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -keyout "$dir/server.key" -out "$dir/server.crt" -days 365 -subj /CN=localhost \
            -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 2>>"$data/log/haproxy.log") ||
            die "openssl could not make a certificate: $(tail -n 1 "$data/log/haproxy.log")"
        chmod 644 "$dir/server.crt"
    fi
}

# Sets the environment that conf/haproxy.cfg reads. Settings that are missing here have the defaults of that file.
export_edge_settings() {
    local files connections
    export PARLEY_EDGE_BIND=${PARLEY_EDGE_ADDRESS:-127.0.0.1}:$https_port
    export PARLEY_EDGE_CERTIFICATE=$base/haproxy/server.pem
    export PARLEY_EDGE_SERVER=127.0.0.1:$http_port
    # Each connection takes two descriptors. HAProxy does not start if the limit of open files is too low.
    files=$(ulimit -Hn)
    [ "$files" = unlimited ] && files=1048576
    connections=$(((files - 200) / 2))
    [ "$connections" -gt 20000 ] && connections=20000
    export PARLEY_EDGE_MAXCONN=${PARLEY_EDGE_MAXCONN:-$connections}
    # Shares of it, as in conf/haproxy.cfg.
    export PARLEY_EDGE_STREAMS=${PARLEY_EDGE_STREAMS:-$((PARLEY_EDGE_MAXCONN * 70 / 100))}
    export PARLEY_EDGE_REQUESTS=${PARLEY_EDGE_REQUESTS:-$((PARLEY_EDGE_MAXCONN * 25 / 100))}
    export PARLEY_EDGE_LARGE_REQUESTS=${PARLEY_EDGE_LARGE_REQUESTS:-$(((PARLEY_EDGE_MAXCONN + 39) / 40))}
}

# Compares the certificate, because another program may listen on the port.
haproxy_answers() {
    local address=${PARLEY_EDGE_ADDRESS:-127.0.0.1}
    [ "$address" = '*' ] && address=127.0.0.1
    [[ $address == *:* ]] && address="[$address]"
    curl -s -o /dev/null --max-time 2 --cacert "$data/tls/server.crt" \
        --connect-to "localhost:$https_port:$address:$https_port" "https://localhost:$https_port/"
}
