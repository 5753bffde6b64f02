# TAP: `compare` as a user runs it: tables, resuming, errors of layers, thresholds.
command=compare
. "$OSC_TESTS/command.sh"

# Values of a key, a row a line, in the order of the rows.
values()   # key, file
{
    sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$2"
}

two=$share/opt-mini-2m early=$share/opt-mini-2m-step500
small="--sequences 4 --length 128"
tiny="--sequences 2 --length 48"

# --- usage ------------------------------------------------------------------------
fails "unknown scheme in a list" 2 "did you mean 'absmax'" --schemes none,absmx
fails "unknown scheme" 2 "did you mean 'llm-int8'" --scheme llm-int9
fails "options in a list" 2 "use --scheme" --schemes absmax,llm-int8:weights=int8
fails "empty item" 2 "an item of 0" --schemes absmax,,none
fails "scheme without a threshold" 2 "absmax has no threshold" --schemes absmax --threshold 6
fails "threshold twice" 2 "already says" --scheme llm-int8:threshold=6 --threshold 5
fails "range without a step" 2 "not FROM:TO:STEP" --threshold 1:2
fails "range of four numbers" 2 "not FROM:TO:STEP" --threshold 1:2:3:4
fails "range of step 0" 2 "FROM <= TO" --threshold 1:2:0
fails "range backwards" 2 "FROM <= TO" --threshold 2:1:1
fails "negative threshold" 2 "not a number" --threshold=-1
fails "threshold that is no number" 2 "not a number" --threshold 6,x
fails "too many thresholds" 2 "2048" --threshold 0:12:0.001
fails "--errors with --threshold" 2 "exclude each other" --errors --threshold 6
fails "--errors with --resume" 2 "no meaning" --errors --resume -o x.json
fails "--resume with --force" 2 "exclude each other" --resume --force -o x.json
fails "--resume without a file" 2 "add -o FILE" --resume
fails "-o -" 2 "format json" -o -
fails "one file for both" 2 "same file" --errors --plot x -o x
fails "unknown format" 2 "json" --format jsno
fails "folder that is not there" 1 "none/x.json" -o none/x.json
fails "missing model" 1 "none" --model none -o x.json

# --- the table -------------------------------------------------------------------
works "models x schemes" "^llm-int8:weights=int8  *[0-9.]*  *[0-9.]*  *[0-9.]*  *[0-9.]*$" $tiny \
    --model "$two" --model "$early" --schemes llm-int8 --scheme llm-int8:weights=int8
is "none comes first, and once" \
    "$(grep -c '^none ' "$work/out") $(sed -n 3p "$work/out" | cut -c 1-5)" "1 none "
is "the protocol is named" "$(grep -c '^protocol stream' "$work/out")" 1
works "all schemes" "^q8-0 " $tiny --model "$early" --plot all.svg
is "the figure" "$(head -c 5 all.svg) $(tail -n 1 all.svg) $(grep -c '>q8-0<' all.svg)" \
    "<?xml </svg> 1"
is "all of them" "$(sed '/^$/q' "$work/out" | tail -n +3 | grep -c .)" 10
works "markdown" "^| llm-int8 |" $tiny --model "$early" --schemes llm-int8 --format md
works "LaTeX" "^llm-int8 &" $tiny --model "$early" --schemes llm-int8 --format latex
works "CSV" "^scheme,opt-mini-2m-step500 perplexity,opt-mini-2m-step500 relative" $tiny \
    --model "$early" --schemes llm-int8 --format csv

works "JSON" '"relative": 1.0,' $small --model "$two" --schemes absmax,none,llm-int8 --format json
cp "$work/out" "$work/rows"
for key in model scheme options protocol sequences sequence_length scored nll perplexity relative \
    bos weight_bytes linear_bytes backend model_sha256 text_sha256 tokenizer_sha256; do
    is "every row has $key" "$(grep -c "\"$key\":" "$work/rows")" 3
done
is "schemes in order" "$(values scheme "$work/rows" | tr '\n' ' ')" "none absmax llm-int8 "
is "relative of none" "$(values relative "$work/rows" | head -n 1)" "1.0"
"$program" perplexity -q $small --model "$two" --scheme none --scheme absmax --scheme llm-int8 \
    --format json >"$work/perplexity"
