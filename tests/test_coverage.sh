# TAP: coverage as a user runs it.  With one tracked point the three ways to count (union of
# events, one point's counts, the largest where events were dropped) must agree.
command=coverage
. "$OSC_TESTS/command.sh"
data=$(cd "$OLDPWD" && cd "$OSC_TESTS" && pwd)/data
echo 1..29

record()      # FILE ARG...
{
    file=$1; shift
    "$program" record -q --model "$share/opt-mini-2m" --sequences 2 --no-metrics -o "$file" \
        --tokens "$data/text/sampled-16x256.tokens" "$@" >"$work/log" 2>&1 || {
            cat "$work/log"; echo "Bail out!"; exit 1; }
}

key()         # KEY: the first value of it in the output
{
    sed -n "s/^ *\"$1\": \"*\([^,\"]*\)\"*,*$/\1/p" "$work/out" | head -n 1
}

numbers()     # the features and their shares
{
    sed -n '/"features"/,$p' "$work/out" | tr -d ' \n'
}

record all.h5
record one.h5 --track qkv_in
record few.h5 --track qkv_in --event-cap 1
record shard.h5 --sequences 4 --shard 2/2
record none.h5 --alpha 1e6

works "a table" "^feature  *outlier  *mean" all.h5
is "of 20 features" "$(grep -c '^ *[0-9][0-9]*  *\(yes\|no\)' "$work/out")" 20
works "of as many as asked" "these are 3, outliers before others" --top 3 all.h5
is "that many" "$(grep -c '^ *[0-9][0-9]*  *\(yes\|no\)' "$work/out")" 3
works "a share of a run is said so" "The record is shard 2 of 2" shard.h5
works "no feature" "^No feature reaches it in any block" none.h5

works "one tracked point" '"counting": "union"' --format json --top 0 one.h5
numbers >union
reaching=$(key reaching)
is "positions" "$(key positions)" 512
is "its name" "$(key points)" qkv_in
works "by its counts" '"counting": "point"' --format json --top 0 --point qkv_in one.h5
is "as many" "$(numbers)" "$(cat union)"
works "without its events" '"counting": "largest"' --format json --top 0 few.h5
is "the same" "$(numbers)" "$(cat union)"
works "which the table says" "does not hold all its events" few.h5
works "any point of all that were tracked" '"counting": "union"' --format json --top 0 all.h5
is "reaches more than one of them" "$(test "$(key reaching)" -gt $reaching && echo yes)" yes
reaching=$(key reaching)
works "by index" "" --format csv --top 0 --order index all.h5
sed -n '2,$p' "$work/out" | cut -d, -f1 >order
is "in order" "$(sort -n order | cmp - order && wc -l <order)" "$reaching"
works "outliers first" "" --format csv --top 0 all.h5
is "no outlier after another" \
    "$(sed -n '2,$p' "$work/out" | cut -d, -f2 | uniq | tr '\n' ' ')" "yes no "

works "into a file" "" --format md -o table.md all.h5
is "which has it" "$(head -c 1 table.md)" "|"
works "a figure of all features" "" --plot all.svg --all-features all.h5
is "is a figure" "$(tail -n 1 all.svg)" "</svg>"

fails "two results in one file" 2 "name the same file" --plot a -o a all.h5
fails "all features of no figure" 2 "add --plot" --all-features all.h5
fails "two records" 2 "takes one record" all.h5 one.h5
fails "an unknown order" 2 "--order" --order size all.h5
fails "a point that was not recorded" 1 "all.h5: .*logits" --point logits all.h5
