# Installs missing Debian packages; does nothing if none is missing. Sourced after common.bash.

# missing_packages GROUP...: prints the names, one per line, of packages of scripts/lib/packages that are not installed.
missing_packages() {
    local groups=" $* " group package wanted=()
    while read -r group package; do
        # In packages of NodeSource, npm is part of nodejs. Debian's npm cannot be installed beside it.
        [ "$package" = npm ] && command -v npm >/dev/null && continue
        [[ $groups == *" $group "* ]] && wanted+=("$package")
    done < <(grep -v '^#' "$root/scripts/lib/packages")
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
}

# install_packages GROUP...
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing Debian packages (a minute or two, more if they have many dependencies): ${missing[*]}"
    # An interrupted apt-get looks like a failed one, and bash would go on.
    trap 'exit 130' INT TERM HUP
    if ! apt-cache policy "${missing[@]}" 2>/dev/null | grep -q 'Candidate: [^(]'; then
        update_lists
    fi
    # Old package lists name versions that the mirror no longer has.
    apt_install "${missing[@]}" || { update_lists && apt_install "${missing[@]}"; } ||
        die "apt-get could not install the packages, for the reason above: correct it and run this again"
    trap - INT TERM HUP
}

update_lists() { as_root "read the package lists" "apt-get update" apt-get -qq update; }

# Prevents the start of the packages' own services, now and at boot, because a private PostgreSQL, PgBouncer and HAProxy
# are used instead. Debian's way is policy-rc.d, which is there only while apt-get runs. A service that was installed
# before stays as it is.
apt_install() {
    local quiet_services='
        policy=/usr/sbin/policy-rc.d
        if ! [ -e $policy ]; then
            printf "#!/bin/sh\nexit 101\n" >$policy
            chmod 755 $policy
            trap "rm -f $policy" EXIT
        fi
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        said=$(apt-get install -y -qq --no-install-recommends \
            -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1) && {
            for service in haproxy pgbouncer postgresql; do
                case " $* " in *" $service "* | *" $service-15 "*) update-rc.d "$service" disable >/dev/null 2>&1 ;; esac
            done
            exit 0
        }
        printf "%s\n" "$said" | grep -E "^(E|W|dpkg):" | tail -n 5 >&2
        exit 1'
    as_root "install packages" "apt-get install -y $*" bash -c "$quiet_services" apt_install "$@"
}
