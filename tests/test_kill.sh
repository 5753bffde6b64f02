# TAP: kill -9 while recording at 20 random moments (200 under `make check-long`, of which
# $OSC_PART, I/N, is one N-th), --resume each time: the record opens after each kill, and
# finished ones equal that of an undisturbed run.
if test ! -x tests/record_equal; then
    echo "1..0 # SKIP no Check in this build"
    exit 0
fi
equal=$(pwd)/tests/record_equal
command=kill
. "$OSC_TESTS/command.sh"
model=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data/models/opt-preln-s1
mkdir whole killed
awk 'BEGIN { for (s = 0; s < 20; s++)
                 for (t = 0; t < 16; t++) printf "%d%s", (s * 17 + t * 7) % 512, t < 15 ? " " : "\n" }' >tokens

# In a subshell of its own always: exec makes that the process that is killed.
record() {   # FOLDER; --interval 0: a commit after every chunk of two sequences
    cd "$1" && exec "$program" record -q --model "$model" --tokens ../tokens --chunk 2 \
        --interval 0 --resume -o run.h5
}

begin=$(date +%s%N)
(record whole) >"$work/log" 2>&1 || { cat "$work/log"; echo "Bail out! record fails"; exit 1; }
took=$((($(date +%s%N) - begin) / 1000000))   # milliseconds
echo 1..2

part=${OSC_PART:-1/1}
kills=0 broken= differ=0 finished=0 most=${OSC_LONG:+200}
most=$((${most:-20} / ${part#*/}))
while test $kills -lt $most; do
    record killed >"$work/log" 2>&1 &
    pid=$!
    sleep "$(awk "BEGIN { srand($$ * 100 + $kills + $finished); print rand() * $took / 1500 }")"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if test $? = 137; then
        kills=$((kills + 1))
        test ! -f killed/run.h5 || "$program" info killed/run.h5 >"$work/out" 2>&1 \
            || broken="$broken $kills"
    else   # it had finished: compare, and begin anew
        "$equal" whole/run.h5 killed/run.h5 >>"$work/diff" 2>&1 || differ=$((differ + 1))
        rm -f killed/run.h5
        finished=$((finished + 1))
        took=$((took * 4 / 5 + 1))
    fi
done
is "the record opens after each of $most kills" "$broken" ""
(record killed) >"$work/log" 2>&1
wrong=$?
"$equal" whole/run.h5 killed/run.h5 >>"$work/diff" 2>&1 || wrong="$wrong; it differs"
is "records resumed to their end, $((finished + 1)), equal an undisturbed one" "$wrong $differ" "0 0"
test ! -s "$work/diff" || grep -v '^100%' "$work/diff"
