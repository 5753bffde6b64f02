"""Prints what a record holds: python3 read_record.py run.h5 (needs h5py alone)."""
import sys
import h5py

with h5py.File(sys.argv[1]) as f:
    print(f.attrs["model"], f.attrs["scheme"], "perplexity", f.attrs["perplexity"])
    for point, group in f["stats"].items():
        d = group["absmax"]
        print(point, d.attrs["description"], {d.dims[i].label: d.shape[i] for i in range(d.ndim)})
        best = max(zip(d[:].max(axis=0), d.dims[1][0][:]), default=(0, 0))
        print("   most extreme: feature", best[1], "with magnitude", best[0])
    if f.attrs.get("modules"):    # kurtosis over neurons of what enters each block (He et al.)
        q = f["residual/sumsq"][:-1] / f.attrs["positions"]
        print("kurtosis over neurons", (q ** 2).mean(axis=1) / q.mean(axis=1) ** 2)
    counts = f["positions"][f.attrs["track"]]["any"][:]
    for feature in counts.argsort()[::-1][:5]:
        print("feature", feature, "reaches alpha at", counts[feature] / f.attrs["positions"])
