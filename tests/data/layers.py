"""Cuts layers.h5 of the full reference (argument 1) to the copy kept here (argument 2).

Real matrices keep a part of their rows and outputs: every one that holds an extreme (scales are shared
by whole tensors) or a removed column's peak, and every few of the rest.  Codes and scales are then
recomputed from what is left and must be those of the full file, so nothing is an approximation."""
import sys
import h5py
import numpy as np

f32 = np.float32
# scheme: kind, set of x, set of w (tensor or row), decomposed
SCHEMES = {
    "absmax": ("symmetric", "tensor", "tensor", False),
    "zeropoint": ("zeropoint", "tensor", "tensor", False),
    "absmax-row": ("symmetric", "row", "tensor", False),
    "absmax-vector": ("symmetric", "row", "row", False),
    "zeropoint-vector": ("zeropoint", "row", "row", False),
    "absmax-row-decomp": ("symmetric", "row", "tensor", True),
    "llm-int8": ("symmetric", "row", "row", True),
    "llm-int8-zeropoint": ("zeropoint", "row", "row", True),
}


def extreme(x, share, function):
    if share == "tensor":
        return np.array([[function(x)]], f32)
    return function(x, axis=1, keepdims=True)


def code(x, kind, share):
    if x.shape[1] == 0:
        sets = (1 if share == "tensor" else x.shape[0], 1)
        return x.astype(np.int8), np.ones(sets, f32), np.zeros(sets, np.int32)
    if kind == "symmetric":
        most = extreme(np.abs(x), share, np.max)
        s = np.where(most > 0, f32(127) / np.where(most > 0, most, f32(1)), f32(1)).astype(f32)
        return np.clip(np.rint(x * s), -127, 127).astype(np.int8), s, np.zeros(s.shape, np.int32)
    low, high = extreme(x, share, np.min), extreme(x, share, np.max)
    width = (high - low).astype(f32)
    s = (f32(254) / np.where(width == 0, f32(1), width)).astype(f32)
    z = (-np.rint(s * low) - 127).astype(np.int32)
    return np.clip(np.rint(x * s).astype(np.int64) + z, -127, 127).astype(np.int8), s, z


def extreme_rows(x):
    return {int(x.max(1).argmax()), int(x.min(1).argmin())}


def part(x, w):
    """Rows of x and of w that stay."""
    rows = extreme_rows(x) | set(range(0, len(x), 5))
    for column in np.nonzero((np.abs(x) >= 6).any(0))[0]:
        rows.add(int(np.abs(x[:, column]).argmax()))
    return sorted(rows), sorted(extreme_rows(w) | set(range(0, len(w), 3)))


def put(out, name, data):
    options = dict(compression="gzip", compression_opts=9, shuffle=True, chunks=data.shape)
    out.create_dataset(name, data=data, **(options if data.size > 256 else {}))


def cut(out, case, group):
    x, w = group["x"][()], group["w"][()]
    rows, outputs = list(range(len(x))), list(range(len(w)))
    if case.startswith("real"):
        rows, outputs = part(x, w)
    both = np.ix_(rows, outputs)
    x, w = x[rows], w[outputs]
    put(out, case + "/x", x)
    put(out, case + "/w", w)
    put(out, case + "/y_float64", group["y_float64"][()][both])
    for scheme, (kind, share_x, share_w, decomposed) in SCHEMES.items():
        full = {name: data[()] for name, data in group[scheme].items()}
        for name, share, keep in (("x", share_x, rows), ("w", share_w, outputs)):
            full["q" + name] = full["q" + name][keep]
            for table in ("s" + name, "z" + name):
                full[table] = full[table][keep] if share == "row" else full[table]
        for name in ("acc", "y", "y_w8"):
            full[name] = full[name][both]
        removed = (np.abs(x) >= 6).any(0) & decomposed
        mine = dict(columns=np.nonzero(removed)[0], kept=np.nonzero(~removed)[0])
        mine["qx"], mine["sx"], mine["zx"] = code(x[:, ~removed], kind, share_x)
        mine["qw"], mine["sw"], mine["zw"] = code(w, kind, share_w)
        mine["acc"] = (mine["qx"].astype(np.int64) - mine["zx"]) @ \
            (mine["qw"][:, ~removed].astype(np.int64) - mine["zw"]).T
        for name, data in mine.items():
            assert np.array_equal(full[name], data), (case, scheme, name)
        for name, data in full.items():
            put(out, f"{case}/{scheme}/{name}", data)


with h5py.File(sys.argv[1]) as source, h5py.File(sys.argv[2], "w") as target:
    for title in source:
        cut(target, title, source[title])
