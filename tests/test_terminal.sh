# TAP: what depends on where a command is called from: progress on a terminal, file names
# that a shell would not take as they are, the end of options.
command=perplexity
. "$OSC_TESTS/command.sh"
model=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data/models/opt-preln-s1
echo 1..9

for i in $(seq 20); do seq $i $((i + 30)) | tr '\n' ' '; echo; done >tokens
small="--model $model --tokens tokens --chunk 1"

# A bar that is drawn again and again on one line, for a terminal; a line a step elsewhere.
if command -v script >/dev/null; then
    script -qec "'$program' perplexity $small >table" /dev/null >"$work/out" </dev/null
    is "on a terminal" "$?" 0
    is "a bar with what is left" "$(grep -c '\[#*\.*\] *[0-9]*%  [0-9]*/[0-9]*  ETA' "$work/out")" 1
    is "drawn in place" "$(tr -cd '\r' <"$work/out" | wc -c | awk '{ print ($1 > 1) }')" 1
else
    for what in "on a terminal" "a bar with what is left" "drawn in place"; do
        number=$((number + 1))
        echo "ok $number - $what # SKIP script is not there"
    done
fi
"$program" perplexity $small >other 2>"$work/err"
is "no bar in a file" "$(grep -c 'ETA\|\[#' "$work/err")" 0
is "-q: nothing" "$("$program" perplexity -q $small 2>&1 >other)" ""

# The command line of a record can be given to a shell again.
name="it's a \$HOME of tokens"
cp tokens "$name"
command=record
run --model "$model" --tokens "$name" -o a.h5
is "a name with quotes, blanks and a dollar" "$status$(cat "$work/err")" 0
"$program" info a.h5 >"$work/out"
is "quoted in the record" "$(grep -cF "'it'\\''s a \$HOME of tokens'" "$work/out")" 1

command=coverage
cp a.h5 ./-a.h5
works "what begins with a dash, after --" "^feature" -- -a.h5
fails "and before" 2 "unknown option -a" -a.h5
