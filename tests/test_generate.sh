# TAP: `generate` as a user runs it: text that streams, ids, schemes, seeds, ends, what is refused.
command=generate
. "$OSC_TESTS/command.sh"

models=$OSC_TESTS/data/models
case $models in /*) ;; *) models=$OLDPWD/$models ;; esac

# The ids of a JSON result, all texts in a row.
ids()
{
    tr -d ' \n' <"$work/out" | grep -o '"ids":\[[0-9,]*\]' | tr -d '"ids:[]' | tr ',\n' '  '
}
count_ids() { ids | wc -w | tr -d ' '; }
values() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$work/out" | tr '\n' ' '; }

# --- usage ------------------------------------------------------------------------
fails "unknown scheme" 2 "did you mean 'llm-int8'" --scheme llm-int9
fails "unknown format" 2 "text or json" --format md
fails "unknown backend" 2 "cpu" --backend cpp
fails "--prompt with --tokens" 2 "exclude each other" --prompt a --tokens x
fails "--prompt with --text" 2 "exclude each other" --prompt a --text x
fails "--bos with --no-bos" 2 "exclude each other" --bos 1 --no-bos
fails "top-k of a greedy text" 2 "without --temperature" --top-k 5
fails "top-p of a greedy text" 2 "without --temperature" --top-p 0.5
fails "top-p 0" 2 "above 0" --temperature 1 --top-p 0
fails "top-p above 1" 2 "top-p" --temperature 1 --top-p 1.5
fails "negative temperature" 2 "temperature" --temperature=-1
fails "no new ids" 2 "max" --max 0
fails "no model there" 1 "nowhere" --model nowhere
fails "no text there" 1 "none.txt" --text none.txt

# --- text -------------------------------------------------------------------------
works "a text goes on" "^It was " --prompt "It was " --max 12
cp "$work/out" greedy
works "the same again" "" --prompt "It was " --max 12
is "greedy texts are equal" "$(cmp greedy "$work/out")" ""
works "one thread" "" --prompt "It was " --max 12 --threads 1
is "for any number of threads" "$(cmp greedy "$work/out")" ""
works "JSON" '"stopped": "max"' --prompt "It was " --max 12 --format json
is "twelve ids" "$(count_ids)" 12
is "prompt and text are the text" "$(tr -d '\n' <greedy | cut -c 8-)" \
    "$(sed -n 's/^ *"text": "\(.*\)",$/\1/p' "$work/out" | sed 's/\\n//g; s/\\"/"/g')"
for key in model scheme backend threads prompt stopped seed step_bytes weight_bytes cache_bytes \
    first_seconds; do
    is "JSON has $key" "$(grep -c "\"$key\":" "$work/out")" 1
done
is "speeds of prompt and steps" "$(grep -c '"ids_per_second":' "$work/out")" 2
ids >all
works "a prompt that begins like the first" "" --prompt "It was " --max 12 --format json \
    --scheme none --length 2
is "--length cuts the prompt" "$(values prompt)" "It "

"$program" generate --prompt a --max 3 >"$work/out" 2>"$work/err"
is "the speed goes to stderr" "$(grep -c '^2 prompt ids in .* 2 more in .*stopped: max$' "$work/err")" 1

for length in 2 3 4 5 6 7; do
    works "a prompt cut in the middle of a character ($length ids)" "" --prompt '日本é 語' \
        --length $length --max 9 --temperature 2 --seed $length
    is "whole characters alone" "$(iconv -f utf-8 -t utf-8 "$work/out" 2>&1 >/dev/null)" ""
done

printf 'It was \n<|endoftext|>\nThe sun' >two.txt
works "documents of a text" "" --text two.txt --max 12
is "the first document as alone" "$(head -n "$(wc -l <greedy)" "$work/out" | cmp - greedy)" ""
is "texts are separated like documents" "$(grep -c '^<|endoftext|>$' "$work/out")" 1
works "prompts" "" --prompt "It was " --prompt "The sun" --max 12 --format json
is "as documents" "$(values stopped)" "max max "

# --- drawing ----------------------------------------------------------------------
draw="--prompt It --max 30 --temperature 1 --format json"
works "a drawn text" '"temperature": 1.0' $draw --seed 5
ids >first
works "the same seed" "" $draw --seed 5
is "gives the same" "$(ids | cmp - first)" ""
works "in another place of several" "" --prompt "The sun" $draw --seed 5
is "draws differently" "$(ids | grep -c "$(cat first)")" 0
works "another seed" "" $draw --seed 6
is "gives another text" "$(ids | cmp -s - first || echo differs)" differs
works "one candidate" "" --prompt "It was " --max 12 --temperature 3 --top-k 1 --format json
is "is the greedy text" "$(ids | cmp - all)" ""
works "a little of the probability" "" --prompt "It was " --max 12 --temperature 3 --top-p 1e-9 \
    --format json
is "is the greedy text too" "$(ids | cmp - all)" ""

# --- schemes, architectures -------------------------------------------------------
for scheme in absmax zeropoint absmax-row absmax-vector zeropoint-vector absmax-row-decomp \
    llm-int8 llm-int8:weights=int8 llm-int8-zeropoint q8-0; do
    works "$scheme" "\"scheme\": \"$scheme\"" --scheme $scheme --prompt "It was " --max 4 \
        --format json
done
printf '1 2 3 4 5 6 7 8 9 10 11\n12\n' >ids.tokens
for model in opt-preln-s1 opt-postln-proj-s1 gpt2-s1 gptj-s1 bloom-6heads-s1 llama-gqa-s1; do
    works "$model: ids go on" "^12 " --model "$models/$model" --tokens ids.tokens --max 3 \
        --ignore-eos
    is "$model: two lines" "$(awk '{ print NF }' "$work/out" | tr '\n' ' ')" "14 4 "
done
works "no tokenizer: no text" '"text": null' --model "$models/gpt2-s1" --tokens ids.tokens \
    --format json
works "a generated model" "^It" --model synth:opt-125m,num_hidden_layers=1,hidden_size=64,ffn_dim=64,word_embed_proj_dim=64,num_attention_heads=2 \
    --prompt It --max 3
fails "ids beyond the vocabulary" 1 "prompt 1: id 512 .* vocabulary of 512" \
    --model "$models/gpt2-s1" --tokens "$(echo 512 >far.tokens; echo far.tokens)"

# --- ends -------------------------------------------------------------------------
# The third greedy id becomes what ends a text.
mkdir ends
cp "$models/gpt2-s1/model.safetensors" ends
echo 1 2 3 4 5 >five.tokens
works "ids of a model" "" --model "$models/gpt2-s1" --tokens five.tokens --max 8 --ignore-eos \
    --format json
end=$(ids | cut -d ' ' -f 3)
first=$(ids | tr ' ' '\n' | grep -nx "$end" | head -n 1 | cut -d : -f 1)
sed "s/\"eos_token_id\": *[0-9]*/\"eos_token_id\": $end/" "$models/gpt2-s1/config.json" >ends/config.json
works "an end" '"stopped": "eos"' --model ends --tokens five.tokens --max 8 --format json
is "is the last id" "$(count_ids)" "$first"
works "--ignore-eos" '"stopped": "max"' --model ends --tokens five.tokens --max 8 --ignore-eos \
    --format json
