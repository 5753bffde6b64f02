#!/bin/sh
# Records with N Slurm jobs at once, each its share of the sequences, and merges the shares
# when all are done.
#
#     ./record.sh 8 /shared/opt-13b.h5 --model /shared/opt-13b --text /shared/c4.json.gz
#
# Arguments: N, the record to make, options of `outlierscope record`.  Run the same again to
# go on after a time limit or a failure.  SBATCH_... variables (partition, time, memory; see
# sbatch(1)) and OUTLIERSCOPE (the program) are passed on.
set -eu
if test $# -lt 2; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
SHARDS=$1
record=$2
shift 2
export SHARDS

shares=$(sbatch --parsable --array="1-$SHARDS" "$here/record.sbatch" "$record" "$@")
merge=$(sbatch --parsable --dependency="afterok:$shares" --kill-on-invalid-dep=yes \
    "$here/merge.sbatch" "$record" "$SHARDS")
echo "shares: job $shares, merge: job $merge"
