#!/bin/sh
# From nothing to a result: installs what is missing, builds in ./build, records the
# shipped model on the shipped text, shows its outlier table and writes the coverage
# figure to ./quickstart-output.  May be run again at any time.
set -eu
cd "$(dirname "$0")"
. ./setup.sh

# shellcheck disable=SC2086
install_packages $build_packages
echo "building in ./build"
configure_in build
make_in build

mkdir -p quickstart-output
show()
{
    printf '\n$ outlierscope %s\n' "$*" >&2
    ./build/outlierscope "$@"
}
run=quickstart-output/opt-mini-8m.h5
show record --model share/opt-mini-8m --text share/sampled.txt --length 256 --sequences 16 \
    -o $run --force
show outliers $run
show coverage $run --plot quickstart-output/coverage.svg >quickstart-output/coverage.txt

cat <<'EOT'

The record is quickstart-output/opt-mini-8m.h5; the figure quickstart-output/coverage.svg
(its numbers: coverage.txt) shows in which blocks the outlier features live.

Next, your own OPT checkpoint in Hugging Face layout (config.json, model.safetensors,
vocab.json and merges.txt in one folder) on your own text:

  ./build/outlierscope record --model ~/opt-125m --text mytext.txt -o opt-125m.h5
  ./build/outlierscope outliers opt-125m.h5
  ./build/outlierscope coverage opt-125m.h5 --plot opt-125m.svg

./build/outlierscope --help lists all commands; `make -C build install` installs the program.
EOT