echo "{\"eos_token_id\": [511, $end]}" >ends/generation_config.json
cp "$models/gpt2-s1/config.json" ends
works "several ends" '"stopped": "eos"' --model ends --tokens five.tokens --max 8 --format json
echo '{"eos_token_id": "x"}' >ends/generation_config.json
fails "an end that is no id" 1 "neither an id" --model ends --tokens five.tokens
for text in '{"eos_token_id": 1e300}' '{"eos_token_id": [[1]]}' '{"eos_token_id": -1}' \
    '{"eos_token_id": 1.5}' '{"eos_token_id": ' ''; do
    echo "$text" >ends/generation_config.json
    fails "ends that are none: $text" 1 "eos_token_id\|generation_config.json" --model ends \
        --tokens five.tokens
done
positions=$(sed -n 's/.*"n_positions": *\([0-9]*\).*/\1/p' "$models/gpt2-s1/config.json")
works "all positions" '"stopped": "positions"' --model "$models/gpt2-s1" --tokens five.tokens \
    --max 5000 --ignore-eos --format json
is "their number" "$(count_ids)" $((positions - 4))
awk -v n=$((positions + 1)) 'BEGIN { for (i = 0; i < n; i++) printf "%d ", i % 7; print "" }' >long.tokens
fails "a prompt beyond the positions" 1 "$positions positions" --model "$models/gpt2-s1" \
    --tokens long.tokens

echo "1..$number"