is "the perplexities of perplexity" "$(values nll "$work/rows")" \
    "$(values nll "$work/perplexity")"

# --- resuming --------------------------------------------------------------------
cells="$tiny --model $two --model $early --schemes absmax,q8-0"
works "results in a file" "^absmax " $cells -o whole.json
is "a row per cell" "$(values scheme whole.json | tr '\n' ' ')" \
    "none absmax q8-0 none absmax q8-0 "
cp whole.json again.json
fails "an existing file is not replaced" 1 "whole.json exists: --resume .*--force" \
    $cells -o whole.json
works "a complete file resumes" "^absmax " $cells -o again.json --resume
is "to itself" "$(cmp whole.json again.json)" ""
works "--force" "^absmax " $cells -o again.json --force
is "measures the same" "$(cmp whole.json again.json)" ""
works "a part" "^absmax " $tiny --model "$two" --schemes absmax -o part.json
works "continued" "^q8-0 " $cells -o part.json --resume
is "equals the whole" "$(cmp whole.json part.json)" ""
sed '0,/"nll": [0-9.]*/s//"nll": 1.5/' whole.json >marked.json
works "resumed cells are not measured" '"nll": 1.5,' $cells -o marked.json --resume --format json
works "fewer cells" "^none " $tiny --model "$two" --schemes none -o part.json --resume
is "lose no rows" "$(values scheme part.json | sort | uniq -c | tr -s ' \n' ' ')" \
    " 2 absmax 2 none 2 q8-0 "

echo "Some other text, and a few words more." >other.txt
cells="--model $two --schemes absmax -o whole.json --resume"
fails "another text is refused" 1 "whole.json: .* another text" $tiny $cells --text other.txt
fails "another protocol" 1 "another protocol: stream, this run has gptq" \
    $tiny $cells --protocol gptq
fails "another number of sequences" 1 "number of sequences: 2, this run has 3" \
    --sequences 3 --length 48 $cells
fails "another length" 1 "sequence length: 48, this run has 50" \
    --sequences 2 --length 50 $cells
fails "another bos" 1 "another bos: 2, this run has -1" $tiny $cells --no-bos
echo '{ "a": 1 }' >object.json
fails "a file of something else" 1 "not an array" $tiny --model "$two" -o object.json --resume
echo 'none' >word.json
fails "a file that is no JSON" 1 "word.json" $tiny --model "$two" -o word.json --resume
echo '[ { "model": 1 } ]' >row.json
fails "rows of something else" 1 "another protocol: unknown" \
    $tiny --model "$two" -o row.json --resume
sed 's/"scored": [0-9]*/"scored": "x"/' whole.json >scored.json
fails "a row that is damaged" 1 "scored.json" $tiny --model "$two" -o scored.json --resume

long="--model $two --length 64 --chunk 1"
"$program" compare -q $long -o stopped.json >"$work/out" 2>"$work/err" &
pid=$!
while kill -0 $pid 2>/dev/null && test ! -e stopped.json; do sleep 0.05; done
kill -TERM $pid 2>/dev/null
wait $pid
is "SIGTERM" "$? $(grep -c -e 'stopped.*--resume' "$work/err")" "143 1"
is "no temporary file stays" "$(ls | grep -c tmp)" 0
is "leaves whole cells" "$(values scheme stopped.json | head -n 1)" none

# --- thresholds --------------------------------------------------------------------
works "threshold study" "^opt-mini-2m  *llm-int8:threshold=6 " $small --model "$two" \
    --threshold 0,2:6:2,inf --plot t.svg
works "as JSON" '"columns_16bit":' $small --model "$two" --threshold 0,2:6:2,inf --format json \
    -o study.json
is "thresholds" "$(values threshold "$work/out" | tr '\n' ' ')" "0.0 2.0 4.0 6.0 null "
is "all columns at 0, none at inf" \
    "$(values columns_16bit "$work/out" | sed -n '1p;$p' | tr '\n' ' ')" "1.0 0.0 "
is "fewer columns the higher" "$(values columns_16bit "$work/out" | sort -gr | tr '\n' ' ')" \
    "$(values columns_16bit "$work/out" | tr '\n' ' ')"
is "threshold 6 is the default" "$(values nll "$work/out" | sed -n 5p)" \
    "$(values nll "$work/rows" | sed -n 3p)"
