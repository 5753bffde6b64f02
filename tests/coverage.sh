#!/bin/sh
# What the tests of a build with --enable-coverage ran, from the build folder, after them:
# lines and branches of each file of src/, analyses/, cli/ and experiments/ and in total, as
# a table (coverage.txt) and as pages (coverage/index.html).  `make coverage` runs it.
#
#   coverage.sh SOURCE check     says whether what is needed is there
#   coverage.sh SOURCE report    after the tests
set -eu
source=$(cd "$1" && pwd -P)
folders="src analyses cli experiments"

for tool in lcov genhtml; do
    command -v $tool >/dev/null || {
        echo "coverage: there is no $tool (Debian: lcov)" >&2
        exit 1
    }
done
test "$2" = report || exit 0

set --
for folder in $folders; do set -- "$@" --include "$source/$folder/*"; done
# The tests' own objects count for what headers hold.
for folder in $folders tests; do set -- "$@" --directory $folder; done
branches="--rc lcov_branch_coverage=1"
# Capturing leaves a record of each object: a file that is also part of a test, and headers,
# have several, which adding makes one.
# shellcheck disable=SC2086
{ lcov $branches --quiet --capture "$@" --output-file coverage.each &&
  lcov $branches --quiet --add-tracefile coverage.each --output-file coverage.info &&
  genhtml $branches --quiet --prefix "$source" --title outlierscope \
    --output-directory coverage coverage.info
} >coverage.log 2>&1 || { cat coverage.log >&2; exit 1; }

# A row a file: lines hit, lines, branches taken, branches.
awk -v root="$source/" '
    BEGIN { FS = "[:,]" }
    $1 == "SF"   { file = substr($2, length(root) + 1); hit = all = taken = ways = 0 }
    $1 == "DA"   { all++; hit += $3 > 0 }
    $1 == "BRDA" { ways++; taken += $5 > 0 }
    $1 == "end_of_record" { print file, hit, all, taken, ways }' coverage.info | sort >coverage.rows

# The same as a table, then each folder, then what the goal is about.
awk '
    function percent(part, whole) { return whole > 0 ? 100 * part / whole : 100 }
    function row(name, hit, all, taken, ways) {
        printf "%-38s %6d %6d %6.1f %9d %6d %6.1f\n", name, hit, all, percent(hit, all),
               taken, ways, percent(taken, ways)
    }
    function add(name) { for (i = 2; i <= 5; i++) sum[name, i] += $i }
    function total(name) { row(name, sum[name, 2], sum[name, 3], sum[name, 4], sum[name, 5]) }
    BEGIN {
        printf "%-38s %6s %6s %6s %9s %6s %6s\n", "", "lines", "of", "%", "branches", "of", "%"
    }
    {
        row($1, $2, $3, $4, $5)
        folder = $1
        sub("/.*", "", folder)
        add(folder)
        if (folder == "src" || folder == "analyses")
            add("src and analyses")
    }
    END {
        print ""
        total("src"); total("analyses"); total("cli"); total("experiments")
        total("src and analyses")
    }' coverage.rows >coverage.txt
rm -f coverage.rows coverage.each coverage.log
sed -n '1p; /^$/,$p' coverage.txt
echo "every file: coverage.txt; every line: coverage/index.html"
