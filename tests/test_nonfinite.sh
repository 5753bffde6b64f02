# TAP: activations and weights that are not finite are named: tensor, block, position.
command=perplexity
. "$OSC_TESTS/command.sh"
data=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data/models
printf '5 6 7 8\n9 1 2 3 4\n' >tokens
echo 1..17

# copy MODEL TENSOR: a copy with the same bits as bfloat16, which reaches far enough for sums
# of products to overflow; where the tensor is in it.
copy()
{
    rm -rf model
    cp -r "$data/$1" model
    chmod u+w model model/model.safetensors
    whole=$data/$1/model.safetensors
    length=$(od -An -tu8 -N8 "$whole" | tr -d ' ')
    header=$(head -c $((8 + length)) "$whole" | tail -c "$length" | sed 's/"F16"/"BF16"/g')
    new=${#header}
    {
        printf "\\$(printf %o $((new % 256)))\\$(printf %o $((new / 256)))\0\0\0\0\0\0%s" "$header"
        tail -c +$((9 + length)) "$whole"
    } >model/model.safetensors
    start=$(echo "$header" | sed 's/.*"'$2'":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/')
}

put()      # BYTES: the first number of the tensor, little-endian
{
    printf "$1" | dd of=model/model.safetensors bs=1 seek=$((8 + new + start)) conv=notrunc 2>/dev/null
}

# Of block 1 the weight of feature 0 in the first norm.
while read -r model tensor; do
    command=perplexity
    copy $model $tensor
    run --model model --tokens tokens
    is "$model: nothing is said where all is finite" "$status $(wc -c <"$work/err")" "0 0"
    put '\142\177'             # 3e38
    run --model model --tokens tokens
    is "$model: the first activation that is not finite" "$status $(grep -c "warning: scheme none: blocks\.1\.[a-z0-9_]* is -*[a-z]* at position [0-9]* of sequence [01], feature [0-9]*: the first" "$work/err")" "0 1"
    put '\200\177'             # inf
    fails "$model: a weight that is not finite" 1 "tensor $tensor is not finite (first at element 0)" \
        --model model --tokens tokens
done <<EOF
opt-preln-s1 model.decoder.layers.1.self_attn_layer_norm.weight
gpt2-s1 transformer.h.1.ln_1.weight
gptj-s1 transformer.h.1.ln_1.weight
bloom-6heads-s1 transformer.h.1.input_layernorm.weight
llama-gqa-s1 model.layers.1.input_layernorm.weight
EOF
command=record
put '\142\177'
run --model model --tokens tokens -o a.h5
is "of a record, too" "$status $(grep -c "warning: scheme none: blocks\.1\." "$work/err")" "0 1"
# Tables are looked up and not loaded: what came out of them is named.
copy llama-gqa-s1 model.embed_tokens.weight
put '\200\177'
printf '7 0 5\n' >tokens
command=perplexity
run --model model --tokens tokens
is "a row of the embedding" "$status $(grep -c "warning: scheme none: embed is inf at position 1 of sequence 0, feature 0: the first" "$work/err")" "0 1"
