# Installs Debian packages that are missing, and touches nothing when none is. Sourced after common.bash.

# missing_packages GROUP...: names, one a line, of those of scripts/lib/packages that are not installed.
missing_packages() {
    local groups=" $* " group package wanted=()
    while read -r group package; do
        # npm of another source (NodeSource) comes inside nodejs, and then Debian's must not be asked for.
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
    say "installing ${#missing[@]} Debian packages (a minute or two): ${missing[*]}"
    # An apt-get that was interrupted ends like one that failed, and bash would go on.
    trap 'exit 130' INT TERM HUP
    if ! apt-cache policy "${missing[@]}" 2>/dev/null | grep -q 'Candidate: [^(]'; then
        update_lists
    fi
    # Lists that are out of date name versions that the mirror no longer has.
    apt_install "${missing[@]}" || { update_lists && apt_install "${missing[@]}"; } ||
        die "apt-get could not install the packages, and says why above: mend that and run this again"
    trap - INT TERM HUP
}

update_lists() { as_root "read the package lists" "apt-get update" apt-get -qq update; }

# The packages' own services stay down: a private PostgreSQL, PgBouncer and HAProxy are started
# instead. Debian's way to say so is policy-rc.d, put there for as long as apt-get runs.
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
            -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" 2>&1) && exit
        printf "%s\n" "$said" | grep -E "^(E|W|dpkg):" | tail -n 5 >&2
        exit 1'
    as_root "install packages" "apt-get install -y $*" bash -c "$quiet_services" apt_install "$@"
}
