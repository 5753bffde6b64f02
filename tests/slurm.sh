# TAP: the scripts of experiments/slurm under a Slurm of its own: munged, slurmctld and
# slurmd on this host, in a scratch folder, on ports of their own, ended by process id.
# Skipped where Slurm is not installed; `make check-slurm` installs it.
PATH=$PATH:/usr/sbin:/sbin
for tool in munged mungekey slurmctld slurmd sbatch squeue scontrol; do
    if ! command -v $tool >/dev/null; then
        echo "1..0 # SKIP no $tool (make check-slurm installs Slurm)"
        exit 0
    fi
done
program=$(pwd)/outlierscope
share=$(cd "$OSC_SHARE" && pwd) || exit 99
scripts=$(cd "$OSC_TESTS/../experiments/slurm" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-slurm.XXXXXX") || exit 99
daemons=
finish()
{
    for pid in $daemons; do kill "$pid" 2>/dev/null; done
    for pid in $daemons; do wait "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM
chmod 755 "$work"
cd "$work" || exit 99

number=0
is()       # name, found, expected
{
    number=$((number + 1))
    if test "$2" = "$3"; then echo "ok $number - $1"
    else echo "not ok $number - $1: '$2', expected '$3'"; fi
}
give_up()
{
    for log in munged slurmctld slurmd; do
        test ! -s $log.out || sed "s/^/# $log: /" $log.out | tail -n 20
    done
    echo "Bail out! $1"
    exit 1
}

# --- a cluster -------------------------------------------------------------------------
# Tries for up to 30 seconds.
wait_until()
{
    for attempt in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}
node_is_idle() { test "$(sinfo -h -o %T)" = idle; }

host=$(hostname -s)
user=$(id -un)
port=$((20000 + $$ % 20000))
mkdir state spool run
SLURM_CONF=$work/slurm.conf
export SLURM_CONF
cat >slurm.conf <<END
ClusterName=outlierscope
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$work/run/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/run/slurmctld.pid
SlurmdPidFile=$work/run/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
MinJobAge=3600
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
printf 'CgroupPlugin=cgroup/v1\n' >cgroup.conf

mungekey --create --keyfile="$work/run/munge.key" || give_up "no munge key"
munged --foreground --force --socket="$work/run/munge.socket" \
    --key-file="$work/run/munge.key" --seed-file="$work/run/munge.seed" \
    --pid-file="$work/run/munged.pid" --log-file="$work/munged.log" >munged.out 2>&1 &
daemons="$!"
wait_until munge -n -S "$work/run/munge.socket" || give_up "munged does not answer"
slurmctld -D >slurmctld.out 2>&1 &
daemons="$! $daemons"
wait_until scontrol ping || give_up "slurmctld does not answer"
slurmd -D -N "$host" >slurmd.out 2>&1 &
daemons="$! $daemons"
wait_until node_is_idle || give_up "the node does not come up"

# --- jobs ---------------------------------------------------------------------------------
OUTLIERSCOPE=$program
OSC_SHARE=$share
export OUTLIERSCOPE OSC_SHARE
no_jobs() { test -z "$(squeue -h)"; }
wait_for_jobs() { for i in 1 2 3 4 5 6; do wait_until no_jobs && return; done; }
states()
{
    scontrol show job "$1" -o | grep -o 'JobState=[A-Z_]*' | sort | uniq -c | tr -s ' ' |
        tr -d '\n'
}

cat >small.conf <<END
models = opt-mini-2m-step500 opt-mini-2m-step2000
sequences = 4
length = 64
[record]
[perplexity]
schemes = none absmax
END
"$program" sweep -q small.conf -o whole >whole.out 2>&1 || give_up "sweep fails: $(cat whole.out)"

job=$(sbatch --parsable --array=1-3 "$scripts/sweep.sbatch" small.conf sweep -q)
wait_for_jobs
is "the tasks of a sweep's array" "$(states "$job")" " 3 JobState=COMPLETED"
is "make the tables of a sweep on one machine" \
    "$(diff -r whole/tables sweep/tables 2>&1; diff -r whole/figures sweep/figures 2>&1)" ""
is "each cell once" "$(cat sweep/cells/*.log | grep -c '^\$ outlierscope')" 6
rm sweep/cells/*step2000.perplexity*
job=$(SHARDS=3 sbatch --parsable --array=1,3 "$scripts/sweep.sbatch" small.conf sweep -q)
wait_for_jobs
is "some tasks again" "$(states "$job")" " 2 JobState=COMPLETED"

if "$program" --help | grep -q '^  merge '; then
    set -- --model "$share/opt-mini-2m" --length 64 --sequences 7
    "$program" record -q "$@" -o one.h5 >one.out 2>&1 || give_up "record fails: $(cat one.out)"
    "$scripts/record.sh" 3 all.h5 "$@" >record.out 2>&1
    wait_for_jobs
    jobs=$(sed -n 's/^shares: job \([0-9]*\), merge: job \([0-9]*\)$/\1 \2/p' record.out)
    is "the shares of a recording" "$(states "${jobs% *}")" " 3 JobState=COMPLETED"
    is "and their merge" "$(states "${jobs#* }")" " 1 JobState=COMPLETED"
    for run in one all; do   # every feature; the first column is the file
        "$program" outliers $run.h5 --all --format csv | cut -d, -f2- >$run.csv
    done
    is "have the features of one run" "$(wc -l <one.csv | tr -d ' ') $(cmp one.csv all.csv 2>&1)" \
        "$(wc -l <all.csv | tr -d ' ') "
    # A share that fails leaves nothing to merge.
    "$scripts/record.sh" 2 none.h5 --model "$work/none" >record.out 2>&1
    wait_for_jobs
    jobs=$(sed -n 's/^shares: job \([0-9]*\), merge: job \([0-9]*\)$/\1 \2/p' record.out)
    is "shares that fail" "$(states "${jobs% *}")" " 2 JobState=FAILED"
    is "are not merged" "$(states "${jobs#* }") $(ls none.h5 2>/dev/null)" " 1 JobState=CANCELLED "
fi

echo "1..$number"
