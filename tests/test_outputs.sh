# TAP: outputs in bad places and two writers of one: refused or failed with one line, what
# was there before stays, nothing is left beside it.
command=record
. "$OSC_TESTS/command.sh"
tokens=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data/text/sampled-16x256.tokens
model="--model $share/opt-mini-2m --tokens $tokens --chunk 2"
echo 1..17

# --- places that cannot be written ------------------------------------------------------
mkfifo pipe
fails "a record into a pipe" 1 "pipe: is not a regular file" $model --sequences 2 --force -o pipe
mkdir folder
fails "a record onto a folder" 1 "folder: is not a regular file" $model --sequences 2 --force -o folder
fails "a record into a folder that is not there" 1 "No such file or directory" \
    $model --sequences 2 -o no/run.h5
fails "a record where nothing can be created" 1 "/proc/run.h5" $model --sequences 2 -o /proc/run.h5
# The superuser may write everywhere: then there is nothing to test.
mkdir closed && chmod 555 closed
if test -w closed; then
    number=$((number + 1))
    echo "ok $number # SKIP permissions do not bind the superuser"
else
    fails "a record in a read-only folder" 1 "Permission denied" $model --sequences 2 -o closed/run.h5
fi
command=compare
(cat pipe >"$work/piped") &
run $model --sequences 2 --schemes none --force -o pipe
is "compare into a pipe" "$status $(head -c 1 "$work/piped")" "0 ["
wait

# --- a full disk --------------------------------------------------------------------------
command=record
works "a record of 2 sequences" "" $model --sequences 4 --interval 0 -o full.h5
blocks=$((($(wc -c <full.h5) + 511) / 512))
rm full.h5
limited()     # a limit in blocks of 512 bytes
{
    (ulimit -f "$1"; shift; exec "$program" record -q "$@") >"$work/out" 2>"$work/err" </dev/null
    status=$?
}
limited $((blocks / 2)) $model --sequences 4 --interval 0 -o full.h5
is "a limit on the size of files" \
    "$status $(wc -l <"$work/err") $(grep -c 'full.h5: .*File too large' "$work/err")" "1 1 1"
is "leaves nothing beside the record" "$(ls -A | grep -v '^full.h5$' | tr '\n' ' ')" "closed folder pipe "
works "the record is resumed" "" $model --sequences 4 --interval 0 -o full.h5 --resume

# --- two writers ---------------------------------------------------------------------------
"$program" record -q $model --sequences 4 --interval 0 -o two.h5 >"$work/first" 2>&1 </dev/null &
first=$!
while kill -0 $first 2>/dev/null && test ! -e two.h5.lock; do sleep 0.01; done
kill -STOP $first
run $model --sequences 4 -o two.h5 --force
is "a second writer of a record" "$status $(grep -c 'another process is writing it' "$work/err")" "1 1"
kill -CONT $first
wait $first
is "does not disturb the first" "$? $(test -e two.h5.lock && echo locked)" "0 "
"$program" record -q $model --sequences 4 --interval 0 -o two.h5 --force >"$work/first" 2>&1 </dev/null &
first=$!
while kill -0 $first 2>/dev/null && test ! -e two.h5.lock; do sleep 0.01; done
kill -9 $first
wait $first 2>/dev/null
is "kill -9 leaves a lock file" "$(ls two.h5.lock)" two.h5.lock
works "which does not bind" "" $model --sequences 2 -o two.h5 --force

command=compare
"$program" compare -q $model --sequences 4 -o two.json >"$work/first" 2>&1 </dev/null &
first=$!
while kill -0 $first 2>/dev/null && test ! -e two.json.lock; do sleep 0.01; done
kill -STOP $first
run $model --sequences 2 --schemes none -o two.json --force
is "a second writer of a comparison" "$status $(grep -c 'another process is writing it' "$work/err")" "1 1"
kill -CONT $first
kill -TERM $first
wait $first
is "the first is stopped" "$? $(test -e two.json.lock && echo locked)" "143 "

# --- clocks ---------------------------------------------------------------------------------
# Commits go by a clock that cannot be set: every use of the other one is for the time shown.
uses=$(cd "$OLDPWD" && grep -rlE 'CLOCK_REALTIME|gettimeofday|[^a-z_]time\(NULL' \
    "$OSC_TESTS/../src" "$OSC_TESTS/../experiments" "$OSC_TESTS/../analyses" "$OSC_TESTS/../cli" \
    | sed 's,.*/,,')
is "one file asks for the time of day" "$uses" provenance.c
