"""The base models of the method goldens, their batches, and passes and optimiser steps with or without an adapter.

Beside the decoders of models/ there are an encoder, two encoder-decoders and a vision model: hidden 16, 2 layers,
2 heads of 8, vocabulary 53. Weights depend on the seed, the tensor's name and its shape only.
"""

import json
import math
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    MT5Config,
    T5Config,
    ViTConfig,
)

from tiny_models import seeded

IGNORED = -100
IMAGE = (3, 12, 12)
LENGTHS = (6, 3, 5)
TARGET_LENGTHS = (4, 6, 2)
STEPS = 4

_SMALL = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
_BERT = {**_SMALL, "vocab_size": 53, "max_position_embeddings": 32}
_T5 = {
    "vocab_size": 53, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16, "decoder_start_token_id": 0,
}  # fmt: skip

AUTO_CLASSES = {
    "CAUSAL_LM": AutoModelForCausalLM,
    "SEQ_2_SEQ_LM": AutoModelForSeq2SeqLM,
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
    "IMAGE_CLS": AutoModelForImageClassification,
}

# folder: (task, config of a model written there); the decoders of models/ are written by make_goldens.py.
OWN_BASES = {
    "methods-models/bert": ("SEQ_CLS", lambda: BertConfig(**_BERT, num_labels=3)),
    "methods-models/bert-tokens": ("TOKEN_CLS", lambda: BertConfig(**_BERT, num_labels=5)),
    "methods-models/t5": ("SEQ_2_SEQ_LM", lambda: T5Config(**_T5)),
    "methods-models/mt5": ("SEQ_2_SEQ_LM", lambda: MT5Config(**_T5, tie_word_embeddings=False)),
    "methods-models/vit": ("IMAGE_CLS", lambda: ViTConfig(**_SMALL, image_size=12, patch_size=4, num_labels=3)),
}


def task_of(folder):
    return OWN_BASES[folder][0] if folder in OWN_BASES else "CAUSAL_LM"


@torch.no_grad()
def fill_base(model, seed):
    """Matrices N(0, 0.25²), norm weights 1 + N(0, 0.2²), biases N(0, 0.2²)."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=seeded(seed, name))
        if parameter.ndim > 1:
            parameter.copy_(0.25 * noise)
        else:
            mean = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            parameter.copy_(mean + 0.2 * noise)


def save_bases(seed):
    """Writes every own base as transformers' save_pretrained does, without generation_config.json."""
    for folder, (task, config) in OWN_BASES.items():
        model = AUTO_CLASSES[task].from_config(config())
        fill_base(model, seed)
        model.save_pretrained(folder)
        (Path(folder) / "generation_config.json").unlink(missing_ok=True)


def load_base(folder):
    """The model in `folder` in float32, with the plain attention implementation where it has several."""
    return AUTO_CLASSES[task_of(folder)].from_pretrained(folder, attn_implementation="eager").eval()


def make_method_batch(rng, folder, tokens=(), tasks=0):
    """A batch without padding; `tokens` are put in each sequence, `tasks` is the number of tasks to choose from."""
    task = task_of(folder)
    if task == "IMAGE_CLS":
        # In steps of 1/8, which are short to write.
        images = [[rng.randrange(-12, 13) / 8 for _ in range(math.prod(IMAGE))] for _ in range(2)]
        return {"pixel_values": images, "labels": [[rng.randrange(3)] for _ in range(2)]}
    vocab = 97 if task == "CAUSAL_LM" else 53
    sequences = [[rng.randrange(3, vocab) for _ in range(length)] for length in LENGTHS]
    for sequence in sequences:
        for i, token in enumerate(tokens):
            sequence[(i + 1) % len(sequence)] = token
    batch = {"sequences": sequences, "labels": _labels(rng, task, sequences, vocab)}
    if folder.startswith("methods-models/bert"):
        batch["token_type_ids"] = [[0] * 2 + [1] * (len(ids) - 2) for ids in sequences]
    if tasks:
        batch["task_ids"] = [rng.randrange(tasks) for _ in sequences]
    return batch


