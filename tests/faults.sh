# For tests in which one call of a command fails (tests/faults): to be sourced in the build
# folder.  Afterwards as after command.sh, with $model, $run and the files tokens and text.
faults=$(pwd)/tests/faults.so
if test ! -e "$faults"; then
    echo "1..0 # SKIP no library of faults in this build"
    exit 0
fi
command=faults
. "$OSC_TESTS/command.sh"
data=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data
model=$data/models/opt-preln-s1
seq 1 12 | tr '\n' ' ' >tokens
printf '\n%s\n' "3 1 4 1 5 9 2 6 5 3 5 8 9 7 9 3" >>tokens
printf 'Some text.\n<|endoftext|>\nSome more of it.\n' >text
run="--model $model --tokens tokens"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS

injected()    # KIND:N[+][:ERROR], ARG...: $status, calls of the kind, allocations $left
{
    fault=$1; shift
    OSC_FAULT=$fault OSC_FAULT_COUNT=$work/count LD_PRELOAD=$faults \
        "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    calls=0 left=0
    read -r calls left <"$work/count"
}

# each_call TOTAL CHECK ARG...: CHECK ARG... for the calls $n from 1 to TOTAL, which prints what
# is wrong: $wrong, $runs.  A sample that gets thinner; all under `make check-long` (OSC_LONG),
# of which $OSC_PART, I/N, is every N-th ($dies: a sample here, too).
each_call()
{
    total=$1; shift
    part=${OSC_PART:-1/1} wrong= runs=0
    n=${part%/*}
    while test "$n" -le "$total"; do
        wrong="$wrong$("$@")"
        runs=$((runs + 1))
        if test -z "$OSC_LONG"; then n=$((n * ${thin:-3} + 1))
        else n=$((n + ${part#*/} * (1 + ${dies:+n / 40 +} 0))); fi
    done
}
