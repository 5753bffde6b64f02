# TAP: outlierscope emergence on short recordings of the shipped models.
command=emergence
. "$OSC_TESTS/command.sh"

fails "no record" 2 "no record given"

family=
for model in opt-mini-2m-step500 opt-mini-2m-step2000 opt-mini-2m opt-mini-8m; do
    "$program" record -q --model "$share/$model" --sequences 2 --length 64 -o $model.h5 \
        >"$work/out" 2>"$work/err"
    is "record of $model" "$?$(cat "$work/err")" 0
    family="$family $model.h5"
done

# --- usage ------------------------------------------------------------------------
fails "unknown format" 2 "json" opt-mini-2m.h5 --format jsn
fails "unknown rule" 2 "sublayer" opt-mini-2m.h5 --layers blocks
fails "unknown shares" 2 "--shares: 'most' is none of common, mean" opt-mini-2m.h5 --shares most
fails "unknown track" 2 "qkv_in" opt-mini-2m.h5 --track qvk_in
fails "untracked point" 1 "opt-mini-2m.h5: --track: the record did not track fc2_in" \
    opt-mini-2m.h5 --track fc2_in
fails "a share above 1" 2 "--min-layers" opt-mini-2m.h5 --min-layers 1.5
fails "a seed that is none" 2 "--seed" opt-mini-2m.h5 --seed x
fails "one file for both" 2 "same file" opt-mini-2m.h5 --plot x.svg -o x.svg
fails "--relations with json" 2 "no meaning" opt-mini-2m.h5 --relations --format json
fails "missing record" 1 "none.h5" opt-mini-2m.h5 none.h5
fails "folder that is not there" 1 "none/x.svg" $family --plot none/x.svg
fails "the same for a prefix" 1 "none/x-3a.svg" $family --plot none/x
fails "output that cannot be written" 1 "none/x.txt" $family -o none/x.txt

# --- tables -----------------------------------------------------------------------
works "a family" "^opt-mini-2m-step500  *2.4M " $family
is "the worst perplexity first" "$(grep '^opt' "$work/out" | cut -d ' ' -f 1 | tr '\n' ' ')" \
    "opt-mini-2m-step500 opt-mini-2m-step2000 opt-mini-2m opt-mini-8m "
is "no curve over two sizes" \
    "$(grep -c '^No curve: 2 distinct x in 4 points.*layers by parameters, positions by' \
       "$work/out")" 1
is "what four points can show" "$(grep -c '^4 points can give no p below' "$work/out")" 1
is "no caution" "$(grep -c -e '[Nn]ot comparable' -e incomplete "$work/out")" 0
cp "$work/out" "$work/first"
set -- $family
works "in any order" "^opt" "$4" "$2" "$1" "$3"
is "the same" "$(cmp "$work/first" "$work/out")" ""
for format in md csv latex; do
    works "as $format" "opt-mini-8m" $family --format $format
    works "relations as $format" "layers by perplexity" $family --relations --format $format
done
works "CSV has every relation" "refused" $family --relations --format csv --published
is "of both" "$(wc -l <"$work/out")" 25
works "published" "^FSEQ 6.7B, published .* 100.0 .* 75.0 .* 40.00" $family --published
is "its statistics" "$(grep -c '^outliers by perplexity, published .*-0.966  2.6e-05  exact' \
    "$work/out")" 1
is "those of the records stay" \
    "$(grep -c "^layers by perplexity  .*$(grep '^layers by perplexity' "$work/first" | tr -s ' ' |
       cut -d ' ' -f 6)" "$work/out")" 1
