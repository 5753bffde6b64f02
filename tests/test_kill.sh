# TAP: kill -9 while recording at 20 random moments (200 under `make check-long`), --resume
# each time: the file opens after each kill, and finished records equal one of an undisturbed
# run.
program=./outlierscope
echo 1..2
if ! command -v h5dump >/dev/null || ! command -v h5diff >/dev/null; then
    for n in 1 2; do echo "ok $n # SKIP no h5dump or h5diff"; done
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# In a subshell of its own always: exec makes that the process that is killed.
record() {   # --interval 0: a commit after every chunk of two sequences
    exec "$program" record -q --model "$OSC_SHARE/opt-mini-2m" --chunk 2 --sequences 10 --interval 0 \
        --tokens "$OSC_TESTS/data/text/sampled-16x256.tokens" "$@"
}

# Every dataset, bit for bit; root attributes hold the time and the command line.
same() {
    for group in stats positions outliers attention sequences modules residual; do
        h5diff "$work/whole.h5" "$work/killed.h5" "/$group" "/$group" >>"$work/diff" 2>&1 || return 1
    done
}

begin=$(date +%s%N)
(record -o "$work/whole.h5") >"$work/log" 2>&1 || { cat "$work/log"; echo "Bail out! record fails"; exit 1; }
took=$((($(date +%s%N) - begin) / 1000000))   # milliseconds

kills=0 broken= differ=0 most=${OSC_LONG:+200}
most=${most:-20}
while test $kills -lt $most; do
    record -o "$work/killed.h5" --resume >"$work/log" 2>&1 &
    pid=$!
    sleep "$(awk "BEGIN { srand($$ * 100 + $kills + NR); print rand() * $took / 1500 }" </dev/null)"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if test $? = 137; then
        kills=$((kills + 1))
        test ! -f "$work/killed.h5" || h5dump "$work/killed.h5" >/dev/null 2>&1 || broken="$broken $kills"
    else   # it had finished: compare, and begin anew
        same || differ=$((differ + 1))
        rm -f "$work/killed.h5"
        took=$((took * 4 / 5 + 1))
    fi
done
if test -z "$broken"; then echo "ok 1 - the record opens after each of $most kills"
else echo "not ok 1 - the record does not open after kill$broken"; fi

if (record -o "$work/killed.h5" --resume) >"$work/log" 2>&1 && same && test $differ = 0; then
    echo "ok 2 - resumed records equal an undisturbed one"
else
    cat "$work/log" "$work/diff"
    echo "not ok 2 - resumed records differ"
fi