is "threshold 0 is none but for float rounding" \
    "$(values relative "$work/out" | awk 'NR == 2 { print ($1 > 0.9999 && $1 < 1.0001) }')" 1
limit=$(values nll "$work/out" | tail -n 1)
cp study.json study2.json
works "the study resumes" '"columns_16bit":' $small --model "$two" --threshold 0,2:6:2,inf \
    --format json -o study2.json --resume
is "to itself" "$(cmp study.json study2.json)" ""
run $small --model "$two" --schemes absmax-vector --format json
is "threshold inf is absmax-vector, bit for bit" "$limit" "$(values nll "$work/out" | tail -n 1)"
run $small --model "$two" --schemes llm-int8-zeropoint --threshold inf --format json
limit=$(values nll "$work/out" | tail -n 1)
run $small --model "$two" --schemes zeropoint-vector --format json
is "and zeropoint-vector likewise" "$limit" "$(values nll "$work/out" | tail -n 1)"
is "the figure" "$(head -c 5 t.svg) $(tail -n 1 t.svg) $(grep -c '>inf<' t.svg)" "<?xml </svg> 2"

# --- errors of layers ----------------------------------------------------------------
works "errors as JSON" '"sqnr_db": [0-9]' $small --model "$two" --errors --format json \
    --schemes absmax,zeropoint,llm-int8,q8-0 --scheme llm-int8:threshold=0 -o errors.json
is "the same in the file" "$(cmp errors.json "$work/out")" ""
is "schemes x blocks x layers" "$(grep -c '"sqnr_db":' errors.json)" $((6 * 6 * 6))
for key in model scheme options block layer sqnr_db signal noise zero lost clipped \
    outlier_columns removed_columns; do
    is "every layer has $key" "$(grep -c "\"$key\":" errors.json)" $((6 * 6 * 6))
done
values sqnr_db errors.json >"$work/sqnr"
summary()  # first row, then lowest and highest of a scheme's 36 SQNR, as whole numbers
{
    tail -n +"$1" "$work/sqnr" | head -n 36 | sort -g | sed -n 's/\..*//; 1p; $p' | tr '\n' ' '
}
set -- $(summary 1) $(summary 37) $(summary 109) $(summary 145) $(summary 181)
is "none is as exact as float32" "$(($1 > 120 && $2 < 170))" 1
is "int8 is not" "$(($3 > 20 && $4 < 80))" 1
is "llm-int8 loses less in the worst layer than absmax" "$(($5 > $3))" 1
is "q8-0 less still" "$(($7 > $5))" 1
is "threshold 0 is as exact as none" "$(($9 > 120))" 1
is "q8-0 is above absmax in every layer" "$(paste "$work/sqnr" "$work/sqnr" | awk '
    { s[NR] = $1 } END { for (i = 1; i <= 36; i++) n += s[144 + i] > s[36 + i]; print n }')" 36
is "none, q8-0 and threshold 0 have no codes of x" \
    "$(values zero errors.json | grep -c null)" 108
is "absmax clips nothing" \
    "$(values clipped errors.json | sed -n '37,72p' | sort -u)" "0.0"
is "absmax removes nothing" \
    "$(values removed_columns errors.json | sed -n '37,72p' | sort -u)" "0.0"
is "llm-int8 removes what has outliers" \
    "$(values removed_columns errors.json | sed -n '109,144p')" \
    "$(values outlier_columns errors.json | sed -n '109,144p')"
is "threshold 0 removes all" \
    "$(values removed_columns errors.json | sed -n '181,216p' | sort -u | tr '\n' ' ')" \
    "128.0 512.0 "
fails "an existing file stays" 1 "errors.json exists" $tiny --model "$two" --errors -o errors.json
for format in text md csv latex; do
    works "errors as $format" "absmax.* fc2 \|absmax,3,fc2,\|absmax.*fc2.*&" $tiny \
        --model "$early" --errors --schemes absmax --format $format --plot e.svg
done
is "the figure" "$(head -c 5 e.svg) $(tail -n 1 e.svg) $(grep -c '>fc2<' e.svg)" "<?xml </svg> 1"
"$program" compare -q --errors --length 48 --schemes none --model "$early" >"$work/out"
is "two sequences by default" "$(grep -c ': 2 sequences of at most 48 ids' "$work/out")" 1

echo "1..$number"