works "mean shares" "mean over the outliers" $family --shares mean
numbers()  # key, file
{
    sed -n "s/^ *\"$1\": \([0-9.]*\).*/\1/p" "$2" | tr '\n' ' '
}
run opt-mini-8m.h5 --format json --shares mean
mean="$(numbers layers "$work/out")$(numbers positions "$work/out")"
run opt-mini-8m.h5 --format json
common="$(numbers layers "$work/out")$(numbers positions "$work/out")"
"$program" outliers --format json opt-mini-8m.h5 | sed '/"features"/,$d' >"$work/outliers"
is "mean shares are those of outliers" "$mean" \
    "$(numbers mean_layers "$work/outliers")$(numbers mean_positions "$work/outliers")"
is "common shares too" "$common" \
    "$(numbers layers "$work/outliers")$(numbers positions "$work/outliers")"
is "which differ" "$(test "$mean" = "$common" || echo yes)" yes
works "one record" "1 point, at least 3 are needed" opt-mini-2m.h5
works "no outliers at all" "all values of y are equal" $family --min-positions 1 --min-layers 1

# --- cautions -----------------------------------------------------------------------
"$program" record -q --model "$share/opt-mini-2m" --sequences 3 --length 48 -o other.h5 \
    >"$work/out" 2>"$work/err"
works "another protocol" "^Not comparable, the records differ in protocol: .*length 48 in other.h5" \
    $family other.h5
is "and number of sequences" "$(grep -c 'differ in number of sequences: 2 in .*; 3 in other.h5' \
    "$work/out")" 1
is "the same weights" "$(grep -c 'of the same weights and count twice' "$work/out")" 1
is "and a name of its own" "$(grep -c '^opt-mini-2m (2) ' "$work/out")" 1

# --- JSON -----------------------------------------------------------------------------
works "JSON" '"published_relations": \[' $family --published --format json
cp "$work/out" all.json
works "into a file" "" $family --published --format json -o file.json
is "is the same" "$(cmp all.json file.json)" ""
for key in points relations published published_relations rule notes; do
    is "JSON has $key" "$(grep -c "^  \"$key\":" all.json)" 1
done
is "points have quantities" "$(grep -c '"median":' all.json)" 14
is "relations have statistics" "$(grep -c '"spearman":' all.json)" 34
is "why there is no fit" \
    "$(grep -c '"refused": "2 distinct x in 4 points; 2 parameters need at least 3"' all.json)" 2

# --- figures ---------------------------------------------------------------------------
works "figures" "^opt" $family --plot opt
is "six files" "$(echo opt-*.svg)" \
    "opt-3a.svg opt-3b.svg opt-4a.svg opt-4b.svg opt-metrics-perplexity.svg opt-metrics-size.svg"
works "one sheet" "^opt" $family --plot sheet.svg --published
for file in opt-3a.svg opt-3b.svg opt-4a.svg opt-4b.svg opt-metrics-*.svg sheet.svg; do
    is "$file is whole" "$(head -c 5 $file) $(tail -n 1 $file)" "<?xml </svg>"
    if command -v xmllint >/dev/null; then
        is "$file is XML" "$(xmllint --noout $file 2>&1)" ""
    fi
done
is "models are labelled" "$(grep -c '>opt-mini-8m<' opt-3a.svg)" 2
is "the reason stands in the figure" "$(grep -c 'no curve: 2 distinct x' opt-3a.svg)" 2
is "published models on request" \
    "$(grep -c '>FSEQ 13B<' opt-3a.svg) $(grep -c '>FSEQ 13B<' sheet.svg)" "0 6"
cp sheet.svg before.svg
works "once more" "^opt" $family --plot sheet.svg --published
is "the same figure" "$(cmp before.svg sheet.svg)" ""
is "nothing temporary stays" "$(ls | grep -c tmp)" 0
if command -v rsvg-convert >/dev/null; then    # a picture that is not blank
    rsvg-convert -w 400 sheet.svg -o sheet.png 2>"$work/err"
    is "it renders" "$?$(cat "$work/err")" 0
    is "to more than white" "$(test "$(wc -c <sheet.png)" -gt 8000 && echo yes)" yes
fi

echo "1..$number"
