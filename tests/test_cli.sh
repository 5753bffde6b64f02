# TAP: drives the built program as a user does: exit statuses, messages, what is
# written.  Every failure must be one line on stderr and leave nothing behind.
program=$(pwd)/outlierscope
share=$(cd "$OSC_SHARE" && pwd) || exit 99
tests=$(cd "$OSC_TESTS" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-cli.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/in" "$work/run"
in=$work/in
cd "$work/run" || exit 99

number=0
report()   # what is wrong ("" if nothing), name
{
    number=$((number + 1))
    if test -z "$1"; then echo "ok $number - $2"
    else echo "not ok $number - $2: $1"; fi
}

# Runs the program: $status, $work/out, $work/err.
run()
{
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# fails NAME STATUS PATTERN ARG...: this exit status, one line on stderr that has the
# pattern, nothing on stdout, no new file.
fails()
{
    name=$1 expected=$2 pattern=$3; shift 3
    before=$(ls -lA --time-style=full-iso)
    run "$@"
    wrong=
    test $status = "$expected" || wrong="exit status $status, not $expected"
    test "$(wc -l <"$work/err")" = 1 || wrong="$wrong; $(wc -l <"$work/err") lines on stderr"
    grep -q -e "^outlierscope" "$work/err" || wrong="$wrong; stderr does not begin with the program"
    grep -q -e "$pattern" "$work/err" || wrong="$wrong; no '$pattern' in '$(cat "$work/err")'"
    test ! -s "$work/out" || wrong="$wrong; something on stdout"
    test "$before" = "$(ls -lA --time-style=full-iso)" || wrong="$wrong; files changed"
    report "$wrong" "$name"
}

# works NAME PATTERN ARG...: exit status 0, and the pattern in the output.
works()
{
    name=$1 pattern=$2; shift 2
    run "$@"
    wrong=
    test $status = 0 || wrong="exit status $status: $(head -n 1 "$work/err")"
    grep -q -e "$pattern" "$work/out" || wrong="$wrong; no '$pattern' on stdout"
    report "$wrong" "$name"
}

is()       # name, found, expected
{
    if test "$2" = "$3"; then report "" "$1"; else report "'$2', expected '$3'" "$1"; fi
}

# --- the program ----------------------------------------------------------------
works "no arguments: help" "^usage: outlierscope COMMAND"
works "--help" "^usage: outlierscope COMMAND" --help
works "help" "^usage: outlierscope COMMAND" help
works "--version" "^outlierscope [0-9]" --version
fails "unknown command" 2 "did you mean 'record'" recrod
fails "unknown command unlike any" 2 "lists the commands" zebra
fails "unknown option of the program" 2 "unknown option '--hepl'" --hepl
fails "help of an unknown command" 2 "did you mean 'perplexity'" help perplexty

commands=$("$program" --help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p')
for command in record merge perplexity compare ablate generate sweep tokenize info synth outliers coverage \
    emergence report; do
    is "$command is listed" "$(echo "$commands" | grep -cx $command)" 1
done
for command in $commands; do
    works "$command --help" "^usage: outlierscope $command" "$command" --help
    cp "$work/out" "$work/help"
    works "help $command" "^Options:" help "$command"
    is "both helps of $command" "$(cmp "$work/out" "$work/help")" ""
    is "help of $command fits 100 columns" "$(awk 'length > 100' "$work/help")" ""
    fails "$command with an unknown option" 2 "did you mean --quiet" "$command" --quite
done

# --- output that fails ------------------------------------------------------------
"$program" --help >/dev/full 2>"$work/err"
is "full disk behind stdout" "$?: $(grep -c 'cannot write to standard output' "$work/err")" "1: 1"
"$program" --help >&- 2>"$work/err"
is "closed stdout" "$?: $(grep -c 'cannot write to standard output' "$work/err")" "1: 1"
{ sleep 0.2; "$program" --help 2>"$work/err"; echo $? >"$work/status"; } | :
is "closed pipe" "$(cat "$work/status"): $(grep -c 'Broken pipe' "$work/err")" "1: 1"

# --- usage ------------------------------------------------------------------------
fails "option without its value" 2 "needs a value: --model DIR" record --model
fails "switch with a value" 2 "takes no value" record --resume=yes
fails "unknown letter" 2 "unknown option -z" record -z
fails "operand where none belongs" 2 "unexpected argument 'x.txt'" record x.txt
fails "number that is none" 2 "--length: '12x' is not a whole number from 2" record --length 12x
fails "number out of bounds" 2 "--alpha: '0' is not a number from" record --alpha=0
fails "unknown hook point" 2 "fc1_in" record --points qkv_in,fc1_im
fails "unknown tracked point" 2 "--track: .*qkv_in" record --track qvk_in
fails "unknown protocol" 2 "stream" perplexity --protocol strem
fails "unknown scheme" 2 "none" perplexity --scheme nonr
fails "unknown scheme option" 2 "none" perplexity --scheme none:threshold=6
fails "unknown backend" 2 "cpu" perplexity --backend cpp
fails "unknown format" 2 "json" perplexity --format jsn
fails "format of info" 2 "neither text nor json" info --format xml
fails "--text with --tokens" 2 "no meaning with --tokens" record --text a --tokens b
fails "--bos with --no-bos" 2 "exclude each other" tokenize --bos 2 --no-bos
fails "--resume with --force" 2 "exclude each other" record --resume --force

fails "--without without its value" 2 "needs a value: --without" record --without

# --- bad input ----------------------------------------------------------------------
model=$share/opt-mini-2m-step500
copy()     # a model directory of links to the shipped one
{
    mkdir "$in/$1"
    for file in config.json model.safetensors vocab.json merges.txt; do
        ln -s "$model/$file" "$in/$1/$file"
    done
}
replace()  # a file of it, from stdin
{
    rm "$in/$1"
    cat >"$in/$1"
}
small="--sequences 2 --length 64"

fails "missing model" 1 "$in/none" record --model "$in/none"
fails "missing text" 1 "$in/none.txt: No such file" record --text "$in/none.txt"
fails "missing tokens" 1 "$in/none.tokens: No such file" perplexity --tokens "$in/none.tokens"
fails "missing record" 1 "$in/none.h5" info "$in/none.h5"
fails "a record that is none" 1 "config.json" info "$model/config.json"

copy truncated
head -c 100000 "$model/model.safetensors" | replace truncated/model.safetensors
fails "truncated safetensors" 1 "model.safetensors" record --model "$in/truncated"
copy garbage
echo "no tensors here" | replace garbage/model.safetensors
fails "garbage for safetensors" 1 "model.safetensors" record --model "$in/garbage"
copy module
rm "$in/module/model.safetensors"
fails "no weights" 1 "there is none of model.safetensors, .*pytorch_model.bin" info "$in/module"
cp "$tests/data/torch/no_module.bin" "$in/module/pytorch_model.bin"
fails "a pickled program" 1 "pytorch_model.bin: .*refers to 'torch.nn.modules.linear.Linear'" \
    info "$in/module"
copy contradiction
sed 's/"ffn_dim": 512/"ffn_dim": 513/' "$model/config.json" | replace contradiction/config.json
fails "config that contradicts a shape" 1 "fc1.*513" record --model "$in/contradiction"
copy arch
sed 's/"opt"/"oqt"/' "$model/config.json" | replace arch/config.json
fails "unknown architecture" 1 "oqt" record --model "$in/arch"
copy badjson
echo '{ "model_type": "opt",' | replace badjson/config.json
fails "config that is no JSON" 1 "config.json" record --model "$in/badjson"

echo "2 5 8192 7" >"$in/outside.tokens"
fails "id outside the vocabulary" 1 "8192" record --model "$model" --tokens "$in/outside.tokens"
seq -s ' ' 4 1028 >"$in/long.tokens"
fails "sequence longer than the positions" 1 "1024" perplexity --model "$model" --tokens "$in/long.tokens"
fails "--length beyond the positions" 1 "1024 positions" record --model "$model" --length 1025
echo "2 5 x" >"$in/word.tokens"
fails "word among the ids" 1 "word.tokens.*1" perplexity --model "$model" --tokens "$in/word.tokens"
: >"$in/empty.txt"
fails "empty text" 1 "empty.txt" record --model "$model" --text "$in/empty.txt"
fails "empty tokens" 1 "empty.txt" record --model "$model" --tokens "$in/empty.txt"
fails "unwritable output" 1 "$in/none/x.h5" record -q --model "$model" $small -o "$in/none/x.h5"

mkdir "$in/bare"
ln -s "$model/config.json" "$model/model.safetensors" "$in/bare"
fails "no tokenizer files" 1 "--tokens" record --model "$in/bare"

copy nan
cp "$model/model.safetensors" "$in/nan/copy"
chmod u+w "$in/nan/copy"
mv -f "$in/nan/copy" "$in/nan/model.safetensors"
end=$(($(wc -c <"$in/nan/model.safetensors") - 2))
printf '\000\176' | dd of="$in/nan/model.safetensors" bs=1 seek=$end conv=notrunc 2>/dev/null
fails "NaN weight" 1 "model\.decoder\." record -q --model "$in/nan" $small
works "NaN weight allowed" "scheme none" record --model "$in/nan" $small --allow-nonfinite -o nan.h5

# --- good input ---------------------------------------------------------------------
works "tokenize" "^2 202 202 4416 17 371" tokenize
is "documents and ids of the shipped text" "$(awk '{ n += NF } END { print NR, n }' "$work/out")" "16 8183"
cp "$work/out" "$in/all.tokens"
works "tokenize --no-bos" "^202 202 4416" tokenize --no-bos
printf 'a\377\376b\300' >"$in/bytes.txt"
works "invalid UTF-8 tokenizes" "^2 [0-9]" tokenize --text "$in/bytes.txt"

works "info of a checkpoint" "^parameters  *2369792" info "$model"
works "info --digest" "8a7668a546a81b012f5fa9e10c28b11850c9c08f2720265c0dcf6235ffc6663a" info --digest "$model"
works "info --format json" '"architecture": "opt"' info --format json "$model" "$model"

works "record" "perplexity" record --model "$model" $small -o small.h5
is "progress that is no terminal's is lines" "$(grep -c "$(printf '\r')" "$work/err")" 0
works "record -q" "perplexity" record -q --model "$model" $small -o small.h5 --force
is "quiet stderr" "$(cat "$work/err")" ""
fails "an existing record is not replaced" 1 "small.h5 exists.*--resume.*--force" \
    record -q --model "$model" $small -o small.h5
works "a complete record resumes to itself" "perplexity" record --model "$model" $small -o small.h5 --resume
fails "resuming with another option" 1 "alpha" record -q --model "$model" $small -o small.h5 --resume --alpha 5
works "info of a record" "^sequences done  *2$" info small.h5
works "info of a record as JSON" '"complete": true' info --format json small.h5
recorded=$(sed -n 's/^ *"perplexity": \([0-9.]*\).*/\1/p' "$work/out")
works "perplexity as JSON" '"bos": 2' perplexity --model "$model" $small --format json
for key in model scheme options protocol sequences sequence_length scored nll perplexity; do
    is "perplexity has $key" "$(grep -c "\"$key\":" "$work/out")" 1
done
is "both perplexities" "$(sed -n 's/^ *"perplexity": \([0-9.]*\).*/\1/p' "$work/out")" "$recorded"
works "perplexity as text names its protocol" "protocol stream" \
    perplexity --model "$model" --model "$model" $small
works "ids instead of a text" "tokens" perplexity --model "$in/bare" --tokens "$in/all.tokens"
works "outliers" "opt-mini-2m-step500" outliers small.h5
works "coverage" "." coverage small.h5

trained="--model $share/opt-mini-2m $small"
works "a trained model" "command with --without loud.h5" record $trained -o loud.h5
works "--without a record's outliers" "perplexity" \
    record $trained --without loud.h5 -o quiet.h5
works "its column is filled" '"top1_without": 0\.' outliers quiet.h5 --format json
works "its features are named" "quiet.h5: without feature" outliers quiet.h5
is "perplexity is that of the regular run" "$("$program" info quiet.h5 | grep '^nll')" \
    "$("$program" info loud.h5 | grep '^nll')"
works "a record without it says how" "loud.h5: without is not recorded.*--without loud.h5" \
    outliers loud.h5
works "--without a list" "perplexity" \
    record $trained --without 63,7,7 -o quiet.h5 --force
works "sorted, once each" "without features 7, 63" outliers quiet.h5
works "a wider model" "perplexity" record $small -o wide.h5
works "resuming with the same" "perplexity" \
    record $trained --without 7,63 -o quiet.h5 --resume
fails "resuming with other features" 1 "feature 63 is left out there only" \
    record -q $trained --without 7 -o quiet.h5 --resume
fails "a feature that is not there" 1 "no feature 128: the model is 128 wide" \
    record -q $trained --without 7,128 -o none.h5
fails "a feature too many digits long" 1 "no feature 99999999999999999999" \
    record -q $trained --without 99999999999999999999 -o none.h5
fails "an empty feature" 1 "separated by single commas" \
    record -q $trained --without 7,,8 -o none.h5
fails "--without a record that has no outliers" 1 "small.h5 has no outlier features" \
    record -q $trained --without small.h5 -o other.h5
fails "--without a record of another width" 1 "wide.h5 is of a model .* of hidden size" \
    record -q $trained --without wide.h5 -o other.h5
fails "--without a record that is not there" 1 "none.h5: no such file" \
    record -q $trained --without none.h5 -o other.h5

# --- generated models --------------------------------------------------------------------
tiny=opt-125m,num_hidden_layers=2,outliers=3,seed=5
works "synth" "^outlier features: [0-9]* [0-9]* [0-9]*$" synth $tiny
features=$(sed -n 's/^outlier features: //p' "$work/out")
fails "a model that synth does not know" 1 "did you mean 'opt-1.3b'" synth opt-13.b
fails "a setting that synth does not know" 1 "did you mean 'outliers'" synth opt-125m,outlier=1
works "synth -o" "^outlier features" synth -q $tiny -o "$in/made" --shard-size 81
is "in several files" "$(ls "$in/made" | tr '\n' ' ')" "config.json model-00001-of-00002.safetensors \
model-00002-of-00002.safetensors model.safetensors.index.json "
fails "synth over a checkpoint" 1 "there is a checkpoint already; --force" synth $tiny -o "$in/made"
fails "synth where nothing can be written" 1 "/dev/null" synth $tiny -o /dev/null/made
short="--length 48 --sequences 1 -q"
works "record a generated model" "" record $short --model synth:$tiny -o made.h5
works "record it from disk" "" record $short --model "$in/made" --tokenizer "$share/opt-mini-8m" \
    -o stored.h5
is "the same in memory as on disk" "$("$program" info made.h5 | grep -E '^(nll|events)')" \
    "$("$program" info stored.h5 | grep -E '^(nll|events)')"
works "its outliers are those planted" "" outliers --format json made.h5
is "the planted features" "$(tr -d ' \n' <"$work/out" | grep -o '"feature":[0-9]*' | \
    sed 's/.*://' | sort -n | tr '\n' ' ')" "$features "
works "info of a generated model" "^format *generated" info synth:opt-175b
rm -rf "$in/made"

# --- interrupted ----------------------------------------------------------------------
long="--model $share/opt-mini-2m --length 64 --chunk 1 --interval 0"
"$program" record -q $long -o stopped.h5 >"$work/out" 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null && test ! -e stopped.h5; do sleep 0.05; done
kill -TERM $pid 2>/dev/null
wait $pid
is "SIGTERM" "$?" 143
is "says how to go on" "$(grep -c 'stopped after .* of 1.. sequences.*--resume' "$work/err")" 1
works "the record opens" "^complete  *no" info stopped.h5
works "--resume" "perplexity" record $long -o stopped.h5 --resume
works "the same without a stop" "perplexity" record $long -o whole.h5
"$program" info whole.h5 | grep -E "^(nll|events|ids|complete)" >"$work/whole"
is "resumed equals uninterrupted" \
    "$("$program" info stopped.h5 | grep -E "^(nll|events|ids|complete)")" "$(cat "$work/whole")"

fails "outliers without a record" 2 "no record given" outliers
fails "coverage without a record" 2 "no record given" coverage

# --- the defaults -----------------------------------------------------------------------
for command in $commands; do
    set --
    test $command != merge || continue      # there is nothing to merge by default
    case $command in
        compare | ablate) set -- --sequences 1 --length 256 ;;   # many passes: a minute else
        sweep)            set -- --dry-run --rate 100 ;;
        report)           set -- -q ;;
    esac
    run "$command" "$@"
    is "$command without arguments" "$status $(head -n 1 "$work/err" | grep '^outlierscope')" "0 "
done
is "nothing but records and their report was written" "$(ls | grep -v '\.h5$')" "report.html"

echo "1..$number"
