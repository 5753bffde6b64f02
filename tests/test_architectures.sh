# TAP: commands on the tiny checkpoints of every architecture.
program=$(pwd)/outlierscope
models=$(cd "$OSC_TESTS/data/models" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-arch.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99

number=0
is()       # name, found, expected
{
    number=$((number + 1))
    if test "$2" = "$3"; then echo "ok $number - $1"
    else echo "not ok $number - $1: '$2', expected '$3'"; fi
}

awk 'BEGIN { for (s = 0; s < 2; s++) { line = ""
     for (t = 0; t < 40; t++) line = line (t ? " " : "") (t * 37 + s * 101) % 512
     print line } }' >tokens

for model in gpt2-s1 gptj-s1 bloom-6heads-s1 llama-gqa-s1; do
    case $model in
    gpt2*) type=gpt2 layers=6 points=qkv_in,out_in,fc1_in ;;
    gptj*) type=gptj layers=6 points=qkv_in,out_in ;;
    bloom*) type=bloom layers=6 points=qkv_in,out_in,fc1_in ;;
    llama*) type=llama layers=7 points=qkv_in,out_in,fc1_in ;;
    esac
    is "$model: info" "$("$program" info "$models/$model" |
        awk '$1 == "architecture" { print $2 }')" $type

    "$program" record -q --model "$models/$model" --tokens tokens -o $model.h5 >out 2>err
    is "$model: record" "$?$(cat err)" 0
    is "$model: points followed" "$("$program" info --format json $model.h5 |
        tr -d ' \n' | sed 's/.*"tracked":\[\([^]]*\)\].*/\1/; s/"//g')" $points

    # Three blocks under two schemes.
    "$program" compare -q --errors --model "$models/$model" --tokens tokens \
        --schemes none,absmax --format json --plot $model.svg >out 2>err
    is "$model: errors of layers" "$?$(cat err) $(grep -c '"layer"' out)" "0 $((layers * 6))"
    is "$model: no layer without noise" "$(grep -c '"sqnr_db": null' out)" 0
    is "$model: the figure has the layers" "$(grep -c '>gate<' $model.svg)" \
        $(test $layers = 7 && echo 1 || echo 0)

    "$program" compare -q --threshold 3,6 --model "$models/$model" --tokens tokens \
        --format json >out 2>err
    is "$model: thresholds" "$?$(cat err) $(grep -c '"columns_16bit"' out)" "0 2"

    "$program" ablate -q --model "$models/$model" --tokens tokens --features 3,7 --draws 2 \
        >out 2>err
    is "$model: ablate" "$?$(cat err)" 0
done
echo "1..$number"
