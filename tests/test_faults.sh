# TAP: one call of a command fails (tests/faults): an allocation, a read, a write, a sync, a
# rename, an open, a close, a lock.  Either it does not matter and the result is the usual one, or the
# command fails with a message, releases its memory, and the output is what it was before
# or what it was to be, with nothing beside it.  A sample of all calls; every one under
# `make check-long` (OSC_LONG).
. "$OSC_TESTS/faults.sh"

# A record has the time in it, and like a comparison it is committed piece by piece; a report
# leaves out what cannot be read, and says so.
as_it_should_be()    # FILE, what it should be
{
    cmp -s "$1" "$2" && return 0
    case $1 in
    *.h5) "$program" info "$1" >"$work/info" 2>&1 ;;
    *.html) grep -q "<h2>Not in this report</h2>" "$1" ;;
    *.json) test "$(head -c 1 "$1")$(tail -c 2 "$1")" = "[]" ;;
    *) return 1 ;;
    esac
}

# One fault: what is wrong, if something is.
check()       # ARG...
{
    fault=$kind:$n
    if test -n "$output"; then cp "$work/old" "$output"; fi
    injected "$fault" "$@"
    if test $status = 0; then
        cmp -s "$work/out" "$work/good" || echo " $fault: other output"
        test -z "$output" || as_it_should_be "$output" "$work/new" || echo " $fault: $output is bad"
    else
        test $status = 1 || test "$dies" -a $status -gt 128 || echo " $fault: status $status"
        test -s "$work/err" || test "$dies" -a $status -gt 128 || echo " $fault: no message"
        test -z "$output" || cmp -s "$output" "$work/old" || as_it_should_be "$output" "$work/new" \
            || echo " $fault: $output is damaged"
    fi
    test "$left" = 0 -o "$dies" || echo " $fault: $left allocations left"
    test "$(ls -A)" = "$before" -o $status -gt 128 || echo " $fault: left $(ls -A | tr '\n' ' ')"
    rm -f ./*.tmp ./*.lock
}

# survives KIND NAME OUTPUT ARG...: all calls of the kind, or a sample that gets thinner.
survives()
{
    kind=$1 name=$2 output=$3; shift 3
    # HDF5 (1.10) and OpenSSL (3.0) do not survive each of their own allocations failing: no
    # more can be asked than that what was committed stays.
    dies=
    if test $kind = any; then dies=yes; fi
    rm -f "$work/new"
    echo "what was there before" >"$work/old"
    if test -n "$output"; then cp "$work/old" "$output"; fi
    injected "$kind:0" "$@"
    cp "$work/out" "$work/good"
    test -z "$output" || cp "$output" "$work/new"
    before=$(ls -A)
    if test $status = 0; then each_call "$calls" check "$@"
    else wrong=" without a fault: status $status"; fi
    is "$name, $kind: $runs of $calls calls fail" "$wrong" ""
}

kinds="own lib any read write sync rename open close lock"
command_survives()    # NAME OUTPUT ARG...: every kind
{
    for kind in $kinds; do survives $kind "$@"; done
}

# One fault in a sweep and in its cells, which are processes: --resume then ends with the same
# tables.
check_sweep()
{
    rm -rf sweep
    injected $kind:$n sweep -q -o sweep sweep.conf
    test $status = 0 -o $status = 1 || echo " $kind:$n: status $status"
    test $status = 0 -o -s "$work/err" || echo " $kind:$n: no message"
    test "$left" = 0 || echo " $kind:$n: $left allocations left"
    "$program" sweep -q --resume -o sweep sweep.conf >"$work/log" 2>&1 ||
        echo " $kind:$n: cannot go on: $(tail -n 1 "$work/log")"
    cmp -s sweep/tables/perplexity.json "$work/tables" || echo " $kind:$n: other tables"
}

sweep_survives()
{
    kind=$1 dies=
    rm -rf sweep
    injected $kind:0 sweep -q -o sweep sweep.conf
    cp sweep/tables/perplexity.json "$work/tables"
    each_call "$calls" check_sweep
    is "sweep, $kind: $runs of $calls calls fail" "$wrong" ""
}

tiny=opt-125m,num_hidden_layers=1,hidden_size=16,word_embed_proj_dim=16,ffn_dim=32,num_attention_heads=2,vocab_size=64
mkdir results
"$program" record -q $run -o in.h5 >"$work/log" 2>&1 || { cat "$work/log"; echo "Bail out!"; exit 1; }
cp in.h5 results
"$program" record -q $run --shard 1/2 -o one.h5 >"$work/log" 2>&1
"$program" record -q $run --shard 2/2 -o two.h5 >"$work/log" 2>&1
command_survives record out.h5 record -q $run --force -o out.h5
command_survives outliers table outliers --all -o table in.h5
command_survives compare table.json compare -q $run --schemes none --force -o table.json
if test -n "$OSC_LONG"; then
    command_survives merge out.h5 merge -q --force -o out.h5 one.h5 two.h5
    command_survives coverage plot.svg coverage --plot plot.svg in.h5
    command_survives report page.html report -q -o page.html results
    command_survives emergence "" emergence in.h5
    command_survives perplexity "" perplexity -q $run
    command_survives ablate "" ablate -q $run --features 1,2 --draws 1
    command_survives info "" info "$model"
    command_survives generate "" generate -q --model "$model" --tokens tokens --max 2
    # Without the libraries' allocations: jansson and PCRE2 make 100,000 of a tokenizer, and
    # jansson (2.14) reads beyond its buffer when that cannot grow for one of synth's names.
    kinds="own read write sync rename open close lock"
    mkdir made
    command_survives synth "" synth -q -f -o made $tiny      # config.json comes last
    command_survives tokenize "" tokenize --tokenizer "$share/opt-mini-2m" --text text
    command_survives zeroshot table.json zeroshot -q --model "$share/opt-mini-2m" \
        --tasks lambada --limit 1 --force -o table.json
    printf 'models = %s\ntokens = %s/tokens\n[perplexity]\nschemes = none\n' "$model" "$(pwd)" \
        >sweep.conf
    for kind in lib $kinds; do sweep_survives $kind; done
fi
echo "1..$number"
