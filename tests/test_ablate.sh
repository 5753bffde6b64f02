# TAP: `ablate` as a user runs it: usage, files, formats, records, signals.
command=ablate
. "$OSC_TESTS/command.sh"

two="--model $share/opt-mini-2m" early="--model $share/opt-mini-2m-step500"
tiny="--sequences 2 --length 48"

# --- usage ------------------------------------------------------------------------
fails "unknown mode" 2 "did you mean 'mean'" --mode meen
fails "unknown point" 2 "did you mean 'fc1_in'" --points qkv_in,fc1in
fails "no points" 2 "at least one" --points none
fails "two choices" 2 "exclude each other" --features 1 --top 2
fails "alpha of a record" 2 "no meaning" --record x.h5 --alpha 3
fails "seed 0" 2 "seed" --seed 0
fails "--force alone" 2 "add -o FILE" --force
fails "-o -" 2 "format json" -o -
fails "one file for both" 2 "same file" --plot x -o x
fails "unknown format" 2 "json" --format jsno
fails "unknown scheme" 2 "did you mean 'llm-int8'" --scheme llm-int9
fails "folder that is not there" 1 "none/x.json" -o none/x.json
fails "missing model" 1 "none" --model none -o x.json
fails "missing record" 1 "none.h5" $two $tiny --record none.h5
fails "no such feature" 1 "no feature 128: the model is 128 wide" $two $tiny --features 3,128
fails "features that are no numbers" 1 "--features: '3x' is no feature" $two $tiny --features 3x,4
fails "empty item" 1 "--features: a feature is missing" $two $tiny --features 3,,4
fails "too many features" 1 "129 features to take out" $two $tiny --top 129
fails "point of another width" 1 "fc2_in has not the features" $two $tiny --points fc2_in
fails "sets larger than what is left" 1 "random sets of 100 features" $two $tiny --top 100

# --- formats ------------------------------------------------------------------------
works "table" "^chosen  *2  *[0-9]* [0-9]*  *[0-9.]*  *[0-9.]*  *[0-9.]*  *[0-9.]*$" $two $tiny \
    --top 2 --draws 5 -o a.json --plot a.svg
is "a row per draw" "$(grep -c '^random [1-5] ' "$work/out")" 5
is "statistics of the draws" "$(grep -c '^random: ' "$work/out")" 4
is "what was zeroed is said" "$(grep -c 'zeroed at qkv_in+fc1_in' "$work/out")" 1
is "the protocol is named" "$(grep -c '^protocol stream' "$work/out")" 1
is "the figure" "$(head -c 5 a.svg) $(tail -n 1 a.svg)" "<?xml </svg>"
for key in model scheme options backend protocol bos sequences sequence_length scored \
    weights_sha256 tokenizer_sha256 text_sha256 tool command features magnitudes points mode seed \
    baseline zeroed cumulative; do
    is "the results have $key" "$(grep -c "^  \"$key\":" a.json)" 1
done
works "JSON" '"interval": \[' $two $tiny --top 2 --draws 5 --format json
for file in a.json "$work/out"; do grep -v '"command"' "$file" >"$work/${file##*/}.plain"; done
is "the same in the file" "$(cmp "$work/a.json.plain" "$work/out.plain")" ""
fails "an existing file is not replaced" 1 "a.json exists: --force" $two $tiny --top 2 -o a.json
works "unless it is to be" "^chosen " $two $tiny --top 2 --draws 0 -o a.json --force
works "markdown" "^| chosen " $two $tiny --top 2 --draws 0 --format md
works "LaTeX" "^chosen &" $two $tiny --top 2 --draws 0 --format latex
works "CSV" "^opt-mini-2m,none,chosen,2," $two $tiny --top 2 --draws 1 --cumulative --format csv
is "a line per set and step, and two means and their spread" "$(wc -l <"$work/out")" \
    $((2 + 2 * (1 + 1 + 4)))
works "means instead of zeros" "replaced by their means at qkv_in of" $two $tiny --top 2 --draws 0 \
    --mode mean --points qkv_in
works "quantized" "scheme llm-int8$" $two $tiny --top 2 --draws 0 --scheme llm-int8
works "no outliers" "no outlier feature, so nothing" $early $tiny --alpha 100
works "threads do not matter" "^chosen " $two $tiny --top 2 --draws 2 --threads 1
cp "$work/out" "$work/one"
works "nor chunks" "^chosen " $two $tiny --top 2 --draws 2 --threads 2 --chunk 1
is "bit for bit" "$(cmp "$work/out" "$work/one")" ""

# --- records -----------------------------------------------------------------------
text="--sequences 4 --length 128"
"$program" record -q $two $text -o run.h5 >"$work/out"
works "outliers found on the way" "outliers by the default rule in the same text" $two $text \
    --draws 2 -o found.json
works "and in a record" '"chosen_by": "outliers by the default rule in run.h5"' $two $text \
    --record run.h5 --draws 2 --format json -o record.json
is "are the same, with the same results" \
    "$(for f in found record; do grep -v -e '"command"' -e '"chosen_by"' $f.json >$f; done
       cmp found record)" ""
is "and those that 'outliers' lists" \
    "$("$program" outliers --format json run.h5 |
       sed -n 's/.*"feature": \([0-9]*\),/\1/p' | sort)" \
    "$(sed -n '/^  "features"/,/\]/s/^ *\([0-9][0-9]*\).*/\1/p' record.json | sort)"
works "a point that the record lacks" "at resid_mid" $two $text --record run.h5 --draws 0 \
    --points resid_mid
fails "a record of other weights" 1 "other weights" $early $text --record run.h5

# --- signals -----------------------------------------------------------------------
"$program" ablate $two --draws 20 --length 64 --chunk 1 -o stopped.json >"$work/out" 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null && ! grep -q observing "$work/err"; do sleep 0.05; done
kill -TERM $pid 2>/dev/null
wait $pid
is "SIGTERM" "$? $(grep -c stopped "$work/err") $(wc -c <"$work/out")" "143 1 0"
is "leaves nothing" "$(ls | grep -c -e stopped -e tmp)" 0

echo "1..$number"
