#!/bin/sh
# Installs what is missing, builds in ./build-check with warnings as errors, runs all
# tests.  The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")"
. ./setup.sh

# shellcheck disable=SC2086
install_packages $build_packages $test_packages
if ! pkg-config --exists check; then
    echo "the tests need the library Check (Debian: check)" >&2
    echo "0 passed, 1 failed"
    exit 1
fi
flags="CFLAGS=-g -O2 -Werror"
echo "building in ./build-check"
if ! { configure_in build-check && make_in build-check "$flags"; }; then
    echo "0 passed, 1 failed"
    exit 1
fi
check_in build-check "$flags"
