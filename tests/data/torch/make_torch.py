#!/usr/bin/env python3
"""Checkpoints written by PyTorch itself (1.13.0a0 of Debian 12 made those beside this script):
one state dict with every element type and kind of view, in each form of torch.save, its values
in expected.json, and files of torch.save that are no state dict.  Run it in this folder."""
import json
import torch
import torch.nn as nn

torch.manual_seed(0)
base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 4 - 2
half = torch.tensor([0.5, -1.0, 65504.0, 6e-8, float('inf'), -0.0], dtype=torch.float16)
state = {
    'base': base,
    'tied': base,
    'transposed': base.t(),
    'columns': base[:, 1:6:2],
    'row': base[2],
    'last': base[3, 5],
    'permuted': torch.arange(24, dtype=torch.float64).reshape(2, 3, 4).permute(2, 0, 1),
    'half': half,
    'half.tail': half[4:],
    'half.every_other': half[::2],
    'bfloat16': torch.tensor([1.0, -2.0, 3.140625, 1e38], dtype=torch.bfloat16),
    'bfloat16.transposed': torch.arange(6).to(torch.bfloat16).reshape(2, 3).t(),
    'ones_wide': torch.arange(3, dtype=torch.float32).as_strided((1, 3, 1), (77, 1, 99)),
    'empty': torch.zeros(0, 5),
    'scalar': torch.tensor(-7),
    'int32': torch.tensor([-2147483648, 2147483647], dtype=torch.int32),
    'int16': torch.tensor([[-32768], [32767]], dtype=torch.int16),
    'int8': torch.tensor([-128, 127], dtype=torch.int8),
    'uint8': torch.tensor([0, 255], dtype=torch.uint8),
    'bool': torch.tril(torch.ones(3, 3, dtype=torch.bool)),
    'parameter': nn.Parameter(base[:2].clone()),
    'naïve ☃': torch.tensor([1.0]),
}
ordered = nn.Module().state_dict()          # an OrderedDict with _metadata
ordered.update(state)
ordered['number'] = 3                       # plain values are passed over
ordered['text'] = 'x'
ordered['nothing'] = None

torch.save(ordered, 'torch_zip.bin')
torch.save(ordered, 'torch_stream.bin', _use_new_zipfile_serialization=False)
torch.save({k: nn.Parameter(v.detach()) for k, v in state.items() if v.is_floating_point()},
           'torch_parameters.bin')

def bits(t):
    """The elements in row-major order as integers of their bytes: NaN and -0 count."""
    t = t.detach().contiguous()
    size = t.element_size()
    raw = bytes(t.reshape(-1).view(torch.uint8).tolist()) if t.dim() and t.numel() else \
          bytes(t.reshape(1).view(torch.uint8).tolist()) if t.numel() else b''
    return raw.hex()

json.dump({k: {'dtype': str(v.dtype).split('.')[1], 'shape': list(v.shape), 'bytes': bits(v)}
           for k, v in state.items()}, open('expected.json', 'w'), indent=1)

names = list(state)
shards = {'pytorch_model-00001-of-00002.bin': names[:9],
          'pytorch_model-00002-of-00002.bin': names[9:]}
for name, part in shards.items():
    torch.save({k: state[k] for k in part}, name)
json.dump({'metadata': {'total_size': 1}, 'weight_map': {k: f for f in shards for k in shards[f]}},
          open('pytorch_model.bin.index.json', 'w'), indent=1)

# What torch.save writes as well, and a reader of state dicts has to refuse.
torch.save(nn.Linear(2, 2), 'no_module.bin')
torch.save({'model': dict(state), 'optimizer': {}, 'epoch': 3}, 'no_checkpoint.bin')
torch.save([base], 'no_list.bin')
torch.save(base, 'no_tensor.bin')
torch.save({'w': base.to_sparse()}, 'no_sparse.bin')
torch.save({'w': torch.zeros(2, dtype=torch.complex64)}, 'no_complex.bin')
torch.save({'w': torch.zeros(1).expand(1000)}, 'no_expanded.bin')
torch.save({'w': base}, 'no_protocol4.bin', pickle_protocol=4)
torch.save({7: base}, 'no_number_key.bin')
torch.save({'w': base}, 'no_protocol3_stream.bin', pickle_protocol=3,
           _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.script(nn.ReLU()), 'no_script.bin')
