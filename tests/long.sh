#!/bin/sh
# What takes long, in full: tests/long.sh [-b BUILD] [-j JOBS]
# Runs the long forms of the tests with the programs of a build folder (the current one), as
# many at a time as there are processors (JOBS), each with a folder of its own for what it
# writes; needs no compiler.  A line each with its verdict and seconds; logs are kept in
# BUILD/long.  The last line is "N passed, N failed".
set -eu
case $0 in /*) script=$0 ;; *) script=$(pwd)/$0 ;; esac

one()      # NAME:I/N
{
    name=${1%:*} OSC_PART=${1#*:}
    log=$logs/$name-${OSC_PART%/*}.log
    TMPDIR=$(mktemp -d "$logs/tmp.XXXXXX")
    OSC_LONG=1
    export OSC_LONG OSC_PART TMPDIR
    # One processor each: a command starts as many threads as it may use processors.
    taskset -pc $((${OSC_PART%/*} % $(nproc --all))) $$ >/dev/null 2>&1 || true
    begin=$(date +%s) verdict=passed
    case $name in
    *.sh) sh "$OSC_TESTS/$name" >"$log" 2>&1 </dev/null || verdict=FAILED ;;
    *)    "tests/$name" >"$log" 2>&1 </dev/null || verdict=FAILED ;;
    esac
    if grep -q -e '^not ok' -e '^Bail out' "$log" || ! grep -q '^ok' "$log"; then verdict=FAILED; fi
    if grep -q '^1\.\.0 # SKIP' "$log"; then verdict=skipped; fi
    rm -rf "$TMPDIR"
    part=" $OSC_PART"
    test "$OSC_PART" != 1/1 || part=
    echo "$verdict  $name$part  $(($(date +%s) - begin)) s" | tee -a "$logs/verdicts"
    test $verdict = passed || grep -e '^not ok' -e '^Bail out' -e SKIP "$log" || true
}

# parts NAME N
parts()
{
    part=1
    while test $part -le "$2"; do
        echo "$1:$part/$2"
        part=$((part + 1))
    done
}

if test "${1:-}" = --one; then
    one "$2"
    exit 0
fi
build=. jobs=$(nproc)
while getopts b:j: option; do
    case $option in
    b) build=$OPTARG ;;
    j) jobs=$OPTARG ;;
    *) echo "usage: tests/long.sh [-b BUILD] [-j JOBS]" >&2; exit 2 ;;
    esac
done
source=$(cd "$(dirname "$0")/.." && pwd)
cd "$build"
OSC_TESTS=$source/tests OSC_SHARE=$source/share logs=$(pwd)/long
export OSC_TESTS OSC_SHARE logs
rm -rf "$logs"
mkdir "$logs"
{
    parts test_load 1
    parts test_record_flips 1
    parts test_faults_hdf5.sh $((2 * jobs))
    parts test_faults.sh $((2 * jobs))
    parts test_kill.sh 4
    parts test_record_faults 1
} | xargs -n 1 -P "$jobs" sh "$script" --one
passed=$(grep -c ^passed "$logs/verdicts") || true
failed=$(grep -c ^FAILED "$logs/verdicts") || true
echo "$passed passed, $failed failed"
test "$failed" = 0 && test "$passed" -gt 0
