# TAP: activations and weights that are not finite are named: tensor, block, position.
command=perplexity
. "$OSC_TESTS/command.sh"
data=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data/models
printf '5 6 7 8\n9 1 2 3 4\n' >tokens
echo 1..4

# The same bits as bfloat16, which reaches far enough: the sums of products of 3e38, the
# weight of feature 0 in the first norm of block 1, overflow.
cp -r "$data/opt-preln-s1" model
chmod u+w model model/model.safetensors
whole=$data/opt-preln-s1/model.safetensors
length=$(od -An -tu8 -N8 "$whole" | tr -d ' ')
header=$(head -c $((8 + length)) "$whole" | tail -c "$length" | sed 's/"F16"/"BF16"/g')
new=${#header}
{
    printf "\\$(printf %o $((new % 256)))\\$(printf %o $((new / 256)))\0\0\0\0\0\0%s" "$header"
    tail -c +$((9 + length)) "$whole"
} >model/model.safetensors
tensor=model.decoder.layers.1.self_attn_layer_norm.weight
start=$(echo "$header" | sed 's/.*"'$tensor'":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/')
put()      # BYTES: the first number of the tensor, little-endian
{
    printf "$1" | dd of=model/model.safetensors bs=1 seek=$((8 + new + start)) conv=notrunc 2>/dev/null
}
run --model model --tokens tokens
is "nothing is said where all is finite" "$status $(wc -c <"$work/err")" "0 0"
put '\142\177'             # 3e38
run --model model --tokens tokens
is "the first activation that is not finite" "$status $(grep -c "warning: scheme none: blocks\.1\.[a-z0-9_]* is -*[a-z]* at position [0-9]* of sequence [01], feature [0-9]*: the first" "$work/err")" "0 1"
command=record
run --model model --tokens tokens -o a.h5
is "of a record, too" "$status $(grep -c "warning: scheme none: blocks\.1\." "$work/err")" "0 1"
put '\200\177'             # inf
command=perplexity
fails "a weight that is not finite" 1 "tensor .*layers.1.self_attn_layer_norm.weight is not finite (first at element 0)" \
    --model model --tokens tokens
