# TAP: outliers --metrics as a user runs it, of records with the metrics and without.
program=$(pwd)/outlierscope
share=$(cd "$OSC_SHARE" && pwd) || exit 99
data=$(cd "$OSC_TESTS/data" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-metrics.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
echo 1..5

report()   # number, what is wrong ("" if nothing), name
{
    if test -z "$2"; then echo "ok $1 - $3"
    else echo "not ok $1 - $3: $2"; fi
}

for file in with without; do
    test $file = with || option=--no-metrics
    "$program" record -q --model "$share/opt-mini-2m" --sequences 2 $option -o $file.h5 \
        --tokens "$data/text/sampled-16x256.tokens" >log 2>&1 || { cat log; echo "Bail out!"; exit 1; }
done

"$program" outliers --metrics with.h5 without.h5 >table 2>err || cat err
wrong=
grep -q "^opt-mini-2m  *[0-9.]* *[0-9.]* .* blocks\.[0-9]\.[a-z_0-9]* " table || wrong="no row of numbers"
grep -q "^opt-mini-2m *- *- *- *- *- *- *- *- *- *-" table || wrong="$wrong; no row of dashes"
grep -q "^without.h5: was recorded without" table || wrong="$wrong; no note"
report 1 "$wrong" "the table has numbers, and dashes where there are none"

"$program" outliers --metrics --format csv with.h5 >csv
wrong=
test "$(wc -l <csv)" = 2 && grep -q ",with.h5$" csv || wrong=$(cat csv)
report 2 "$wrong" "as CSV it is one line per record"

"$program" outliers --format json with.h5 >json
wrong=
for key in he_kurtosis mmr inf_norm inf_norm_module kurtosis massive; do
    grep -q "^    \"$key\": [^n]" json || wrong="$wrong $key"
done
for key in blocks count features scalars layers top median; do
    grep -q "^      \"$key\":" json || wrong="$wrong $key"
done
report 3 "$wrong" "JSON has them"

"$program" outliers --format json without.h5 >json
wrong=
for key in he_kurtosis mmr inf_norm kurtosis massive; do
    grep -q "^    \"$key\": null" json || wrong="$wrong $key"
done
report 4 "$wrong" "and nulls where there are none"

"$program" record -q --model "$share/opt-mini-2m" --sequences 2 --resume -o without.h5 \
    --tokens "$data/text/sampled-16x256.tokens" >out 2>err
status=$? wrong=
test $status = 1 && grep -q "recorded with modules '', this run has 'qkv_in+" err || wrong=$(cat err)
report 5 "$wrong" "a record without them is not resumed with"
