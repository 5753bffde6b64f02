# TAP: kill -9 while recording at 20 random moments (200 under `make check-long`, of which
# $OSC_PART, I/N, is one N-th), SIGINT and SIGTERM now and then, --resume each time: the record
# opens after each, and finished ones equal that of an undisturbed run.
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

record="record -q --model $model --tokens ../tokens --chunk 2 --interval 0 --resume -o run.h5"

begin=$(date +%s%N)
(cd whole && "$program" $record) >"$work/log" 2>&1 || { cat "$work/log"; echo "Bail out! record fails"; exit 1; }
took=$((($(date +%s%N) - begin) / 1000000))   # milliseconds
echo 1..2

part=${OSC_PART:-1/1}
kills=0 round=0 broken= differ=0 finished=0 most=${OSC_LONG:+200}
most=$((${most:-20} / ${part#*/}))
cd killed || exit 99
while test $kills -lt $most; do
    round=$((round + 1)) signal=KILL number_of=9
    test $((round % 8)) != 3 || signal=INT number_of=2
    test $((round % 8)) != 7 || signal=TERM number_of=15
    moment=$(awk "BEGIN { srand($$ * 1000 + $round); print rand() * $took / 1500 + 0.001 }")
    timeout --foreground --preserve-status -s $signal "$moment" "$program" $record >"$work/log" 2>&1
    status=$?
    if test $status = $((128 + number_of)); then
        test $signal != KILL || kills=$((kills + 1))
        test ! -f run.h5 || "$program" info run.h5 >"$work/out" 2>&1 \
            || broken="$broken $signal after $moment s"
    elif test $status = 0; then   # it had finished: compare, and begin anew
        "$equal" ../whole/run.h5 run.h5 >>"$work/diff" 2>&1 || differ=$((differ + 1))
        rm -f run.h5
        finished=$((finished + 1))
        took=$((took * 4 / 5 + 1))
    else
        broken="$broken status $status after $signal"
    fi
done
is "the record opens after each of $most kills" "$broken" ""
"$program" $record >"$work/log" 2>&1
wrong=$?
"$equal" ../whole/run.h5 run.h5 >>"$work/diff" 2>&1 || wrong="$wrong; it differs"
is "records resumed to their end, $((finished + 1)), equal an undisturbed one" "$wrong $differ" "0 0"
test "$wrong $differ" = "0 0" || cat "$work/log" "$work/diff"
