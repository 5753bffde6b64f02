#!/usr/bin/env python3
"""Tables in Markdown from the JSON lines of cuda/bench.sh.

    bench_tables.py FILE... > tables.md
"""
import json
import sys


def table(title, columns, rows):
    if not rows:
        return
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def linear(lines):
    """One table a number of rows: a line per shape and width, a column per scheme."""
    cells, schemes = {}, []
    for line in lines:
        words = line["bench"].split()
        if words[0] != "linear":
            continue
        shape, scheme = words[-1], " ".join(words[1:-1])
        if line["kernel"] != "chosen" and scheme not in ("none", "int8 sums"):
            continue
        if scheme not in schemes:
            schemes.append(scheme)
        cells[line["rows"], shape, line["width"], scheme] = line
    for rows in sorted({key[0] for key in cells}):
        body, errors = [], []
        for shape in ("fc1", "fc2", "square"):
            for width in sorted({key[2] for key in cells if key[:2] == (rows, shape)}):
                found = [cells.get((rows, shape, width, s)) for s in schemes]
                body.append([shape, width] + [cell(c) for c in found])
                errors.append([shape, width] + [f"{c['error']:.1e}" if c and c["error"] else "-"
                                                for c in found])
        table(f"Linear layers, {rows} rows: microseconds (speed against fp16)",
              ["shape", "width"] + schemes, body)
        table(f"Linear layers, {rows} rows: error against float64 (relative Frobenius)",
              ["shape", "width"] + schemes, errors)


def cell(line):
    if line is None:
        return "-"
    return f"{line['median_us']:.1f} ({line['ratio']:.2f})"


def operations(lines):
    rows = [[line["kernel"], line["shape"], line["median_us"], line["tflops"], line["gbps"]]
            for line in lines if line["bench"] == "op"]
    table("Operations", ["operation", "rows x width", "us", "TFLOP/s", "GB/s"], rows)


def models(lines):
    kinds = ("prefill", "observed", "observed+metrics", "decode", "decode behind a long past")
    rows = [[line["shape"].split(",")[0], line["kernel"], line["devices"],
             line["memory_gb"] or "free", line["bench"], line["tokens_per_s"],
             f"{line['ratio']:.3f}", line["weight_mib"], line["peak_mib"],
             line.get("opening_s", "")]
            for line in lines if line["bench"] in kinds]
    table("Whole models, 8 x 2048 ids", ["model", "scheme", "GPUs", "memory, GB", "what",
          "tokens/s", "against plain", "weights, MiB", "peak, MiB", "opened in, s"], rows)


def main():
    lines = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(line) for line in file if line.startswith("{")]
    for line in lines:
        if line["bench"] == "ceilings":
            print(f"Ceilings in the same run: copies {line['copy_gbps']} GB/s (read and written), "
                  f"fp16 {line['fp16_tflops']} TFLOP/s ({line['shape']}).")
    linear(lines)
    operations(lines)
    models(lines)


main()
