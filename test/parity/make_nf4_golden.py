"""NF4 with double quantisation as bitsandbytes computes it: pip install bitsandbytes, then run. Writes test/golden/nf4.json."""

import base64
import json
import pathlib

import bitsandbytes.functional as F
import torch

# Numbers that any language makes alike: a linear congruential generator, scaled by powers of two that change by row.
ROWS, COLS = 90, 200
state, values = 1, []
for i in range(ROWS * COLS):
    state = (state * 1664525 + 1013904223) % 2**32
    values.append((state / 2**31 - 1) * 2.0 ** (i // COLS % 7 - 5))
x = torch.tensor(values, dtype=torch.float32).reshape(ROWS, COLS)
codes, state = F.quantize_4bit(x, quant_type="nf4", blocksize=64, compress_statistics=True)
text = lambda t: base64.b64encode(t.contiguous().numpy().tobytes()).decode()
golden = {
    "rows": ROWS,
    "cols": COLS,
    "codes": text(codes),
    "absmax": text(state.absmax),
    "absmax2": text(state.state2.absmax),
    "map": text(state.state2.code),
    "offset": text(state.offset.reshape(1)),
    "sample": text(F.dequantize_4bit(codes, state).flatten()[::97]),
}
(pathlib.Path(__file__).parents[1] / "golden" / "nf4.json").write_text(json.dumps(golden, indent=1) + "\n")
