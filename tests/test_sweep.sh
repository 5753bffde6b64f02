# TAP: sweep.  The configuration file, cells, shards, failures; and that a sweep which is
# interrupted and killed at random moments ends with the tables of an undisturbed one.
program=$(pwd)/outlierscope
OSC_SHARE=$(cd "$OSC_SHARE" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-sweep.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

number=0
report()   # what is wrong ("" if nothing), name
{
    number=$((number + 1))
    if test -z "$1"; then echo "ok $number - $2"
    else echo "not ok $number - $2: $1"; fi
}
is()       # name, found, expected
{
    if test "$2" = "$3"; then report "" "$1"; else report "'$2', expected '$3'" "$1"; fi
}
has()      # name, pattern, file
{
    if grep -q -e "$2" "$3"; then report "" "$1"
    else report "no '$2' in: $(head -c 600 "$3")" "$1"; fi
}
run()      # a sweep: $status, out, err
{
    "$program" sweep "$@" >out 2>err </dev/null
    status=$?
}
# bad NAME PATTERN CONFIGURATION: one line on stderr with the pattern, and nothing made.
bad()
{
    printf "$3" >bad.conf
    run bad.conf -o bad
    is "$1: exit status, lines, folder" "$status $(wc -l <err) $(ls -d bad 2>/dev/null)" "1 1 "
    has "$1" "^outlierscope sweep: .*$2" err
}

ln -s "$OSC_SHARE" share
OSC_SHARE=share   # relative: cells run in another folder than the sweep
export OSC_SHARE

cat >small.conf <<END
# One small model.
models = opt-mini-2m-step500
sequences = 4      # of every task
length = 64
chunk = 1

[record]    # not so often
interval = 0
[perplexity]
schemes = none
          absmax "llm-int8:threshold=4"
length = 48
[compare]
schemes = absmax-vector
[zeroshot]
schemes = none llm-int8
tasks = lambada,piqa
limit = 2
END
if "$program" --help | grep -q '^  ablate '; then   # before the record that it needs
    sed 's/^\[record\]/[ablate]\ndraws = 2\n&/' small.conf >with.conf && mv with.conf small.conf
fi
cells=$("$program" sweep small.conf --dry-run | grep -c 'to do$')

# --- the file ------------------------------------------------------------------------
head='models = a\n'
bad "unknown key" "bad.conf:2: .*'lenght'; did you mean 'length'" "${head}lenght = 3\n[record]\n"
bad "unknown task" "bad.conf:2: .*'recrod'; did you mean 'record'" "${head}[recrod]\n"
bad "key of another task" "bad.conf:3: perplexity has no key 'alpha'" \
    "${head}[perplexity]\nalpha = 3\n"
bad "no number" "bad.conf:3: length: 'x'" "${head}\nlength = x\n[record]\n"
bad "number out of bounds" "bad.conf:3: alpha" "${head}[record]\nalpha = -1\n"
bad "unknown scheme" "bad.conf:3: .*absmax" "${head}[perplexity]\nschemes = none\n absmx\n"
bad "two values for one" "bad.conf:2: length takes one value" "${head}length = 3 4\n[record]\n"
bad "no value" "bad.conf:2: length has no value" "${head}length = # none\n[record]\n"
bad "said twice" "bad.conf:3: length is said twice" "${head}length = 8\nlength = 9\n[record]\n"
bad "switch" "bad.conf:2: no-bos is yes or no" "${head}no-bos = 1\n[record]\n"
bad "indented key" "bad.conf:3: an indented line continues" \
    "${head}length = 8\n  sequences = 9\n[record]\n"
bad "no key" "bad.conf:2: .*neither KEY = VALUE" "${head}record\n"
bad "open quotation" "bad.conf:1: .*quotation" 'models = "a b\n[record]\n'
bad "empty word" "bad.conf:2: an empty word" "${head}text = \"\"\n[record]\n"
bad "model for models" "bad.conf:1: .*did you mean 'models'" "model = a\n[record]\n"
bad "error of a value that goes on" "bad.conf:2: no scheme 'x'" \
    "${head}schemes = none\n  x\n[record]\n"
bad "key of a text" "bad.conf:3: zeroshot has no key 'length'" "${head}[zeroshot]\nlength = 9\n"
bad "unknown protocol" "bad.conf:2: .*'streem'.*stream" "${head}protocol = streem\n[perplexity]\n"
bad "protocol of a file of ids" "protocol tokens is what the key tokens does" \
    "${head}protocol = tokens\n[perplexity]\n"
bad "unknown backend" "bad.conf:3: no backend 'tpu'" "${head}[perplexity]\nbackend = tpu\n"
bad "bos of zeroshot" "bad.conf:3: bos is auto, yes or no" "${head}[zeroshot]\nbos = 2\n"
bad "unknown zero-shot task" "did you mean 'piqa'" "${head}[zeroshot]\ntasks = piqaa\n"
bad "missing data" "none: no file of WinoGrande" "${head}[zeroshot]\ndata = none\n"
bad "bad section" "bad.conf:2: a section is" "${head}[record\n"
bad "bad label" "bad.conf:2: label 'a.b'" "${head}[record a.b]\n"
bad "models in a section" "bad.conf:3: models is for all" "${head}[record]\nmodels = b\n"
bad "no models" "names no models" "[record]\n"
bad "no section" "has no section" "${head}"
bad "sections of one name" "need labels" "${head}[record]\n[record]\n"
bad "cells of one name" "two cells are called b.record.none" "models = a/b c/b\n[record]\n"
bad "missing text" "none.txt" "${head}text = none.txt\n[record]\n"
printf 'models = a\n\0' >bad.conf
run bad.conf -o bad
has "zero byte" "bad.conf: is no text" err
bad "title in a section" "bad.conf:3: title is for all" "${head}[record]\ntitle = b\n"
run none.conf
has "no such configuration" "none.conf: no such file, nor a configuration that ships" err
for shard in 0/2 3/2 1 x/2 1/x; do
    run small.conf --shard $shard -o bad
    is "--shard $shard" "$status $(ls -d bad 2>/dev/null)" "2 "
done

# --- dry run ---------------------------------------------------------------------------
run small.conf -o dry --dry-run --rate 100
is "--dry-run makes nothing" "$status $(ls -d dry 2>/dev/null)" "0 "
has "lists cells" "^opt-mini-2m-step500.perplexity.llm-int8_threshold=4  *192  .*to do$" out
has "and all together" "^To do: .* GFLOP, about .* min; at most .* MB" out
run --dry-run --rate 100
is "all cells of the shipped sweep can run" "$status $(grep -c 'cannot run' out)" "0 0"
for name in quantization ablation opt; do
    run $name --dry-run --rate 100
    is "$name ships" "$status" 0
done
is "the nine sizes" "$(grep -c 'record.none .*cannot run' out)" 9
mkdir models && ln -s ../share/opt-mini-2m-step500 models/renamed
printf 'models = renamed\nlength = 64\nsequences = 1\n[record]\n' >root.conf
run root.conf --dry-run --rate 100
has "a model that is nowhere" "cannot run" out
run root.conf --dry-run --rate 100 --model-root models
has "--model-root" "^renamed.record.none .*to do" out
OUTLIERSCOPE_MODELS=models "$program" sweep root.conf --dry-run --rate 100 >out 2>err
has "OUTLIERSCOPE_MODELS" "^renamed.record.none .*to do" out

# --- a whole sweep -------------------------------------------------------------------------
begin=$(date +%s%N)
run small.conf -o whole
took=$((($(date +%s%N) - begin) / 1000000))   # milliseconds
is "a sweep" "$status" 0
has "says what was done" "^small: $cells cells done now, 0 before, 0 failed" out
is "results" "$(ls whole/cells | grep -c -e '\.h5$' -e '\.json$')" "$cells"
is "nothing half done is left" "$(ls whole/cells | grep -v -e '\.h5$' -e '\.json$' -e '\.log$')" ""
for table in outliers perplexity schemes zeroshot; do
    for format in md csv json; do
        test -s whole/tables/$table.$format || report "missing" "table $table.$format"
    done
done
has "the figure" "</svg>" whole/figures/opt-mini-2m-step500.record.none.coverage.svg
has "the figure of accuracies" "</svg>" whole/figures/zeroshot.svg
is "no path of this machine in tables" "$(grep -rl -e "$work" -e "$(hostname)" whole/tables)" ""
"$program" perplexity -q --model "$OSC_SHARE/opt-mini-2m-step500" --sequences 4 --length 48 \
    --chunk 1 --scheme llm-int8:threshold=4 --format json >one.json
is "a cell is what the command prints" \
    "$(cmp one.json whole/cells/opt-mini-2m-step500.perplexity.llm-int8_threshold=4.json)" ""
has "its log has its command" '^\$ outlierscope perplexity .*--length 48' \
    whole/cells/opt-mini-2m-step500.perplexity.absmax.log

run small.conf -o whole
is "an existing sweep" "$status $(grep -c 'holds a sweep: --resume' err)" "1 1"
ls -l --time-style=full-iso whole/cells >before
run small.conf -o whole --resume
ls -l --time-style=full-iso whole/cells >after
is "resuming what is done repeats nothing" "$status $(cmp before after)" "0 "
has "and says so" "^small: 0 cells done now, $cells before" out
sed 's/length = 48/length = 40/' small.conf >other.conf
run other.conf -o whole --resume
is "another configuration" "$status" 1
has "names the difference" 'whole/sweep.json: name is "small" there, but "other" now' err
mkdir other && mv other.conf other/small.conf   # which is where its cells would run
run other/small.conf -o whole --resume
has "names the difference in a section" \
    '\[perplexity\].options.length is "48" there, but "40" now' err
sed 's/# One small model/# Another comment/; s/^length = 64/length   =  64/' small.conf \
    >other/small.conf
run other/small.conf -o whole --resume
is "comments and blanks do not count" "$status" 0

# --- shards ----------------------------------------------------------------------------------
same()     # the tables and figures of two sweeps
{
    diff -r "$1/tables" "$2/tables" && diff -r "$1/figures" "$2/figures"
}
sum=0
for i in 1 2 3; do
    test $i = 1 || test ! -e shards/tables/schemes.md || report "early" "tables"
    run small.conf -o shards --resume --shard $i/3
    is "shard $i of 3" "$status" 0
    sum=$((sum + $(sed -n 's/^small: \([0-9]*\) cells done now.*/\1/p' out)))
done
is "shards share the cells" "$sum" "$cells"
is "the last makes the same tables" "$(same whole shards 2>&1)" ""
cp small.conf other/small.conf
run other/small.conf -o shards --resume
is "resuming keeps them" "$status $(same whole shards 2>&1)" "0 "

# Several at once without shards: no cell runs twice.
for i in 1 2 3; do "$program" sweep small.conf -o crowd --resume >out.$i 2>err.$i </dev/null & done
wait
run small.conf -o crowd --resume
is "three at once" "$status $(same whole crowd 2>&1)" "0 "
is "each cell ran once" "$(cat crowd/cells/*.log | grep -c '^\$ outlierscope')" "$cells"

# --- failures ----------------------------------------------------------------------------------
sed 's/^models = /models = no-such-model /' small.conf >small2.conf
run small2.conf -o failing
is "a model that is not there" "$status" 1
has "counts" "2: $cells cells done now, 0 before, $cells failed" out
has "tells which and why" "no-such-model.compare failed: no model 'no-such-model'" err
is "the rest is the same" "$(cmp whole/tables/schemes.md failing/tables/schemes.md)" ""
mkdir no-such-model
run small2.conf -o failing --resume
has "the error of a cell's process" \
    "no-such-model.compare failed: exit status 1: outlierscope compare: .*config.json" err

# The first process of a sweep is killed, as when memory runs out.
"$program" sweep small.conf -o killed >out 2>err </dev/null &
pid=$!
for i in $(seq 200); do
    child=$(cat /proc/$pid/task/$pid/children 2>/dev/null)
    test -z "$child" || break
    sleep 0.01
done
kill -9 $child
wait $pid
is "a cell that is killed" "$?" 1
has "is told" "record.none failed: killed by signal 9" err
has "and the others go on" "cells done now, 0 before, [12] failed" out
run small.conf -o killed --resume
is "and it can be resumed" "$status $(same whole killed 2>&1)" "0 "

# --- interrupted ----------------------------------------------------------------------------------
# Moments of up to the time of a whole sweep; what is done stays done, so later ones come
# sooner than its end.
seed=${OSC_SEED:-$(date +%s)}
echo "# OSC_SEED=$seed, a sweep takes $took ms"
draw=0
for signal in INT KILL TERM; do
    test $signal = KILL && wanted=137
    test $signal = INT && wanted=130
    test $signal = TERM && wanted=143
    interrupted=0 wrong=
    for round in 1 2 3 4 5 6; do
        draw=$((draw + 1))
        moment=$(awk -v s=$seed -v n=$draw -v t=$took \
            'BEGIN { srand(s); while (n-- > 0) r = rand(); printf "%.3f", 0.02 + r * t / 3000 }')
        timeout --foreground --preserve-status -s $signal $moment \
            "$program" sweep small.conf -o $signal --resume >out 2>err </dev/null
        status=$?
        echo "# $signal after $moment s: exit status $status"
        case $status in
            0) ;;
            $wanted) interrupted=$((interrupted + 1)) ;;
            *) wrong="$wrong status $status: $(tail -n 1 err)" ;;
        esac
    done
    report "$wrong" "$signal: interrupted $interrupted times"
    test $interrupted -gt 0 || report "it never was" "$signal interrupts"
    run small.conf -o $signal --resume
    is "$signal: then it ends" "$status $(cat err | grep failed)" "0 "
    is "$signal: with the same tables" "$(same whole $signal 2>&1)" ""
    is "$signal: and leaves nothing half done" \
        "$(find $signal -name '*.tmp' -o -name '*.part' -o -name '*.h5.lock')" ""
done

echo "1..$number"
