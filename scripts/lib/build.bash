# Builds the programs. Sourced after common.bash.

# build_programs PRESET [cmake's options]: parleyd and parleyctl of that preset, quietly.
# A build directory that is configured stays so: the quickstart needs no test library, scripts/test has its own options.
build_programs() {
    local preset=$1 dir=$root/build/$1 log=$root/build/$1.log
    shift
    mkdir -p "$dir" 2>/dev/null && : >"$log" 2>/dev/null ||
        die "cannot write to $dir: give it to $(id -un) (chown), or remove it as its owner"
    [ -e "$dir/build.ninja" ] && [ $# = 0 ] || run_logged "$log" cmake -S "$root" --preset "$preset" "$@"
    run_logged "$log" cmake --build "$dir" --target parleyd parleyctl
}

run_logged() {
    local log=$1
    shift
    (cd "$root" && "$@") >>"$log" 2>&1 && return 0
    grep -E 'error|Error|FAILED' "$log" | head -n 5 >&2
    die "the build failed: see $log"
}

# build_everything PRESET: with the unit tests or fuzz harnesses that the preset has.
build_everything() {
    local dir=$root/build/$1 log=$root/build/$1.log options=(-DPARLEY_TESTS=ON)
    [ "$1" = fuzz ] && options=()
    mkdir -p "$dir" && : >"$log" || die "cannot write to $dir: give it to $(id -un) (chown), or remove it as its owner"
    run_logged "$log" cmake -S "$root" --preset "$1" "${options[@]}"
    run_logged "$log" cmake --build "$dir"
}
