# Sourced by quickstart.sh, check.sh and .ci/run, from the top of the source tree.
# shellcheck shell=sh disable=SC2034

build_packages="build-essential autoconf automake pkg-config libhdf5-dev libgsl-dev \
libopenblas-dev libjansson-dev libpcre2-dev zlib1g-dev libssl-dev"
test_packages="check hdf5-tools librsvg2-bin libxml2-utils"

# Installs those of the Debian packages named that are not there.  When that is not
# possible, goes on: configure says what is missing in earnest.
install_packages()
{
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
    missing=
    for package; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        test "$state" = installed || missing="$missing $package"
    done
    test -n "$missing" || return 0
    as_root=
    if test "$(id -u)" != 0; then
        as_root=sudo
        if ! command -v sudo >/dev/null; then
            echo "not installed:$missing (needs root: apt-get install$missing)" >&2
            return 0
        fi
    fi
    echo "installing$missing"
    # shellcheck disable=SC2086   # words on purpose
    { $as_root apt-get -q update &&
      $as_root env DEBIAN_FRONTEND=noninteractive \
          apt-get -q -y install --no-install-recommends $missing; } >apt.log 2>&1 ||
        { tail -n 5 apt.log >&2; echo "could not install$missing; trying without" >&2; }
    rm -f apt.log
}

# Runs a command with its output in a log; shows the log's end if it fails.
logged()
{
    log=$1; shift
    "$@" >"$log" 2>&1 || { status=$?; tail -n 30 "$log" >&2; echo "failed: $*" >&2; return $status; }
}

# configure_in DIR ARG...: a build folder, configured once.
configure_in()
{
    dir=$1; shift
    mkdir -p "$dir"
    if ! test -f configure || test configure.ac -nt configure; then
        logged "$dir/autoreconf.log" autoreconf -fi || return
    fi
    test -f "$dir/Makefile" || (cd "$dir" && logged configure.log ../configure "$@")
}

# make_in DIR ARG...
make_in()
{
    dir=$1; shift
    (cd "$dir" && logged make.log make -j"$(nproc)" "$@")
}

# count NAME FILE: a figure of automake's summary, "# NAME:  3"
count()
{
    sed -n "s/^# $1: *//p" "$2"
}

# check_in DIR ARG...: runs the tests, shows the logs of those that failed, ends with
# the line "N passed, N failed".
check_in()
{
    dir=$1; shift
    summary=$dir/test-suite.log
    rm -f "$summary"
    (cd "$dir" && make -k check "$@" >check.log 2>&1) || true
    if ! test -f "$summary"; then
        tail -n 30 "$dir/check.log" >&2
        echo "0 passed, 1 failed"
        return 1
    fi
    passed=$(count PASS "$summary")
    failed=$(($(count FAIL "$summary") + $(count ERROR "$summary") + $(count XPASS "$summary")))
    skipped=$(count SKIP "$summary")
    test "$failed" = 0 || cat "$summary"
    test "$skipped" = 0 || { grep -h '^SKIP: ' "$dir/check.log"; echo "$skipped skipped"; }
    echo "$passed passed, $failed failed"
    test "$failed" = 0 && test "$passed" -gt 0
}
