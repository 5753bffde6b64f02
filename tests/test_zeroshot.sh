# TAP: `zeroshot` as a user runs it: tables, files, likelihoods, resuming after kill -9.
command=zeroshot
. "$OSC_TESTS/command.sh"

# Values of a key, a row a line, in the order of the rows.
values()   # key, file
{
    sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$2"
}

small="--model $share/opt-mini-2m"
early="--model $share/opt-mini-2m-step500"
samples=$share/zeroshot

# --- usage ------------------------------------------------------------------------
fails "unknown task" 2 "did you mean 'hellaswag'" --tasks piqa,helaswag
fails "empty task" 2 "an item of 0" --tasks piqa,,lambada
fails "unknown scheme" 2 "did you mean 'llm-int8'" --scheme llm-int9
fails "unknown bos" 2 "auto, yes or no" --bos maybe
fails "file without a task" 2 "not TASK=FILE" --file x.jsonl
fails "file of another task" 2 "did you mean 'piqa'" --file piqq=x.jsonl
fails "labels of another task" 2 "labels.*unknown task" --labels x=y
fails "no items" 2 "limit" --limit 0
fails "--resume with --force" 2 "exclude each other" --resume --force -o x.json
fails "--resume without a file" 2 "add -o FILE" --resume
fails "-o -" 2 "format json" -o -
fails "one file for two" 2 "x is to hold two" --items x --plot x
fails "unknown format" 2 "json" --format jsno
fails "an option of other commands" 2 "text" --text x
fails "folder that is not there" 1 "none/x.json" -o none/x.json
fails "no data" 1 "none: no file of WinoGrande, such as winogrande/dev.jsonl; --file" --data none
fails "missing file" 1 "x.jsonl" --file piqa=x.jsonl
fails "missing model" 1 "none" --model none -o x.json
mkdir bad
echo '{"goal": "g", "sol1": "a", "sol2": "b"}' >bad/valid.jsonl
fails "labels that are missing" 1 "bad/valid.jsonl: item 1 does not tell" --data bad --tasks piqa
echo '{"text": 1}' >bad/lambada_test.jsonl
fails "a record of something else" 1 "bad/lambada_test.jsonl: line 1" --data bad --tasks lambada

# --- the table -------------------------------------------------------------------
works "the four tasks and their mean" "^opt-mini-2m  *none  *2  *mean  *-  *[0-9.]*  *[0-9.]*" $small
is "rows" "$(grep -c '^opt-mini-2m  *none ' "$work/out")" 5
is "LAMBADA has a perplexity" \
    "$(grep -c '^opt-mini-2m  *none  *2  *LAMBADA  *10  *[0-9.]*  *[0-9.]*  *-  *-  *[0-9.]*$' "$work/out")" 1
works "bos is named" "^opt-mini-2m  *none  *2  *PIQA " $small --tasks piqa
is "three tasks have no mean" "$(grep -c ' mean ' "$work/out")" 0
works "no bos is named" "^opt-mini-2m  *none  *-  *PIQA " $small --tasks piqa --bos no
for format in md csv latex html; do
    works "$format" "llm-int8" $early --tasks lambada --scheme llm-int8 --format $format
done
works "models x schemes" "^opt-mini-2m-step500  *absmax  *2  *mean " $small $early --scheme none \
    --schemes absmax --limit 2 --plot f.svg
is "rows of both" "$(grep -c ' mean ' "$work/out")" 4
is "the figure" "$(head -c 5 f.svg) $(tail -n 1 f.svg) $(grep -c '>absmax<' f.svg)" "<?xml </svg> 1"

# --- JSON, likelihoods ---------------------------------------------------------------
works "JSON" '"task": "mean"' $small --scheme none --scheme llm-int8 --format json --items items
cp "$work/out" whole
for key in model parameters scheme options task acc acc_stderr; do
    is "every row has $key" "$(grep -c "\"$key\":" whole)" 10
done
for key in items acc_norm acc_norm_stderr perplexity truncated bos backend model_sha256 \
    tokenizer_sha256 data_sha256; do
    is "every task has $key" "$(grep -c "\"$key\":" whole)" 8
done
is "the paper's order" "$(values task whole | head -n 5 | tr '\n' ' ')" \
    "winogrande hellaswag piqa lambada mean "
is "an item a line" "$(wc -l <items)" $((2 * (12 + 8 + 10 + 10)))
is "four likelihoods of HellaSwag" \
    "$(grep -c '"hellaswag".*"loglikelihood":\[-[0-9.]*,-[0-9.]*,-[0-9.]*,-[0-9.]*\]' items)" 16
# The table anew from the items.
is "acc is the share of right choices" "$(grep '"none".*"piqa"' items | awk '
    match($0, /"choice":[0-9]/) { c = substr($0, RSTART + 9, 1) }
    match($0, /"gold":[0-9]/) { n++; r += c == substr($0, RSTART + 7, 1) }
    END { printf "%.4f", r / n }')" "$(values acc whole | sed -n 3p | awk '{ printf "%.4f", $1 }')"
is "LAMBADA's acc is the share of greedy ones" \
    "$(grep '"none".*"lambada"' items | grep -c '"greedy":true')" \
    "$(values acc whole | sed -n 4p | awk '{ print $1 * 10 }')"
is "and its perplexity that of a word" "$(grep '"none".*"lambada"' items | sed 's/.*:\[-\([0-9.]*\)\].*/\1/' |
    awk '{ s += $1 } END { printf "%.6f", exp(s / NR) }')" \
    "$(values perplexity whole | sed -n 4p | awk '{ printf "%.6f", $1 }')"
