# TAP: what file systems and clocks do wrong for longer than one call: quotas, full disks, network
# file systems that go away, have no locks or tell of lost writes late, clocks that jump.  The
# command fails with one line that says why, what was committed stays, nothing is left beside it,
# and with --resume the record becomes that of an undisturbed run.
. "$OSC_TESTS/faults.sh"
equal=$OLDPWD/tests/record_equal
if test ! -x "$equal"; then
    echo "1..0 # SKIP no Check in this build"
    exit 0
fi
mkdir whole bad
record="record -q --model $model --tokens ../tokens --chunk 1 --interval 0 --points qkv_in \
    --track qkv_in --no-metrics --resume -o run.h5"
(cd whole && "$program" $record) >"$work/log" 2>&1 || { cat "$work/log"; echo "Bail out!"; exit 1; }
cd bad || exit 99

finishes()    # what is wrong with the record after a run without a fault
{
    "$program" $record >"$work/log" 2>&1 || cat "$work/log"
    "$equal" ../whole/run.h5 run.h5 >"$work/log" 2>&1 || cat "$work/log"
}

# refused FAULT PATTERN: the record of one sequence cannot be gone on with.
injected rename:3+ $record
cp run.h5 "$work/old"
refused()
{
    wrong=
    cp "$work/old" run.h5
    injected "$1" $record
    test "$status $(wc -l <"$work/err")" = "1 1" || wrong="$wrong status $status"
    grep -q -e "$2" "$work/err" || wrong="$wrong $(cat "$work/err")"
    test "$left" = 0 || wrong="$wrong $left allocations left"
    cmp -s run.h5 "$work/old" || wrong="$wrong another record"
    test "$(ls -A)" = run.h5 || wrong="$wrong left $(ls -A)"
    is "record, $1" "$wrong$(finishes)" ""
}

refused write:1+:ENOSPC "run.h5: .*No space left on device"
refused write:20+:EDQUOT "run.h5: .*Disk quota exceeded"
refused write:20+:ESTALE "run.h5: .*Stale file handle"
refused sync:1+:EDQUOT "run.h5: .*Disk quota exceeded"
refused sync:1+:EIO "run.h5: .*Input/output error"
refused sync:1+:ESTALE "run.h5: .*Stale file handle"
refused rename:1+:EROFS "run.h5: .*Read-only file system"
refused read:1+:ESTALE "Stale file handle"

# --- losses that are told of when the file is closed -----------------------------------------
# What was synced is there; an output whose close fails is not taken for written.
rm -f run.h5
injected close:1+:EIO $record
is "a record whose files all fail to close" "$status$(finishes)" 0
echo "what was there before" >table
injected close:1+:EIO outliers --all -o table run.h5
is "a table that fails to close" "$status $(cat table) $(grep -c 'Input/output error' "$work/err")" \
    "1 what was there before 1"
rm table

# --- no locks ------------------------------------------------------------------------------------
rm -f run.h5
injected lock:1+:ENOLCK $record
is "a record where there are no locks" "$status $(ls -A | tr '\n' ' ')$(finishes)" "0 run.h5 "
cp run.h5 "$work/old"
: >run.h5.lock
injected lock:1+:ENOLCK $record
is "and a lock file is there" "$status $(grep -c 'run.h5.lock is there and cannot be locked (No locks' \
    "$work/err") $(cmp run.h5 "$work/old")" "1 1 "
rm run.h5.lock

# --- clocks that jump ------------------------------------------------------------------------------
# Back by ten years and forth by an hour at every look at them.
slow="--chunk 1 --sequences 2 --tokens ../tokens --model $model"
for step in -315360000 3600; do
    OSC_FAULT_CLOCK=$step
    export OSC_FAULT_CLOCK
    rm -f run.h5
    wrong=
    injected own:0 $record
    test $status = 0 || wrong=$(cat "$work/err")
    "$equal" ../whole/run.h5 run.h5 >"$work/log" 2>&1 || wrong="$wrong another record"
    injected own:0 record $slow -o other.h5
    test $status = 0 || wrong="$wrong $(cat "$work/err")"
    grep -q 'recording: 28 in [0-9:]*$' "$work/err" || wrong="$wrong no progress"
    grep -qE ' in .*(nan|inf|-|[0-9]{6})' "$work/err" && wrong="$wrong $(cat "$work/err")"
    injected own:0 compare $slow --schemes none -o other.json
    test $status = 0 || wrong="$wrong $(cat "$work/err")"
    unset OSC_FAULT_CLOCK
    "$program" compare -q $slow --schemes none >"$work/good" 2>"$work/log"
    cmp -s "$work/out" "$work/good" || wrong="$wrong another comparison"
    rm -f other.h5 other.json
    is "a clock that steps by $step s" "$wrong" ""
done
echo "1..$number"
