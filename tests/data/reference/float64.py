"""OPT forward pass in float64 (NumPy alone), to tell how exact float32 figures are.

usage: float64.py MODEL_DIR TOKENS FIGURES.json [MAGNITUDES.h5] > OUT.json
FIGURES.json says at which positions of the first sequence to keep 16 logits.
MAGNITUDES.h5 has column statistics in float32: "spread" becomes the largest distance
of each, over the features, from the same in float64, by point and block.
"""
import json, struct, sys
import numpy as np


def load(folder):
    with open(folder + "/model.safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    weights = {}
    for name, t in header.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            raw = np.frombuffer(data[begin:end], {"F16": np.float16, "F32": np.float32}[t["dtype"]])
            weights[name.removeprefix("model.")] = raw.reshape(t["shape"]).astype(np.float64)
    return json.load(open(folder + "/config.json")), weights


columns = {}    # (point, block) -> min, max, sum, sum of squares


def observe(point, layer, x):
    a = columns.setdefault((point, layer), [np.inf, -np.inf, 0.0, 0.0])
    columns[point, layer] = [np.minimum(a[0], x.min(0)), np.maximum(a[1], x.max(0)),
                             a[2] + x.sum(0), a[3] + (x * x).sum(0)]
    return x


def norm(x, w, b):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-5) * w + b


def forward(config, w, ids):
    T, H, A = len(ids), config["hidden_size"], config["num_attention_heads"]
    pre = config["do_layer_norm_before"]
    h = w["decoder.embed_tokens.weight"][ids]
    if "decoder.project_in.weight" in w:
        h = h @ w["decoder.project_in.weight"].T
    h = observe("embed", -1, h + w["decoder.embed_positions.weight"][2:2 + T])
    mask = np.triu(np.full((T, T), -np.inf), 1)
    for layer in range(config["num_hidden_layers"]):
        p = f"decoder.layers.{layer}."
        linear = lambda n, x: x @ w[p + n + ".weight"].T + w[p + n + ".bias"]
        ln = lambda n, x: norm(x, w[p + n + ".weight"], w[p + n + ".bias"])
        x = ln("self_attn_layer_norm", h) if pre else h
        observe("qkv_in", layer, x)
        q, k, v = (linear(f"self_attn.{n}_proj", x).reshape(T, A, H // A) for n in "qkv")
        s = np.einsum("iad,jad->aij", q, k) * (H // A) ** -0.5 + mask
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        z = observe("out_in", layer, np.einsum("aij,jad->iad", s, v).reshape(T, H))
        h = h + observe("attn_out", layer, linear("self_attn.out_proj", z))
        if not pre:
            h = ln("self_attn_layer_norm", h)
        x = ln("final_layer_norm", h) if pre else h
        observe("fc1_in", layer, x)
        h = h + observe("mlp_out", layer, linear("fc2", observe("fc2_in", layer, np.maximum(linear("fc1", x), 0))))
        if not pre:
            h = ln("final_layer_norm", h)
        observe("resid_post", layer, h)
    if "decoder.final_layer_norm.weight" in w:
        h = norm(h, w["decoder.final_layer_norm.weight"], w["decoder.final_layer_norm.bias"])
        observe("final_norm", -1, h)
    if "decoder.project_out.weight" in w:
        h = h @ w["decoder.project_out.weight"].T
    return h @ w["decoder.embed_tokens.weight"].T


def main():
    config, weights = load(sys.argv[1])
    figures = json.load(open(sys.argv[3]))
    total, scored, head = 0.0, 0, None
    for line in open(sys.argv[2]):
        ids = np.array(line.split(), int)
        z = forward(config, weights, ids)
        if head is None:
            head = [[float(x) for x in z[p, :16]] for p in figures["logits_pos"]]
        z, peak = z[:-1], z[:-1].max(-1)
        nll = peak + np.log(np.exp(z - peak[:, None]).sum(-1)) - z[np.arange(len(ids) - 1), ids[1:]]
        total, scored = total + nll.sum(), scored + len(ids) - 1
    out = {"ppl": float(np.exp(total / scored)), "logits_head": head}
    if len(sys.argv) > 4:
        import h5py
        spread, file = {}, h5py.File(sys.argv[4])
        for (point, layer), exact in columns.items():
            if point not in ("qkv_in", "out_in", "fc1_in", "fc2_in"):
                continue
            single = [file[f"{point}/{layer}/{name}"][:] for name in ("mn", "mx", "s1", "s2")]
            spread.setdefault(point, []).append([float(abs(a - b).max()) for a, b in zip(single, exact)])
        out["spread"] = spread
    json.dump(out, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
