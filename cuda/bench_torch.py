#!/usr/bin/env python3
"""What the GPU reaches in PyTorch, for comparison with cuda/bench.sh in the same hour: copies and
products of 8192^3 in float16, and prefill of OPT's shapes, 8 sequences of 2048 ids, with
functional.linear, layer_norm and scaled_dot_product_attention and logits of every id.

    cuda/bench_torch.py 125m 1.3b 6.7b > torch.jsonl

JSON lines; medians.  Weights are random: no checkpoint is needed."""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

SHAPES = {"125m": (12, 768, 12), "1.3b": (24, 2048, 32), "2.7b": (32, 2560, 32),
          "6.7b": (32, 4096, 32), "13b": (40, 5120, 40), "30b": (48, 7168, 56)}
VOCABULARY, LENGTH, SEQUENCES = 50272, 2048, 8


def seconds(run, repeats, at_least=0.5):
    """Median of wall clock around work that is waited for, after as long a warm-up."""
    end = time.perf_counter() + at_least
    times = []
    while len(times) < 2 * repeats or time.perf_counter() < end:
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[len(times) // 2:])


def random(*size):
    return torch.randn(*size, dtype=torch.float16, device="cuda") * 0.02


def ceilings():
    n = 8192
    a, b = random(n, n), random(n, n)
    from_, to = random(1 << 29), random(1 << 29)
    t = seconds(lambda: a @ b, 20)
    print(json.dumps({"bench": "torch matmul", "shape": f"{n}^3", "tflops": 2e-12 * n**3 / t}))
    t = seconds(lambda: to.copy_(from_), 20)
    print(json.dumps({"bench": "torch copy", "gbps": 4e-9 * from_.numel() / t}), flush=True)


class Model:
    """A decoder of OPT's shape: pre-norm blocks, biases, ReLU, a head tied to the embedding."""

    def __init__(self, layers, width, heads):
        self.heads, self.width = heads, width
        self.embed, self.position = random(VOCABULARY, width), random(LENGTH + 2, width)
        shapes = [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)]
        self.blocks = [[(random(*s), random(s[0])) for s in shapes] for _ in range(layers)]
        self.norm = (torch.ones(width, dtype=torch.float16, device="cuda"), random(width))

    def normed(self, x):
        return F.layer_norm(x, (self.width,), *self.norm)

    def forward(self, ids):
        size = (SEQUENCES, LENGTH, self.heads, self.width // self.heads)
        x = F.embedding(ids, self.embed) + self.position[2:]
        for qkv, out, fc1, fc2 in self.blocks:
            q, k, v = (part.reshape(size).transpose(1, 2)
                       for part in F.linear(self.normed(x), *qkv).split(self.width, dim=-1))
            mix = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(mix.transpose(1, 2).reshape(x.shape), *out)
            x = x + F.linear(F.relu(F.linear(self.normed(x), *fc1)), *fc2)
        return F.linear(self.normed(x), self.embed)


@torch.inference_mode()
def main():
    ceilings()
    ids = torch.randint(0, VOCABULARY, (SEQUENCES, LENGTH), device="cuda")
    for name in sys.argv[1:]:
        model = Model(*SHAPES[name])
        t = seconds(lambda: model.forward(ids), 3)
        print(json.dumps({"bench": "torch prefill", "shape": f"opt-{name}", "median_us": 1e6 * t,
                          "tokens_per_s": SEQUENCES * LENGTH / t}), flush=True)
        del model
    ceilings()


main()
