"""Logits and nll of a tiny Llama checkpoint in float64, from the definitions alone.

    python3 llama.py ../models/llama-gqa-s1 > ../models/llama-gqa-s1/float64.json

With --half the rotary frequencies are first rounded to fp16, as model.half() does in
transformers; then the figures are those of reference.json within 1e-5."""
import json, math, struct, sys

model, half = sys.argv[1], "--half" in sys.argv
config = json.load(open(model + "/config.json"))
reference = json.load(open(model + "/reference.json"))
raw = open(model + "/model.safetensors", "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + size])


def tensor(name):
    """Rows of an fp16 tensor; a vector is one row."""
    begin, end = header[name]["data_offsets"]
    values = struct.unpack("<%de" % ((end - begin) // 2), raw[8 + size + begin:8 + size + end])
    shape = header[name]["shape"]
    width = shape[-1]
    rows = [values[i:i + width] for i in range(0, len(values), width)]
    return rows if len(shape) == 2 else rows[0]


W = {name: tensor(name) for name in header if name != "__metadata__"}
A, G, D = (config[k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim"))
theta = config["rope_parameters"]["rope_theta"]
frequency = [theta ** (-2 * i / D) for i in range(D // 2)]
if half:
    frequency = [struct.unpack("<e", struct.pack("<e", f))[0] for f in frequency]


def product(w, x):
    return [math.fsum(a * b for a, b in zip(row, x)) for row in w]


def rms(x, w):
    factor = 1 / math.sqrt(math.fsum(v * v for v in x) / len(x) + config["rms_norm_eps"])
    return [v * factor * u for v, u in zip(x, w)]


def rotate(x, p):
    y = list(x)
    for h in range(0, len(x), D):
        for i in range(D // 2):
            c, s = math.cos(p * frequency[i]), math.sin(p * frequency[i])
            a, b = h + i, h + i + D // 2
            y[a], y[b] = x[a] * c - x[b] * s, x[b] * c + x[a] * s
    return y


def attend(q, keys, values):
    out = []
    for h in range(A):
        g = h // (A // G) * D
        score = [math.fsum(q[h * D + i] * k[g + i] for i in range(D)) / math.sqrt(D) for k in keys]
        weight = [math.exp(s - max(score)) for s in score]
        total = math.fsum(weight)
        out += [math.fsum(w * v[g + i] for w, v in zip(weight, values)) / total for i in range(D)]
    return out


def logits(ids):
    stream = [list(W["model.embed_tokens.weight"][i]) for i in ids]
    for layer in range(config["num_hidden_layers"]):
        w = lambda name: W["model.layers.%d.%s.weight" % (layer, name)]
        u = [rms(x, w("input_layernorm")) for x in stream]
        q = [rotate(product(w("self_attn.q_proj"), x), t) for t, x in enumerate(u)]
        k = [rotate(product(w("self_attn.k_proj"), x), t) for t, x in enumerate(u)]
        v = [product(w("self_attn.v_proj"), x) for x in u]
        for t in range(len(ids)):
            o = product(w("self_attn.o_proj"), attend(q[t], k[:t + 1], v[:t + 1]))
            x = [a + b for a, b in zip(stream[t], o)]
            y = rms(x, w("post_attention_layernorm"))
            gate, up = product(w("mlp.gate_proj"), y), product(w("mlp.up_proj"), y)
            y = [g / (1 + math.exp(-g)) * b for g, b in zip(gate, up)]
            stream[t] = [a + b for a, b in zip(x, product(w("mlp.down_proj"), y))]
    return [product(W["lm_head.weight"], rms(x, W["model.norm.weight"])) for x in stream]


def nll(rows, ids):
    total = 0.0
    for row, target in zip(rows, ids[1:]):
        most = max(row)
        total += most + math.log(math.fsum(math.exp(v - most) for v in row)) - row[target]
    return total


result = {"ids": reference["ids"], "positions": reference["positions"], "logits": [], "nll": []}
for ids in reference["ids"]:
    rows = logits(ids)
    result["logits"].append([[round(v, 7) for v in rows[p]] for p in reference["positions"]])
    result["nll"].append(nll(rows, ids))
json.dump(result, sys.stdout)
