#!/bin/sh
# Measures the CUDA backend: JSON lines on stdout, for cuda/bench_tables.py.
#   bench.sh [-b BUILD] [-p PARTS] [-w WIDTHS] [-r ROWS] [-m MODELS] [-s SCHEMES] [-t SECONDS]
# BUILD has cuda/bench_codes and tests/bench_cuda (make cuda/bench_codes tests/bench_cuda).
# PARTS, in words: linear (layers of every OPT width, all schemes, with the ceilings),
# kernels (of products of codes, for cuda/codes_measured.py), operations, graphs (whole chunks
# as graphs and without), models (prefill, recording, decoding, memory), streamed (a model in
# less memory than its weights take), several (on two GPUs), torch (prefill in PyTorch, and what
# it reaches at most); all but the last two by default.
# On one H200 the first five take about 60, 22, 5, 13 and 125 seconds.
# All ends after SECONDS (500): narrow it with PARTS, WIDTHS, ROWS and MODELS.
build=. parts='linear kernels operations graphs models streamed' seconds=500
widths='768 1024 2048 2560 4096 5120 7168 9216 12288' rows='1 8 512 2048 16384'
models='125m 1.3b 6.7b 13b 30b' schemes='none llm-int8 llm-int8:weights=int8'
usage() { sed -n 's/^# \{0,3\}//; 3,4p' "$0" >&2; exit 2; }
while getopts b:p:w:r:m:s:t: option; do
    case $option in
    b) build=$OPTARG ;; p) parts=$OPTARG ;; w) widths=$OPTARG ;; r) rows=$OPTARG ;;
    m) models=$OPTARG ;; s) schemes=$OPTARG ;; t) seconds=$OPTARG ;; *) usage ;;
    esac
done
end=$(( $(date +%s) + seconds ))
failed=0

# A program with what is left of the time; what it printed before a failure counts.  It stays in
# this process group, so that who ends the script ends it too.
run() {
    left=$(( end - $(date +%s) ))
    if [ $left -le 0 ]; then echo "bench.sh: no time left for: $*" >&2; failed=1; return; fi
    timeout --foreground "$left" "$@" || { echo "bench.sh: failed: $*" >&2; failed=1; }
}

linear() {
    first=yes
    for t in $rows; do
        run "$build/cuda/bench_codes" $widths "rows=$t" schemes=yes kernel= "ceilings=$first"
        first=no
    done
}

kernels() {
    run "$build/cuda/bench_codes" $widths parts=no rows=1,2,3,4,8,12,16,32,64,128,512,2048
}

# From OPT-13B's shape up random weights give thousands of columns that reach 6, which real
# models do not have; 15 leaves the seven planted ones.
models() {
    for m in $models; do
        for s in $schemes; do
            case $m,$s in
            125m,* | 1.3b,* | 6.7b,* | *threshold=*) ;;
            *,llm-int8:*) s=$s,threshold=15 ;;
            *,llm-int8) s=$s:threshold=15 ;;
            esac
            run "$build/tests/bench_cuda" "$@" "synth:opt-$m,seed=1,outliers=7@$s"
        done
    done
}

graphs() {
    for m in 125m 1.3b; do
        for s in none llm-int8:weights=int8; do
            run "$build/tests/bench_cuda" parts=graphs "synth:opt-$m,seed=1,outliers=7@$s"
        done
    done
}

# From files, so that weights come from the host.
streamed() {
    folder=$(mktemp -d)
    "$build/outlierscope" synth opt-1.3b,seed=1,outliers=7 -q -f -o "$folder/opt-1.3b" >/dev/null
    for memory in 0 2.2; do
        for s in none llm-int8:weights=int8; do
            run "$build/tests/bench_cuda" memory=$memory "$folder/opt-1.3b@$s"
        done
    done
    rm -rf "$folder"
}

for part in $parts; do
    case $part in
    linear) linear ;;
    kernels) kernels ;;
    graphs) graphs ;;
    operations) run "$build/tests/bench_cuda" ;;
    models) models ;;
    streamed) streamed ;;
    several) models devices=0,1 ;;
    torch) run python3 "$(dirname "$0")/bench_torch.py" $models ;;
    *) echo "bench.sh: no part '$part'" >&2; usage ;;
    esac
done
exit $failed
