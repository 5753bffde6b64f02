#!/usr/bin/env python3
"""Writes the tiny synthetic safetensors files of this folder: one padded as
today's writer pads, one with data at an odd address as writers of 2022 left it,
and one bad file for each of the format's main rules."""
import json
import os
import struct

OUT = os.path.dirname(os.path.abspath(__file__))


def write(name, raw):
    with open(os.path.join(OUT, name), 'wb') as f:
        f.write(raw)


def compact(header):
    return json.dumps(header, separators=(',', ':')).encode()


def save(name, header, data, raw=None, pad=8, rest=0):
    """Header padded with spaces to a length that is `rest` modulo `pad`."""
    text = compact(header) if raw is None else raw
    text += b' ' * ((rest - len(text)) % pad)
    write(name, struct.pack('<Q', len(text)) + text + data)


def tensor(dtype, shape, begin, end):
    return {'dtype': dtype, 'shape': shape, 'data_offsets': [begin, end]}


def variant(**changed):
    return {**good, **changed}


good = {'__metadata__': {'format': 'pt'},
        'w': tensor('F32', [2, 2], 0, 16),
        'e': tensor('F16', [2, 0], 16, 16),
        's': tensor('BF16', [], 16, 18)}
data = struct.pack('<4f', 1, 2, 3, 4) + struct.pack('<f', 1.5)[2:]

save('good.safetensors', good, data)
save('good_unaligned.safetensors', good, data, rest=1)
save('bad_hole.safetensors', variant(s=tensor('BF16', [], 18, 20)), data + b'\0\0')
save('bad_overlap.safetensors', variant(s=tensor('BF16', [], 14, 16)), data[:16])
save('bad_trailing.safetensors', good, data + b'\0')
save('bad_truncated.safetensors', good, data[:-1])
save('bad_shape_overflow.safetensors', variant(w=tensor('F32', [1 << 32, 1 << 32], 0, 16)), data)
save('bad_size_mismatch.safetensors', variant(w=tensor('F32', [2, 3], 0, 16)), data)
save('bad_dtype.safetensors', variant(w=tensor('Q4', [2, 2], 0, 16)), data)
save('bad_duplicate_key.safetensors', None, data, compact(good).replace(b'"s":', b'"w":'))
save('bad_not_object.safetensors', None, data, b' ' + compact(good))
write('bad_header_len.safetensors', struct.pack('<Q', 1 << 40) + b'{}')
write('bad_header_len2.safetensors', struct.pack('<Q', (1 << 64) - 1) + b'{}')
