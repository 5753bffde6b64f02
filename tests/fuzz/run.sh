#!/bin/sh
# Fuzzes every target, or the one in FUZZ_TARGET, for FUZZ_SECONDS (60) with FUZZ_JOBS (1)
# processes: tests/fuzz/run.sh [-b BUILD] [-a]
# Builds in ./build-fuzz with clang's libFuzzer and address and undefined-behaviour sanitizers;
# -b takes the program of a build folder as it is.  -a: all targets at the same time.  What it
# learns stays in BUILD/corpus/TARGET, what it finds in BUILD/found/TARGET-*.
set -eu
build= together=
while getopts b:a option; do
    case $option in
    b) build=$(cd "$OPTARG" && pwd) ;;
    a) together=yes ;;
    *) echo "usage: tests/fuzz/run.sh [-b BUILD] [-a]" >&2; exit 2 ;;
    esac
done
cd "$(dirname "$0")/../.."
tests=$(pwd)/tests
if test -z "$build"; then
    . ./setup.sh
    build=build-fuzz
    test -f $build/Makefile || CC=${FUZZ_CC:-clang} configure_in $build \
        --enable-sanitize=address,undefined,fuzzer-no-link --without-cuda
    make_in $build tests/fuzz/fuzz
fi
cd "$build"
mkdir -p corpus found
# An input may ask for memory: 2 GiB is more than any of them may have.
export OSC_TESTS="$tests" UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 OMP_NUM_THREADS=1
export LSAN_OPTIONS=suppressions="$tests/fuzz/suppressions"
export ASAN_OPTIONS=protect_shadow_gap=0:allocator_may_return_null=1

fuzz_once()    # TARGET JOB
{
    OSC_FUZZ=$1 tests/fuzz/fuzz -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -close_fd_mask=1 \
        -dict="$tests/fuzz/dictionary/$1" -artifact_prefix="found/$1-" \
        "corpus/$1" "$tests/fuzz/corpus/$1" 2>"found/$1.$2.log" || echo "$1" >>found/failed
}

# The processes share what they learn through the corpus.  The last line of `times` is that
# of the children, "0m1.5s 0m0.2s".
fuzz_target()  # TARGET
{
    job=0
    mkdir -p "corpus/$1"
    rm -f "found/$1".[0-9]*.log
    while test $job -lt "${FUZZ_JOBS:-1}"; do
        job=$((job + 1))
        fuzz_once "$1" $job &
    done
    wait
    times >"found/$1.times"
    seconds=$(awk 'END { for (i = 1; i <= 2; i++) { split($i, t, "m"); s += 60 * t[1] + t[2] }
                         printf "%.0f", s }' "found/$1.times")
    awk -v target="$1" -v seconds="$seconds" '
        /stat::number_of_executed_units/ { runs += $2 }
        /stat::peak_rss_mb/ { if ($2 > peak) peak = $2 }
        /ERROR|SUMMARY/ { found = found "\n  " $0 }
        END { printf "%s: %.0f inputs in %s CPU seconds, at most %d MiB%s\n", target, runs, seconds,
                     peak, found }' found/"$1".[0-9]*.log
}

rm -f found/failed
for target in ${FUZZ_TARGET:-$(sed -n 's/^X(\(.*\))$/\1/p' "$tests/fuzz/targets.h")}; do
    test "$together" || echo "fuzzing $target for ${FUZZ_SECONDS:-60} seconds"
    (fuzz_target "$target") &
    test "$together" || wait
done
wait
if test -e found/failed; then
    echo "found something: $(sort -u found/failed | tr '\n' ' ')(see $build/found)"
    exit 1
fi
