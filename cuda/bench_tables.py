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


def model(line):
    """6.7b of synth:opt-6.7b,seed=1 or of a folder's path."""
    return line["shape"].split(",")[0].split("/")[-1].removeprefix("synth:").removeprefix("opt-")


def gib(mib):
    return f"{mib / 1024:.2f}"


def models(lines):
    """A line a model and scheme: tokens a second of what was measured, and memory."""
    kinds = ("prefill", "observed", "observed+metrics", "decode", "decode behind a long past")
    found = {}
    for line in lines:
        if line["bench"] in kinds and not line["memory_gb"]:
            key = (model(line), line["kernel"], line["devices"])
            found.setdefault(key, {})[line["bench"]] = line
    rows = []
    for key, of in found.items():
        speeds = [f"{of[kind]['tokens_per_s']:,.0f}" if kind in of else "-" for kind in kinds]
        first = next(iter(of.values()))
        rows.append([*key, *speeds, first.get("opening_s", "-"), gib(first["weight_mib"]),
                     gib(max(line["peak_mib"] for line in of.values()))])
    table("Whole models, 8 x 2048 ids: ids a second", ["model", "scheme", "GPUs", "prefill",
          "with statistics", "with all measures", "decoding", "behind 1996 ids", "opened, s",
          "weights, GiB", "peak, GiB"], rows)


def streamed(lines):
    rows = [[model(line), line["kernel"], line["memory_gb"],
             f"{line['tokens_per_s']:,.0f}", gib(line["peak_mib"])]
            for line in lines if line["bench"] == "prefill" and line["memory_gb"]]
    table("In less memory than the weights take", ["model", "scheme", "memory, GB", "ids a second",
          "peak, GiB"], rows)


def graphs(lines):
    without = {}
    rows = []
    for line in lines:
        if line["bench"] not in ("prefill without graph", "prefill with graph"):
            continue
        key = (model(line), line["kernel"], line["sequences"], line["ids"])
        if line["bench"] == "prefill without graph":
            without[key] = line
        else:
            plain = without[key]["median_us"]
            rows.append([key[0], key[1], f"{key[2]} x {key[3]}", f"{plain / 1e3:.2f}",
                         f"{line['median_us'] / 1e3:.2f}", f"{plain / line['median_us']:.2f}",
                         f"{line['making_us'] / 1e3:.1f}"])
    table("Chunks as graphs, milliseconds", ["model", "scheme", "ids", "without", "with", "gain",
          "making it"], rows)


def torch(lines):
    """PyTorch's prefill beside ours in float16."""
    ours = {model(line): line for line in lines
            if line["bench"] == "prefill" and line["kernel"] == "none"
            and line["devices"] == "0" and not line["memory_gb"]}
    rows = []
    for line in lines:
        if line["bench"] == "torch matmul":
            print(f"In PyTorch, for half a second: fp16 {line['tflops']:.0f} TFLOP/s "
                  f"({line['shape']}).")
        elif line["bench"] == "torch copy":
            print(f"In PyTorch: copies {line['gbps']:.0f} GB/s (read and written).")
        elif line["bench"] == "torch prefill":
            mine = ours.get(model(line))
            rows.append([model(line), f"{line['tokens_per_s']:,.0f}",
                         f"{mine['tokens_per_s']:,.0f}" if mine else "-",
                         f"{mine['tokens_per_s'] / line['tokens_per_s']:.2f}" if mine else "-"])
    table("Prefill in float16, ids a second", ["model", "PyTorch", "this", "this / PyTorch"], rows)


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
    graphs(lines)
    models(lines)
    streamed(lines)
    torch(lines)


main()
