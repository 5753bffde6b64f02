# TAP: --dry-run and --memory of the commands that run a model, and a weight file that
# shrinks under a run.
command=perplexity
. "$OSC_TESTS/command.sh"
peak=$OLDPWD/tests/peak

# --- --dry-run -----------------------------------------------------------------------------
"$program" synth -q opt-125m,outliers=2,num_hidden_layers=6,vocab_size=2000 -o model >/dev/null
small="--model model --tokens ids"
for i in 1 2 3 4; do
    awk -v i=$i 'BEGIN { for (t = 0; t < 64; t++) printf "%d ", (i * 67 + t * 37) % 1999
                         print "" }'
done >ids
for command in record perplexity compare ablate; do
    works "$command --dry-run" "^model  *none  *256 .* MB .* in turn" $small --dry-run
done
command=perplexity
works "coded weights stay" "llm-int8  *256 .* stay" $small --scheme none --scheme llm-int8 --dry-run
works "a model of memory's own size" "opt-175b.*outliers=1 .* GB" --dry-run --sequences 1 \
    --model synth:opt-175b,outliers=1 --length 64
command=record
works "nothing is written" "^model" $small --dry-run
is "no record" "$(ls)" "$(printf 'ids\nmodel')"
command=compare
fails "--dry-run of --errors" 2 "not about --errors" $small --errors --dry-run

# --- against what a run takes ----------------------------------------------------------------
# In 10^6 bytes, from the column of that name; with sanitizers memory is another matter.
predicted()
{
    "$program" $command -q $small --scheme $scheme "$@" --dry-run |
        awk 'NR == 3 { for (i = 3; $i != "MB" && $i != "GB"; i++); print $(i - 1) }'
}

if grep -q __asan_init "$program" || grep -q __tsan_init "$program"; then
    echo "# SKIP predictions under a sanitizer"
else
    for scheme in none llm-int8; do
        for command in perplexity record; do
            output=
            test $command = perplexity || output="-f -o r.h5"
            wanted=$(predicted)
            "$peak" measured "$program" $command -q $small $output --scheme $scheme >/dev/null 2>&1
            is "peak of $command with $scheme within 20 %" "$? $(awk -v p="$wanted" \
                '{ r = p * 1e6 / $1; print (r > 0.8 && r < 1.2 ? "yes" : r) }' measured)" "0 yes"
        done
    done
fi

# --- --memory ------------------------------------------------------------------------------------
command=perplexity
works "without a limit" "" $small --scheme llm-int8 --format json
cp "$work/out" whole
# Of what the program and its libraries take, which differs between builds, 85 MB more: the
# codes of all blocks do not fit beside the rest.
used=$("$program" $command -q $small --scheme llm-int8 --memory 0.001 2>&1 |
    sed -n 's/.* MB (\([0-9]*\) in use.*/\1/p')
few=$(awk -v used="$used" 'BEGIN { print (used + 85) / 1000 }')
works "the blocks take turns" "in turn" $small --scheme llm-int8 --memory $few --dry-run
works "with a limit" "" $small --scheme llm-int8 --memory $few --format json
is "the same result" "$(grep -o '"nll[^,]*' "$work/out")" "$(grep -o '"nll[^,]*' whole)"
fails "too little" 1 "more than the 50 MB allowed" $small --memory 0.05
fails "too little, found out before" 1 "more than the 50 MB allowed" $small --memory 0.05 --dry-run
fails "no memory" 2 "memory" $small --memory 0
rm -f whole measured r.h5

# --- a file that shrinks -----------------------------------------------------------------------------
command=record
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat ids ids ids ids; done >many
"$program" record -q --model model --tokens many --chunk 1 --interval 0 -o cut.h5 \
    >"$work/out" 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null && test ! -e cut.h5; do sleep 0.05; done
truncate -s 100000 model/model.safetensors
wait $pid
is "a run whose weights are cut off" "$? $(wc -l <"$work/err") $(grep -c \
    'model/model.safetensors: the file became shorter while it was in use' "$work/err")" "1 1 1"
is "what was recorded before is whole" \
    "$("$program" info cut.h5 2>&1 | grep -c '^complete  *no')$(test -e cut.h5 || echo none)" \
    "$(test -e cut.h5 && echo 1 || echo 0none)"

echo "1..$number"
