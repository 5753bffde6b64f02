#!/usr/bin/env python3
"""Where a kernel for products of codes is faster than the first that fits.

    bench.sh -b BUILD -p kernels > kernels.jsonl
    codes_measured.py kernels.jsonl > cuda/codes_measured.h

A line of the table holds for numbers of rows and widths up to the geometric means with the
neighbouring measured ones: a kernel stands there if it needed at most 0.97 of the time."""
import json
import math
import sys

KERNELS = ["few-dp4a", "few-mma", "wgmma", "cublaslt"]     # as CUDA_KERNELS
ENOUGH = 0.97
NONE = "SIZE_MAX"


def read(paths):
    """{(shape, rows): {width: {kernel: microseconds}}} of llm-int8."""
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = json.loads(line)
                words = line["bench"].split()
                if words[:2] == ["linear", "llm-int8"] and line["kernel"] in KERNELS:
                    widths = found.setdefault((words[2], line["rows"]), {})
                    widths.setdefault(line["width"], {})[line["kernel"]] = line["median_us"]
    return found


def faster(times):
    """The kernel to start with, or None where the first that fits will do."""
    first = min(times, key=KERNELS.index)
    best = min(times, key=times.get)
    return best if times[best] <= ENOUGH * times[first] else None


def bounds(values, value):
    """The first and the last number for which `value`, one of the sorted values, stands."""
    at = values.index(value)
    low = 0 if at == 0 else math.isqrt(values[at - 1] * value) + 1
    high = NONE if at + 1 == len(values) else math.isqrt(value * values[at + 1])
    return low, high


def runs(widths):
    """(first width, last width, kernel) of neighbours with the same faster kernel."""
    found = []
    for width in sorted(widths):
        kernel = faster(widths[width])
        if found and found[-1][2] == kernel:
            found[-1][1] = width
        else:
            found.append([width, width, kernel])
    return [run for run in found if run[2] is not None]


def main():
    found = read(sys.argv[1:])
    all_rows = sorted({rows for _, rows in found})
    print("/* Made by codes_measured.py of one run of bench_codes on an NVIDIA H200;"
          " not to be edited.")
    print(" * Lines of osc_cuda_codes_choice's table. */")
    for rows in all_rows:
        for shape in ("fc1", "fc2", "square"):
            widths = found.get((shape, rows), {})
            for first, last, kernel in runs(widths):
                low, high = bounds(all_rows, rows)
                left, right = bounds(sorted(widths), first)[0], bounds(sorted(widths), last)[1]
                print(f"{{ {low}, {high}, CODES_{shape.upper()}, {left}, {right}, "
                      f"CODES_{kernel.upper().replace('-', '_')} }},   "
                      f"/* {rows} rows, {first} to {last} */")


main()
