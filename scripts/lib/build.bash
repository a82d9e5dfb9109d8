# Builds the programs. Sourced after common.bash.

# build_programs PRESET: builds only parleyd and parleyctl, without what only the tests need.
build_programs() {
    local dir=$root/build/$1 log=$root/build/$1.log
    prepare_build "$dir" "$log"
    # A build directory that scripts/test has configured with tests stays as it is.
    [ -e "$dir/build.ninja" ] || run_logged "$log" cmake -S "$root" --preset "$1" -DPARLEY_TESTS=OFF
    run_logged "$log" cmake --build "$dir" --target parleyd parleyctl
}

# build_everything PRESET: builds everything, with the unit tests or fuzz harnesses.
build_everything() {
    local dir=$root/build/$1 log=$root/build/$1.log options=(-DPARLEY_TESTS=ON)
    [ "$1" = fuzz ] && options=()
    prepare_build "$dir" "$log"
    run_logged "$log" cmake -S "$root" --preset "$1" "${options[@]}"
    run_logged "$log" cmake --build "$dir"
}

# prepare_build DIR LOG: creates the build directory and empties its log.
prepare_build() {
    { mkdir -p "$1" && : >"$2"; } 2>/dev/null && [ -w "$1" ] ||
        die "cannot write to $1: give it to $(id -un) (chown), or remove it as its owner"
}

run_logged() {
    local log=$1
    shift
    (cd "$root" && "$@") >>"$log" 2>&1 && return 0
    grep -E 'error|Error|FAILED' "$log" | head -n 5 >&2
    die "the build failed: see $log"
}