def _labels(rng, task, sequences, vocab):
    if task == "SEQ_CLS":
        return [[rng.randrange(3)] for _ in sequences]
    if task == "SEQ_2_SEQ_LM":
        return [[rng.randrange(3, vocab) for _ in range(length)] for length in TARGET_LENGTHS]
    labels = [[rng.randrange(5) for _ in ids] if task == "TOKEN_CLS" else list(ids) for ids in sequences]
    labels[0][:3] = [IGNORED] * 3
    labels[2][1] = labels[2][3] = IGNORED
    return labels


def _padded(rows, value):
    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def inputs_of(batch):
    """The arguments of a model's forward pass, padded on the right."""
    if "pixel_values" in batch:
        images = torch.tensor(batch["pixel_values"]).reshape(-1, *IMAGE)
        return {"pixel_values": images, "labels": torch.tensor(batch["labels"]).flatten()}
    inputs = {
        "input_ids": _padded(batch["sequences"], 0),
        "attention_mask": _padded([[1] * len(ids) for ids in batch["sequences"]], 0),
        "labels": _padded(batch["labels"], IGNORED),  # [sequences, 1] for SEQ_CLS
    }
    if "token_type_ids" in batch:
        inputs["token_type_ids"] = _padded(batch["token_type_ids"], 0)
    if "task_ids" in batch:
        inputs["task_ids"] = torch.tensor(batch["task_ids"])
    return inputs


def rows_of(logits, batch, task):
    """[rows, classes]: virtual rows (at most one run before each sequence) and real tokens, sequence after sequence."""
    if task in ("SEQ_CLS", "IMAGE_CLS"):
        return logits
    rows = batch["labels"] if task == "SEQ_2_SEQ_LM" else batch["sequences"]
    virtual = logits.shape[1] - max(map(len, rows))
    return torch.cat([logits[i, : virtual + len(row)] for i, row in enumerate(rows)])


def forward(model, batch, task, labels=True, **more):
    """(rows of logits, loss or None); the model must be in eval mode so that dropout is off."""
    assert not model.training
    inputs = {key: value for key, value in inputs_of(batch).items() if labels or key != "labels"}
    output = model(**inputs, **more)
    return rows_of(output.logits, batch, task).contiguous(), getattr(output, "loss", None)


def reverse_rows(batch):
    """The same loss with sums in another order: what differs is rounding."""
    return {key: rows[::-1] for key, rows in batch.items()}


def one_by_one(batch):
    """The sequences of a batch as batches of one, which need no padding."""
    return [{key: rows[i : i + 1] for key, rows in batch.items()} for i in range(len(batch["labels"]))]


def second_layer(tensors):
    """Without the first layer's tensors where the second has its own: they are as large, and tell nothing more."""
    names = set(tensors)
    return {name: t for name, t in tensors.items() if re.sub(r"\.0\.", ".1.", name, count=1) not in names - {name}}


def gradients(model, batch, task, named):
    """(loss, its gradient by name), zero for what the loss does not depend on."""
    loss = forward(model, batch, task)[1]
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    pairs = zip(named.items(), found, strict=True)
    return loss.detach(), {name: torch.zeros_like(p) if g is None else g for (name, p), g in pairs}


def adamw_steps(model, batches, task, named, case, after_step=None):
    """The losses before each step and the parameters after the last; step i takes batch i modulo their number."""
    options, losses = case["train"], []
    optimizer = torch.optim.AdamW(
        named.values(), lr=options["lr"], weight_decay=options["weight_decay"],
        betas=tuple(options["betas"]), eps=options["eps"],
    )  # fmt: skip
    for step in range(case.get("steps", STEPS)):
        optimizer.zero_grad()
        loss = forward(model, batches[step % len(batches)], task)[1]
        losses.append(loss.detach())
        loss.backward()
        optimizer.step()
        if after_step:
            after_step(step)
    return torch.stack(losses), {name: p.detach().clone() for name, p in named.items()}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tensors(path, tensors):
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, path)


def prefixed(prefix, tensors):
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
