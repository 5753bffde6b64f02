#!/bin/sh
# Fuzzes every target for FUZZ_SECONDS (60), or the one in FUZZ_TARGET; needs clang with
# libFuzzer.  Builds in ./build-fuzz with address and undefined-behaviour sanitizers; what
# it learns stays in build-fuzz/corpus/TARGET, what it finds in build-fuzz/found/TARGET-*.
set -eu
cd "$(dirname "$0")/../.."
. ./setup.sh
tests=$(pwd)/tests
build=build-fuzz
test -f $build/Makefile || CC=${FUZZ_CC:-clang} configure_in $build \
    --enable-sanitize=address,undefined,fuzzer-no-link --without-cuda
make_in $build tests/fuzz/fuzz
cd $build
mkdir -p corpus found
# An input may ask for memory: 2 GiB is more than any of them may have.
export OSC_TESTS="$tests" UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LSAN_OPTIONS=suppressions="$tests/fuzz/suppressions"
export ASAN_OPTIONS=protect_shadow_gap=0:allocator_may_return_null=1
failed=
for target in ${FUZZ_TARGET:-$(sed -n 's/^X(\(.*\))$/\1/p' "$tests/fuzz/targets.h")}; do
    mkdir -p "corpus/$target"
    echo "fuzzing $target for ${FUZZ_SECONDS:-60} seconds"
    OSC_FUZZ=$target tests/fuzz/fuzz -max_total_time="${FUZZ_SECONDS:-60}" -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -close_fd_mask=1 \
        -dict="$tests/fuzz/dictionary/$target" -artifact_prefix="found/$target-" \
        "corpus/$target" "$tests/fuzz/corpus/$target" 2>"found/$target.log" || failed="$failed $target"
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb|ERROR|SUMMARY' "found/$target.log" || true
done
test -z "$failed" || { echo "found something: $failed (see $build/found)"; exit 1; }