is "the mean of four" "$(values acc whole | head -n 4 | awk '{ s += $1 } END { printf "%.6f", s / 4 }')" \
    "$(values acc whole | sed -n 5p | awk '{ printf "%.6f", $1 }')"
works "threads and chunks change nothing" "" $small --scheme none --scheme llm-int8 --format json \
    --items items2 --threads 1 --chunk 1
is "bit for bit" "$(cmp items items2)$(cmp whole "$work/out")" ""
run $small --tasks lambada --bos no --items items3
is "bos counts" "$(cmp -s items3 "$work/out"; grep '"none".*lambada' items | cmp -s - items3; echo $?)" 1
works "limit" '"items": 3' $small --tasks lambada --limit 3 --format json --items items3
is "the first ones" "$(grep '"none".*lambada' items | head -n 3 | cmp - items3)" ""

# --- files --------------------------------------------------------------------------
mkdir data
cp "$samples/piqa/valid.jsonl" data/dev.jsonl
cp "$samples/piqa/valid-labels.lst" data/dev-labels.lst
gzip -c "$samples/lambada/lambada_test.jsonl" >data/lambada_test.jsonl.gz
works "other names, gzip" '"task": "piqa"' $small --data data --tasks piqa,lambada --format json
is "the same numbers" "$(values acc "$work/out" | tr '\n' ' ')" \
    "$(values acc whole | sed -n 3,4p | tr '\n' ' ')"
sed 'y/01/10/' data/dev-labels.lst >other
works "other labels" '"task": "piqa"' $small --data data --tasks piqa --labels piqa=other \
    --format json
is "the contrary" "$(values acc "$work/out" | awk '{ printf "%.4f", 1 - $1 }')" \
    "$(values acc whole | sed -n 3p | awk '{ printf "%.4f", $1 }')"

# --- resuming -------------------------------------------------------------------------
cells="$small --scheme none --scheme llm-int8"
works "results in a file" " mean " $cells -o whole.json
cp whole.json again.json
fails "an existing file is not replaced" 1 "whole.json exists: --resume .*--force" $cells \
    -o whole.json
works "a complete file resumes" " mean " $cells -o again.json --resume
is "to itself" "$(cmp whole.json again.json)" ""
sed '0,/"acc": 0.[0-9]*/s//"acc": 0.125/' whole.json >marked.json
works "resumed cells are not measured" '"acc": 0.125,' $cells -o marked.json --resume --format json
works "but for the likelihoods of their items" "" $cells -o marked.json --resume --items items4 \
    --format json
is "which are the same" "$(cmp items items4)$(cmp whole "$work/out")" ""
works "a part" "" $small --tasks piqa -o part.json
works "continued" " mean " $cells -o part.json --resume
sort whole.json >sorted
is "has the same rows" "$(sort part.json | cmp - sorted)" ""

fails "another number of items" 1 "number of items: 12, this run has 5" $cells -o whole.json --resume --limit 5
fails "another bos" 1 "another bos: 2, this run has -1" $cells -o whole.json --resume --bos no
fails "other data" 1 "another data file" $small --tasks piqa --data data --labels piqa=other \
    -o whole.json --resume
echo '{ "a": 1 }' >object.json
fails "a file of something else" 1 "not an array" $small -o object.json --resume
echo '[ { "model": 1 } ]' >row.json
fails "rows of something else" 1 "not an array of results" $small -o row.json --resume
sed 's/"acc": 0[0-9.]*/"acc": 7/' whole.json >damaged.json
fails "a row that is damaged" 1 'damaged.json: row 1: "acc" is not a share' $small \
    -o damaged.json --resume

# Killed at many moments, saved after every chunk; then resumed to the same files.
slow="$cells --interval 0 --chunk 1 -o killed.json --items killed.items --format json"
"$program" zeroshot -q $cells --interval 0 --chunk 1 --items whole.items --format json >whole \
    2>"$work/err"
kills=0 partial=0
for pause in 0 0.02 0.05 0.1 0.03 0.15 0.01 0.2; do
    before=$(cksum killed.json 2>&1)
    "$program" zeroshot -q $slow --resume >/dev/null 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null && test "$(cksum killed.json 2>&1)" = "$before"; do
        sleep 0.02
    done
    sleep $pause
    kill -9 $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null
    test ! -f killed.json || partial=$((partial + $(grep -c '"partial"' killed.json)))
done
works "resumed after kill -9 at $kills moments" '"task": "mean"' $slow --resume
is "to the same numbers" "$(cmp whole "$work/out")" ""
is "and the same likelihoods" "$(cmp whole.items killed.items)" ""
is "from unfinished tasks" "$(test "$partial" -gt 0 && echo yes)" yes

rm -f killed.*.tmp   # of what was killed while it wrote
"$program" zeroshot -q $slow --force >/dev/null 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null && ! grep -q partial killed.json; do sleep 0.02; done
kill -TERM $pid 2>/dev/null
wait $pid
is "SIGTERM" "$? $(grep -c -e 'stopped.*--resume' "$work/err")" "143 1"
is "leaves a file to resume from" "$(grep -c '"partial": true' killed.json)" 1
is "no temporary file stays" "$(ls | grep -c tmp)" 0
sed 's/"greedy": "[01]/&1111111111111111111111111111111111111111/' killed.json >damaged.json
fails "scores that are damaged" 1 'damaged.json: "scores" are not those of' $cells \
    -o damaged.json --resume

echo "1..$number"
