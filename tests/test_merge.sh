# TAP: record --shard and merge as a user runs them: shards of a text, one of them
# interrupted and resumed, merged into the record of a single run; what is refused.
program=$(pwd)/outlierscope
share=$(cd "$OSC_SHARE" && pwd) || exit 99
data=$(cd "$OSC_TESTS/data" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-merge.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

number=0
report()   # what is wrong ("" if nothing), name
{
    number=$((number + 1))
    if test -z "$1"; then echo "ok $number - $2"
    else echo "not ok $number - $2: $1"; fi
}

record()
{
    "$program" record -q --model "$share/opt-mini-2m" --sequences 7 --chunk 2 \
        --tokens "$data/text/sampled-16x256.tokens" "$@" >out 2>err
}

fails()   # name, exit status, pattern, command...
{
    name=$1 expected=$2 pattern=$3; shift 3
    "$@" >out 2>err
    status=$? wrong=
    test $status = "$expected" || wrong="exit status $status, not $expected"
    grep -q -e "$pattern" err || wrong="$wrong; no '$pattern' in '$(cat err)'"
    test ! -f none.h5 || wrong="$wrong; a file was written"
    report "$wrong" "$name"
}

wrong=
record -o whole.h5 || wrong=$(cat err)
for i in 1 2 3; do
    record --shard $i/3 || wrong="$wrong $(cat err)"
    test -f opt-mini-2m.$i-of-3.h5 || wrong="$wrong no record of shard $i"
    mv opt-mini-2m.$i-of-3.h5 $i.h5
done
report "$wrong" "shards are recorded under names of their own"

wrong=
"$program" merge -q 3.h5 1.h5 2.h5 -o all.h5 >out 2>err || wrong=$(cat err)
grep -q "^perplexity" out || wrong="$wrong; no perplexity printed"
if command -v h5diff >/dev/null; then
    for group in outliers positions sequences modules; do
        h5diff whole.h5 all.h5 /$group /$group >>diff 2>&1 || wrong="$wrong; /$group differs"
    done
    h5diff -p 1e-12 whole.h5 all.h5 /stats /stats >>diff 2>&1 || wrong="$wrong; /stats differs"
fi
report "$wrong" "merged they are the record of one run"

for file in whole all; do
    "$program" outliers --format json $file.h5 | grep -v '"record"' >$file.json
done
wrong=$(diff whole.json all.json | grep '"count"\|"perplexity"\|"quartiles"\|"positions"\|"complete"')
report "$wrong" "and give the same table of outliers"

wrong=
"$program" info all.h5 | grep -q "^merged from .*1.h5: shard 1 of 3, sequences 0 to 2, " || wrong="all.h5"
"$program" info 2.h5 | grep -q "^first sequence *3$" || wrong="$wrong 2.h5"
report "$wrong" "info tells shards and what was merged"

wrong=
"$program" outliers 2.h5 | grep -q "2.h5 is shard 2 of 3, sequences 3 to 4 of 7" || wrong="outliers"
"$program" coverage 2.h5 | grep -q "is shard 2 of 3, sequences 3 to 4 of 7" || wrong="$wrong coverage"
report "$wrong" "analyses of a shard say that it is one"

record --shard 2/3 --scheme llm-int8 -o other.h5
fails "a missing shard" 1 "shard 2 of 3 is missing" "$program" merge 1.h5 3.h5 -o none.h5
fails "a shard given twice" 1 "are both shard 1 of 3" "$program" merge 1.h5 3.h5 1.h5 -o none.h5
fails "another scheme" 1 "other.h5 does not belong to 1.h5: scheme is 'llm-int8.*' here, 'none' there" \
    "$program" merge 1.h5 other.h5 3.h5 -o none.h5
fails "a record that is there" 1 "all.h5: exists already" "$program" merge 1.h5 2.h5 3.h5 -o all.h5
fails "no output named" 2 "-o FILE is needed" "$program" merge 1.h5 2.h5 3.h5
fails "no shards" 2 "no shards given" "$program" merge -o none.h5
fails "a shard that is none" 2 "--shard: '4/3' is not I/N" record --shard 4/3
fails "more shards than sequences" 1 "the text has 7 sequences" record --shard 1/8 -o none.h5
fails "resuming as another shard" 1 "recorded with " record --shard 1/3 --resume -o 2.h5
echo 1..$number
