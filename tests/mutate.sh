#!/bin/sh
# Breaks important lines one at a time (a sign, a bound, a rounding, a stride) in a copy of
# the sources and shows that a test fails for each: `tests/mutate.sh [FOLDER]`, which is made
# (build-mutate) and kept.  Exit status 1 if a broken line goes unnoticed.
set -eu
cd "$(dirname "$0")/.."
. ./setup.sh
source=$(pwd)
folder=${1:-build-mutate}
mkdir -p "$folder/tree"
tar -cf - --exclude='./build*' --exclude=./configure --exclude=./.git . | tar -xf - -C "$folder/tree"
cd "$folder/tree"
configure_in build --without-cuda CFLAGS=-O1
# All tests that are named below at once: what a mutant then needs is one object and one test.
tests=$(sed -n 's,^mutant [^ ]* \(test_[a-z0-9_]*\) .*,tests/\1,p' "$source/tests/mutate.sh" | sort -u)
# shellcheck disable=SC2086   # words on purpose
make_in build $tests
survived=0 killed=0

# mutant FILE TEST WHAT EXPRESSION: sed's expression must change the file.  A test that hangs
# notices, too.
mutant()
{
    file=$1 test=$2 what=$3
    cp "$source/$file" whole
    sed "$4" whole >"$file"
    if cmp -s whole "$file"; then
        echo "$file: nothing to break any more: $4"
        survived=$((survived + 1))
        return 0
    fi
    if ! make_in build "tests/$test" >/dev/null 2>&1; then
        echo "$file: does not compile: $4"
        survived=$((survived + 1))
    elif (cd build && OSC_TESTS=../tests OSC_SHARE=../share timeout 30 "tests/$test") >log 2>&1; then
        echo "SURVIVED  $what ($file): $test passes"
        survived=$((survived + 1))
    else
        echo "noticed   $what ($file): by $test"
        killed=$((killed + 1))
    fi
    cp whole "$file"
}

mutant src/backend/cpu_i8_loops.c test_i8 "codes are cut, not rounded" \
    's/float v = (x\[i\] \* scale + magic) - magic;/float v = (float)(int32_t)(x[i] * scale) + 0 * magic;/'
mutant src/backend/cpu_i8_code.c test_i8 "one column too few is kept out of int8" \
    's/count_from(coded, k, bits + 1)/count_from(coded, k, bits)/'
mutant src/base/half.h test_base "halves round up, not to even" \
    's/+ 0xfffu + odd) >> 13/+ 0x1000u + 0 * odd) >> 13/'
mutant analyses/features.c test_analyses "the sign of alpha for minima" \
    's/stats->min\[feature\] <= -alpha/stats->min[feature] <= alpha/'
mutant analyses/features.c test_analyses "a share that is just reached" \
    's/(double)total >= share/(double)total > share/'
mutant src/text/windows.c test_corpus "windows one id too long" \
    's/size_t step = options->length - (options->bos >= 0), most/size_t step = options->length, most/'
mutant src/engine/run.c test_engine "the mean over one id too many" \
    's/exp(result.nll \/ (double)result.scored)/exp(result.nll \/ (double)(result.scored + 1))/'
mutant src/record/seal.c test_record_flips "checksums that always match" \
    's/if (sum != seal->sum\[b\])/if (sum != sum)/'
mutant src/record/merge.c test_record_merge "the last shard's sums alone" \
    's/((double \*)to)\[i\] += ((const double \*)from)\[i\]/((double *)to)[i] = ((const double *)from)[i]/'
mutant src/tensor/tensor.c test_base "strides of rows are left out" \
    's/offset += row % tensor->dim\[d\] \* tensor->stride\[d\];/offset += row % tensor->dim[d] * tensor->dim[tensor->ndim - 1];/'
mutant src/base/json.c test_base "the bound of memory for JSON" \
    's/OSC_JSON_GROWTH > size/OSC_JSON_GROWTH > 4 * size/'
echo "$killed broken lines noticed, $survived not"
test $survived = 0
