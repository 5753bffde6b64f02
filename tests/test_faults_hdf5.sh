# TAP: one of the program's calls of HDF5 fails.  The clock stands still, so that a record's
# bytes tell: a command that goes well all the same makes the same bytes; one that fails says
# so in one line, releases its memory and leaves what was committed before, from where the
# same command makes the same bytes.  A sample of all calls; every one under
# `make check-long` (OSC_LONG).
. "$OSC_TESTS/faults.sh"
OSC_FAULT_CLOCK=0
export OSC_FAULT_CLOCK
thin=4

# How a run ended: what is wrong, if something is.
tidy()
{
    test $status -le 1 || echo " $n: status $status"
    test $status = 0 -o "$(wc -l <"$work/err")" = 1 || echo " $n: says '$(head -n 2 "$work/err")'"
    test "$left" = 0 || echo " $n: $left allocations left"
    test "$(ls -A | grep -vx "$file")" = "$before" || echo " $n: left $(ls -A | tr '\n' ' ')"
    rm -f ./*.tmp ./*.lock
}

# The file is not there, as it was, or opens.
committed()
{
    test ! -e "$file" || cmp -s "$file" "$work/old" || "$program" info "$file" >"$work/info" 2>&1
}

# A report leaves out what cannot be read, and says so.
names_what_it_lacks()
{
    grep -q "<h2>Not in this report</h2>" "$file"
}

begin()
{
    rm -f "$file"
    test ! -e "$work/old" || cp "$work/old" "$file"
}

write_once()  # ARG...
{
    begin
    injected "h5:$n" "$@"
    tidy
    if test $status != 0; then
        committed || echo " $n: $file is damaged"
        injected h5:0 "$@"
        test $status = 0 || echo " $n: cannot go on: $(cat "$work/err")"
    fi
    cmp -s "$file" "$work/new" || names_what_it_lacks || echo " $n: $file is another"
}

read_once()   # ARG...
{
    injected "h5:$n" "$@"
    tidy
    test $status != 0 || cmp -s "$work/out" "$work/good" || echo " $n: other output"
}

survives()    # NAME CHECK FILE ARG...: from $work/old, if there is one
{
    name=$1 check=$2 file=$3; shift 3
    begin
    injected h5:0 "$@"
    cp "$work/out" "$work/good"
    test ! -e "$file" || cp "$file" "$work/new"
    before=$(ls -A | grep -vx "$file")
    each_call "$calls" $check "$@"
    test "$total" -gt 100 || wrong="$wrong $total calls: $(cat "$work/err")"
    is "$name: $runs of $total calls of HDF5 fail" "$wrong" ""
}

# Every call that the program makes can fail.
if command -v nm >/dev/null; then
    calls_of() { nm -D "$2" | sed -n "s/.* $1 \(H5[A-Za-z0-9_]*\).*/\1/p" | sort; }
    never='^H5open$|^H5check_version$|^H5E|^H5free_memory$'
    calls_of U "$program" | grep -vE "$never" >"$work/used"
    calls_of T "$faults" >"$work/faulty"
    is "no call of HDF5 is left out" "$(comm -23 "$work/used" "$work/faulty" | tr '\n' ' ')" ""
fi

small="--chunk 1 --interval 0 --points qkv_in --track qkv_in --raw q --alpha 1"
record="record -q $run $small --no-metrics --resume"
survives "a new record" write_once out.h5 $record -o out.h5
cp out.h5 whole.h5
begin
injected rename:3+ $record -o out.h5       # when the second sequence is committed
mv out.h5 "$work/old"
survives "a record that is resumed" write_once out.h5 $record -o out.h5
rm -f "$work/old" out.h5
survives outliers read_once none outliers --all whole.h5
if test -n "$OSC_LONG"; then
    echo "what was there before" >"$work/old"
    for i in 1 2; do
        "$program" record -q $run $small --shard $i/2 -o $i.h5 >"$work/log" 2>&1
    done
    survives merge write_once all.h5 merge -q --force -o all.h5 1.h5 2.h5
    rm all.h5
    survives coverage write_once plot.svg coverage --plot plot.svg whole.h5
    rm plot.svg
    mkdir results
    cp whole.h5 results
    survives report write_once page.html report -q -o page.html results
    rm page.html "$work/old"
    survives emergence read_once none emergence whole.h5
    survives info read_once none info whole.h5
    survives ablate read_once none ablate -q $run --record whole.h5 --draws 0
    survives "a record with the outliers of another left out" write_once without.h5 \
        record -q $run $small --no-metrics --without whole.h5 --force -o without.h5
fi
echo "1..$number"
