# For the tests of one command, `command`: to be sourced in the build folder.  Afterwards
# the current folder is an empty one; $program, $share, $work/out and $work/err are what
# they say.
program=$(pwd)/outlierscope
share=$(cd "$OSC_SHARE" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/osc-$command.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/run"
cd "$work/run" || exit 99

number=0
is()       # name, found, expected
{
    number=$((number + 1))
    if test "$2" = "$3"; then echo "ok $number - $1"
    else echo "not ok $number - $1: '$2', expected '$3'"; fi
}

run()      # $status, $work/out, $work/err
{
    "$program" $command -q "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# works NAME PATTERN ARG...: exit status 0, nothing on stderr, the pattern in the output.
works()
{
    name=$1 pattern=$2; shift 2
    run "$@"
    found=no
    if test -z "$pattern" || grep -q -e "$pattern" "$work/out"; then found=yes; fi
    is "$name" "$status$(head -n 1 "$work/err") $found" "0 yes"
}

# fails NAME STATUS PATTERN ARG...: this status, one line on stderr with the pattern, no
# output, no new or changed file.
fails()
{
    name=$1 expected=$2 pattern=$3; shift 3
    before=$(ls -lA --time-style=full-iso)
    run "$@"
    wrong=$(test -s "$work/out" && echo " output"
            test "$before" = "$(ls -lA --time-style=full-iso)" || echo " files changed"
            grep -q -e "^outlierscope $command: .*$pattern" "$work/err" || cat "$work/err")
    is "$name" "$status $(wc -l <"$work/err")$wrong" "$expected 1"
}
