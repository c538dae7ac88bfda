#!/usr/bin/env python
"""Writes test/golden/optim with the published optimisers, on the CPU in float32: torch.optim.SGD, transformers' Adafactor,
bitsandbytes' AdamW8bit (but for its rounding), the groups of peft's create_loraplus_optimizer. Lion is the paper's algorithm
2, written out below.

    python -m pip install bitsandbytes==0.50.2    # besides requirements.txt
    python make_optimizer_goldens.py [--output DIR]

What each file holds is told in test/golden/README.md. Two runs write the same bytes.
"""

import argparse
import base64
import json
import random
from functools import reduce
from pathlib import Path

import bitsandbytes
import bitsandbytes.backends.cpu.ops as cpu
import torch
from bitsandbytes.functional import create_dynamic_map
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import AutoModelForCausalLM
from transformers.optimization import Adafactor

SHAPES = {"matrix": [5, 7], "vector": [6], "stack": [2, 2, 3, 4], "row": [1, 3]}
STEPS = 5


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, params, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2, decay, lr = (group[key] for key in ("beta1", "beta2", "weight_decay", "lr"))
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = beta1 * m + (1 - beta1) * p.grad
                p.sub_(lr * (torch.sign(c) + decay * p))
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


FIXED = {"scale_parameter": False, "relative_step": False}
RELATIVE = {"lr": None, "relative_step": True}
CASES = {
    "sgd": (torch.optim.SGD, [
        {},
        {"momentum": 0.9},
        {"momentum": 0.5, "dampening": 0.25, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ]),
    "lion": (Lion, [{}, {"beta1": 0.95, "beta2": 0.98, "weight_decay": 0.5}]),
    "adafactor": (Adafactor, [
        FIXED,
        {**FIXED, "scale_parameter": True, "weight_decay": 0.1},
        {**FIXED, "beta1": 0.9, "weight_decay": 0.1, "clip_threshold": 0.5, "decay_rate": -0.5},
        {**RELATIVE, "scale_parameter": False},
        {**RELATIVE, "scale_parameter": True, "warmup_init": True, "eps": [1e-8, 0.25]},
    ]),
}


def numbers(shape, rng):
    """Short decimals. Some are 0, and magnitudes differ."""
    size = torch.Size(shape).numel()
    return [round(rng.choice([0, 1, 1, 0.1, 3]) * rng.uniform(-1, 1), 3) for _ in range(size)]


def make_small():
    rng = random.Random(1)
    start = {name: numbers(shape, rng) for name, shape in SHAPES.items()}
    gradients = [{name: numbers(shape, rng) for name, shape in SHAPES.items()} for _ in range(STEPS)]
    rates = [round(0.1 / (step + 1), 4) for step in range(STEPS)]
    cases = []
    for name, (kind, all_options) in CASES.items():
        for options in all_options:
            params = {key: torch.nn.Parameter(torch.tensor(start[key]).reshape(shape)) for key, shape in SHAPES.items()}
            optimizer = kind(params.values(), **{"lr": rates[0], **options})
            for rate, gradient in zip(rates, gradients):
                if optimizer.param_groups[0]["lr"] is not None:
                    optimizer.param_groups[0]["lr"] = rate
                for key, p in params.items():
                    p.grad = torch.tensor(gradient[key]).reshape(p.shape)
                optimizer.step()
            after = {key: p.detach().flatten().tolist() for key, p in params.items()}
            cases.append({"optimizer": name, "options": {k: v for k, v in options.items() if k != "lr"}, "after": after})
    return {"shapes": SHAPES, "rates": rates, "start": start, "gradients": gradients, "cases": cases}


SHAPE_8BIT = [65, 67]
OPTIONS_8BIT = {"betas": [0.9, 0.99], "eps": 1e-6, "weight_decay": 0.1}
LR_8BIT = 0.01
STEPS_8BIT = 6
EVERY = 23


def sequence(seed, length):
    """±[1/4, 1] times 1, 1/8 or 1/64 in turn: the same numbers in any language. No moment is too small for a level."""
    state, values = seed, []
    for i in range(length):
        state = (state * 1664525 + 1013904223) % 2**32
        part = 0.25 + 0.75 * ((state >> 16) & 0x7FFF) / 2**15
        values.append((-part if state >> 31 else part) * 8.0 ** -(i % 3))
    return values


def round_to_nearest(values, code, absmax, out, blocksize):
    """In place of what bitsandbytes has for the CPU, which finds far levels for numbers below 1e-4 of the largest (0.50.2). Its
    CUDA kernels find the nearest."""
    for block in range(absmax.numel()):
        part = slice(block * blocksize, (block + 1) * blocksize)
        flat = values.flatten()[part]
        absmax[block] = flat.abs().max()
        nearest = (flat[:, None].double() / absmax[block].double() - code[None].double()).abs().argmin(1)
        out.view(-1)[part] = nearest.to(torch.uint8)


def make_8bit():
    cpu._quant_blockwise_fp32_direct = round_to_nearest
    size = torch.Size(SHAPE_8BIT).numel()
    p = torch.nn.Parameter(torch.tensor(sequence(1, size)).reshape(SHAPE_8BIT))
    optimizer = bitsandbytes.optim.AdamW8bit([p], lr=LR_8BIT, **OPTIONS_8BIT)
    text = lambda codes: base64.b64encode(codes.numpy().tobytes()).decode()
    for step in range(STEPS_8BIT):
        p.grad = torch.tensor(sequence(step + 2, size)).reshape(SHAPE_8BIT)
        optimizer.step()
    state = optimizer.state[p]
    return {
        "shape": SHAPE_8BIT, "lr": LR_8BIT, "steps": STEPS_8BIT, **OPTIONS_8BIT, "every": EVERY,
        "after": p.detach().flatten()[::EVERY].tolist(),
        "exp_avg": text(state["state1"]), "exp_avg_sq": text(state["state2"]),
        "exp_avg_absmax": state["absmax1"].tolist(), "exp_avg_sq_absmax": state["absmax2"].tolist(),
        "signed": create_dynamic_map(signed=True).tolist(), "unsigned": create_dynamic_map(signed=False).tolist(),
    }


LORAPLUS = [
    ("gpt2", {"target_modules": ["c_attn", "wte"], "bias": "all", "use_dora": True}),
    ("gpt2", {"target_modules": ["c_attn"], "modules_to_save": ["ln_f"], "lora_bias": True}),
    ("llama", {"target_modules": ["q_proj", "embed_tokens"], "modules_to_save": ["lm_head"]}),
]
RATES = {"lr": 1e-4, "loraplus_lr_ratio": 16, "loraplus_lr_embedding": 3e-6, "loraplus_weight_decay": 0.05}


def make_loraplus(models):
    cases = []
    for model, options in LORAPLUS:
        base = AutoModelForCausalLM.from_pretrained(models / model, dtype=torch.float32)
        peft = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2, **options))
        names = {p: name for name, p in peft.named_parameters()}
        optimizer = create_loraplus_optimizer(peft, torch.optim.AdamW, **RATES)
        groups = {names[p]: [g["lr"], g["weight_decay"]] for g in optimizer.param_groups for p in g["params"]}
        parts = (".modules_to_save.default", ""), (".default", ""), (".base_layer", ""), ("_vector.weight", "_vector")
        key = lambda name: reduce(lambda text, part: text.replace(*part), parts, name)
        cases.append({"model": model, "options": options, "groups": {key(n): v for n, v in sorted(groups.items())}})
    return {**RATES, "cases": cases}


def main():
    golden = Path(__file__).resolve().parent.parent / "golden"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=golden)
    folder = parser.parse_args().output / "optim"
    folder.mkdir(parents=True, exist_ok=True)
    made = {"steps": make_small(), "adamw8bit": make_8bit(), "loraplus": make_loraplus(golden / "models")}
    for name, content in made.items():
        (folder / f"{name}.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
