"""Outlier measures without a threshold, in float64 (NumPy alone), by their definitions.

usage: metrics.py MODEL_DIR TOKENS [SEQUENCES] > OUT.json
TOKENS: a sequence of ids a line, or a JSON file whose "ids" are lists of them.
Definitions: He et al. 2024 (kurtosis over neurons, max/median ratio, of block inputs),
Bondarenko et al. 2023 (inf-norm, kurtosis of modules' outputs), Sun et al. 2024
(massive activations of block outputs).  A median is the lower of two middle values.
"""
import json, sys
import numpy as np
import float64

seen = {}    # (point, block) -> one array per sequence


def keep(point, layer, x):
    seen.setdefault((point, layer), []).append(x.copy())
    return x


def median(a, axis=None):
    a = np.sort(np.abs(a), axis=axis) if axis is not None else np.sort(np.abs(a).ravel())
    return a[..., (a.shape[-1] - 1) // 2]


float64.observe = keep
config, weights = float64.load(sys.argv[1])
if sys.argv[2].endswith(".json"):
    sequences = json.load(open(sys.argv[2]))["ids"]
else:
    sequences = [line.split() for line in open(sys.argv[2])]
for ids in sequences[:int(sys.argv[3]) if len(sys.argv) > 3 else None]:
    float64.forward(config, weights, np.array(ids, int))

layers = range(config["num_hidden_layers"])
out = {"he_kurtosis": [], "mmr": [], "top": [], "median": [], "massive": []}
for layer in layers:
    x = np.vstack(seen["resid_post", layer - 1] if layer else seen["embed", -1])
    s = np.sqrt((x ** 2).mean(0))
    out["he_kurtosis"].append((s ** 4).mean() / (s ** 2).mean() ** 2)
    out["mmr"].append((np.abs(x).max(1) / median(x, 1)).mean())
    states = seen["resid_post", layer]
    out["top"].append(np.mean([np.sort(np.abs(h).ravel())[::-1][:3] for h in states], 0).tolist())
    out["median"].append(np.mean([median(h) for h in states]))
    out["massive"].append(sum(int(((np.abs(h) > 100) & (np.abs(h) >= 1000 * median(h))).sum())
                              for h in states))

norms = ["qkv_in", "fc1_in"] if config["do_layer_norm_before"] else ["fc1_in"]    # else resid_post
modules = [(p, l) for l in layers for p in norms + ["attn_out", "mlp_out", "resid_post"]]
modules += [("final_norm", -1)] if ("final_norm", -1) in seen else []
inf_norm, kurtosis = {}, {}
for module in modules:
    inf_norm[module] = np.mean([np.abs(x).max() for x in seen[module]])
    kurtosis[module] = np.mean([((x - x.mean()) ** 4).mean() / (x.std(ddof=1) ** 4 + 1e-6)
                                for x in seen[module]])
worst = max(modules, key=inf_norm.get)
out |= {"modules": len(modules), "inf_norm": inf_norm[worst], "inf_norm_point": worst[0],
        "inf_norm_layer": worst[1], "kurtosis_mean": np.mean(list(kurtosis.values())),
        "kurtosis_max": max(kurtosis.values())}
json.dump(out, sys.stdout, indent=1, default=float)
print()
