# TAP: `report` as a user runs it: what is on the page, that it is well-formed and needs
# nothing else, that hostile names stay text, that bad files are named and no more.
program=$(pwd)/outlierscope
figures=$(pwd)/tests/test_figures
share=$(cd "$OSC_SHARE" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-report.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

number=0
is()       # name, found, expected
{
    number=$((number + 1))
    if test "$2" = "$3"; then echo "ok $number - $1"
    else echo "not ok $number - $1: '$2', expected '$3'"; fi
}

skip()     # name, why
{
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

run()      # $status, out, err
{
    "$program" report "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# fails NAME STATUS PATTERN ARG...: this status, one line on stderr with the pattern, no
# output, no page.
fails()
{
    name=$1 expected=$2 pattern=$3; shift 3
    run "$@"
    wrong=$(test -s out && echo " output"
            find . -name '*.html' -newer stamp | grep .
            grep -q -e "^outlierscope report: .*$pattern" err || cat err)
    is "$name" "$status $(wc -l <err)$wrong" "$expected 1"
}

has()      # name, pattern, file: lines that have it, at least one
{
    is "$1" "$(grep -q -e "$2" "$3" && echo yes)" yes
}

has_not()  # name, pattern, file
{
    is "$1" "$(grep -c -e "$2" "$3")" 0
}

# well NAME FILE: XML, nothing from elsewhere, no scripts, no id twice.
well()
{
    if command -v xmllint >/dev/null; then
        is "$1: well-formed" "$(xmllint --noout "$2" 2>&1 | head -n 1)" ""
    else
        skip "$1: well-formed" "xmllint is not there"
    fi
    is "$1: nothing is fetched" "$(grep -Eo '(src|href|action|data|poster)="[^#"][^"]*"' "$2")" ""
    is "$1: nothing by style" "$(grep -Eio '@import|url *\(|image-set' "$2")" ""
    is "$1: no scripts" \
        "$(grep -Eio '<(script|iframe|object|embed|link|base|form|img)|[ "]on[a-z]+="' "$2")" ""
    is "$1: no id twice" "$(grep -o ' id="[^"]*"' "$2" | sort | uniq -d)" ""
    is "$1: links lead somewhere" "$(grep -o 'href="#[^"]*"' "$2" | sed 's/.*#//; s/"//' |
        while read -r id; do grep -q " id=\"$id\"" "$2" || echo "$id"; done)" ""
    if ! grep -q "<svg" "$2"; then
        return
    elif test -x "$figures"; then
        is "$1: texts of figures" "$("$figures" "$2")" ""
    else
        skip "$1: texts of figures" "test_figures is not built"
    fi
}

# --- results ---------------------------------------------------------------------
two=$share/opt-mini-2m early=$share/opt-mini-2m-step500
small="--sequences 1 --length 128"
mkdir -p r/cells empty
touch stamp
"$program" record -q --model "$early" $small -o r/cells/early.h5 >/dev/null || exit 99
"$program" record -q --model "$two" $small -o r/two.h5 >/dev/null || exit 99
"$program" compare -q --model "$two" --model "$early" $small --schemes absmax,llm-int8 \
    --format json >r/cells/schemes.json || exit 99
"$program" perplexity -q --model "$two" $small --scheme q8-0 --format json \
    >r/cells/q8.json || exit 99
"$program" compare -q --model "$two" $small --schemes llm-int8 --threshold 4:8:2,inf \
    --format json >r/cells/threshold.json || exit 99
"$program" ablate -q --model "$two" --record r/two.h5 $small --draws 5 --format json \
    >r/cells/ablation.json || exit 99
"$program" zeroshot -q --model "$two" --model "$early" --limit 2 --format json \
    >r/cells/zeroshot.json || exit 99
"$program" outliers r/two.h5 --format json >r/cells/outliers.json
echo '{ "schema": "outlierscope-sweep/1", "title": "A <b>sweep</b> of two" }' >r/sweep.json

# --- usage -----------------------------------------------------------------------
fails "no such folder" 1 "none: cannot read" none
fails "a file" 1 "stamp: cannot read" stamp
fails "no results" 1 "empty: no results" empty
fails "two folders" 2 "one folder" r empty
fails "a folder that cannot be written to" 1 "none/x.html" r -o none/x.html

# --- the page ----------------------------------------------------------------------
run r
is "a page" "$status $(cat out) $(cat err)" "0  outlierscope report: wrote r/report.html"
page=r/report.html
well "page" $page
has "the sweep's title, as text" "<h1>A &lt;b&gt;sweep&lt;/b&gt; of two</h1>" $page
for section in summary outliers coverage metrics emergence ablation schemes thresholds zeroshot \
    provenance definitions; do
    has "section $section" "<section id=\"$section\">" $page
done
is "figures" "$(grep -c '<svg ' $page)" 7
is "each has a title and a description" "$(grep -c '^<title>.*</title><desc>.\{20,\}</desc>' $page)" 7
is "numbered captions" "$(grep -o '<b>Figure [0-9]*' $page | tr -dc '0-9\n' | tr '\n' ' ')" "1 2 3 4 5 6 7 "
has "outliers" '<th scope="row">opt-mini-2m</th><td class="number">2.4M</td>' $page
has "schemes" '<th scope="row">llm-int8</th>' $page
has "a scheme of another file, beside them" '<th scope="row">q8-0</th>' $page
has "thresholds" '<td>llm-int8:threshold=inf</td>' $page
has "accuracies" '<td>LAMBADA</td>' $page
has "ablation" 'opt-mini-2m without features' $page
has "command lines" "<code>outlierscope record -q --model $two" $page
for digest in weights tokenizer text; do
    has "digest of $digest" "$digest SHA-256 <code>[0-9a-f]\{64\}</code>" $page
done
has "what zeroing does" "<li>Taking [0-9]* features out of opt-mini-2m multiplies .* by [0-9]*\.[0-9]*; without as many random ones by" $page
nll=$(sed -n 's/^ *"perplexity": \([0-9.]*\).*/\1/p' r/cells/schemes.json | head -n 1 |
    awk '{ printf "%.4f", $1 }')
has "the perplexity of the file" "<td class=\"number\">$nll" $page
has "no colours of the screen on paper" "@media print" $page
has "dark" "prefers-color-scheme: dark" $page
has "a table of another command is named" "<dt>cells/outliers.json</dt><dd>a table of outliers" $page
is "nothing else is" "$(grep -c '^<dt>.*<dd>' $page)" "$(($(sed -n '/id="definitions"/,/<.section>/p' $page | grep -c '<dt>') + 1))"

cp $page first.html
run r -o again.html
is "the same bytes again" "$(cmp first.html again.html)" ""
(cd r && "$program" report -q -o ../inside.html)
is "and from inside the folder" "$(cmp first.html inside.html)" ""
run r -o -  -q
is "and on standard output" "$(cmp first.html out)" ""
run r -o titled.html --title 'Mine & "yours"'
has "a title" '<title>Mine &amp; &quot;yours&quot;</title>' titled.html

# --- hostile files -------------------------------------------------------------------
evil='</title><script>alert(1)</script>"><img src=x onerror=alert(2)>&#60;'
mkdir -p bad/cells
quoted=$(printf '%s' "$evil" | sed 's/"/\\"/g')
sed "s|\"model\": \"[^\"]*\"|\"model\": \"$(printf '%s' "$quoted" | sed 's/[\\&|]/\\&/g')\"|
     s|\"protocol\": \"[^\"]*\"|\"protocol\": \"<script>stream\"|" r/cells/schemes.json \
    >'bad/cells/<svg onload="alert(3)">&.json'
sed "s|\"model\": \"[^\"]*\"|\"model\": \"$(printf '%s' "$quoted" | sed 's/[\\&|]/\\&/g')\"|
     s|\"command\": \"|&$(printf '%s' "$quoted" | sed 's/[\\&|]/\\&/g')|" r/cells/ablation.json \
    >bad/cells/ablation.json
cp r/two.h5 bad/two.h5
head -c 5000 r/two.h5 >bad/cells/cut.h5
echo "no HDF5" >bad/cells/text.h5
echo '{ "a": ' >'bad/cells/<script>.json'
echo '[ ]' >bad/cells/nothing.json
echo '{ "baseline": 1, "zeroed": 2 }' >bad/cells/half.json
printf '\377\376\001 "<>' >bad/cells/bytes.json
sed 's/"scored": [0-9]*/"scored": -1/' r/cells/schemes.json >bad/cells/row.json
sed 's/"nll": [0-9.]*/"nll": 7/' r/cells/schemes.json >bad/cells/zz.json
cp r/cells/schemes.json bad/cells/schemes.json
mkdir bad/folder.json
mkfifo bad/pipe.h5
ln -s nowhere bad/dangling.json
chmod 0 bad/cells/bytes.json
printf '{ "title": "<script>%s" }' "$quoted" >bad/sweep.json
run bad
is "a page in spite of bad files" "$status $(cat err)" "0 outlierscope report: wrote bad/report.html"
page=bad/report.html
well "hostile page" $page
has "what is good is there" "<section id=\"outliers\">" $page
has "hostile names stay names" '&lt;/title&gt;&lt;script&gt;alert(1)' $page
for file in cells/cut.h5 cells/text.h5 cells/nothing.json cells/half.json cells/row.json \
    cells/zz.json folder.json pipe.h5 dangling.json 'cells/&lt;script&gt;.json'; do
    has "$file is named" "<dt>$file</dt><dd>[^<]" $page
done
has "why a row is refused" "row 1: &quot;scored&quot; is not a whole number" $page
has "a cell in two files counts once" "12 perplexities of models" $page
has "numbers that contradict" "another file has [0-9.]* for the same text" $page

# --- a folder with one kind of results -------------------------------------------------
for kind in two.h5 cells/schemes.json cells/threshold.json cells/ablation.json cells/q8.json; do
    rm -rf one && mkdir one && cp "r/$kind" one/
    run one -q
    is "$kind alone" "$status $(cat err)" "0 "
    well "$kind alone" one/report.html
done
rm -f one/q8.json
"$program" record -q --model "$early" --sequences 1 --length 16 -o one/none.h5 >/dev/null
run one -q
has "no feature reaches alpha" "No feature of opt-mini-2m-step500" one/report.html
has_not "then there is no figure" "<svg" one/report.html

echo "1..$number"
