"""The contestant that is PyTorch with transformers and PEFT: a LoRA step, as their users write it, or with "pass": "forward" a forward
pass of an embedding model.

    echo | python bench/peers/pytorch.py '{"config": {...}, "rows": [...], "r": 8, "threads": 1}'

Rows of different lengths are padded to the longest, as transformers' collators do. Weights are those of bench/agreed.js.
"""
import json
import os
import sys
import time

task = json.loads(sys.argv[1])
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is imported
    os.environ[name] = str(task["threads"])

import resource

import numpy as np
import peft
import torch
import transformers


def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fnv1a(name):
    value = 0x811C9DC5
    for character in name:
        value = ((value ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
    return value


def fill_agreed(tensor, name, part=1 << 20):
    """See bench/agreed.js. In parts, so that the peak of memory stays that of the training."""
    bound = 1 / np.sqrt(tensor.shape[1]) if ".lora_A." in name else 0.02 * np.sqrt(3)
    flat = tensor.view(-1)
    for start in range(0, flat.numel(), part):
        end = min(start + part, flat.numel())
        h = np.arange(start, end, dtype=np.uint32) + np.uint32(fnv1a(name))
        h *= np.uint32(0x9E3779B1)
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x85EBCA77)
        h ^= h >> np.uint32(13)
        flat[start:end] = torch.from_numpy(((h / 2**31 - 1) * bound).astype(np.float32))


def padded(rows):
    longest = max(len(row["inputIds"]) for row in rows)
    pad = lambda values, filler: values + [filler] * (longest - len(values))
    batch = {
        "input_ids": torch.tensor([pad(row["inputIds"], 0) for row in rows]),
        "labels": torch.tensor([pad(row["labels"], -100) for row in rows]),
    }
    if any(len(row["inputIds"]) < longest for row in rows):
        batch["attention_mask"] = torch.tensor([pad([1] * len(row["inputIds"]), 0) for row in rows])
    return batch


DROPOUTS = {
    "gpt2": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
}


def pair_loss(model, input_ids, labels, attention_mask=None):
    """See bench/pair-losses.js."""
    hidden = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    if attention_mask is None:
        vectors = hidden.mean(1)
    else:
        real = attention_mask.unsqueeze(-1).to(hidden.dtype)
        vectors = (hidden * real).sum(1) / real.sum(1)
    units = torch.nn.functional.normalize(vectors)
    scores = 20 * units[0::2] @ units[1::2].T
    return torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)))


torch.set_num_threads(task["threads"])
imported = peak_bytes()
kind = dict(task["config"])
embeds = kind["model_type"] == "bert"
forward_only = task.get("pass") == "forward"
dropouts = {name: 0.0 for name in DROPOUTS.get(kind["model_type"], ())}
config = transformers.AutoConfig.for_model(**kind, **dropouts, bos_token_id=None, eos_token_id=None)
auto = transformers.AutoModel if embeds else transformers.AutoModelForCausalLM
model = auto.from_config(config, dtype=torch.float32)
model.config.use_cache = False
if not forward_only:
    r = task.get("r", 8)
    task_type = "FEATURE_EXTRACTION" if embeds else "CAUSAL_LM"
    targets = {"target_modules": ["query", "value"]} if embeds else {}
    lora = peft.LoraConfig(r=r, lora_alpha=2 * r, lora_dropout=0.0, task_type=task_type, **targets)
    model = peft.get_peft_model(model, lora)
with torch.no_grad():
    for name, tensor in model.named_parameters():
        if tensor.dim() >= 2 and ".lora_B." not in name:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "").replace(".default", "")
            fill_agreed(tensor, plain)
model.train(not forward_only)
trained = [] if forward_only else [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0) if trained else None
batch = padded(task["rows"])


def loss_of_batch():
    return pair_loss(model, **batch) if embeds else model(**batch).loss


def step():
    if forward_only:
        with torch.no_grad():
            return loss_of_batch().item()
    loss = loss_of_batch()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def say(found):
    print(json.dumps(found), flush=True)


losses = [step()]
began = time.perf_counter()
losses.append(step())
steps = max(1, round(task.get("slice", 500) / 1000 / (time.perf_counter() - began)))
say({
    "name": "pytorch",
    "version": f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}, peft {peft.__version__}",
    "threads": torch.get_num_threads(),
    "tokens": sum(len(row["inputIds"]) for row in task["rows"]),
    "positions": batch["input_ids"].numel(),
    "importedBytes": imported,
    "losses": losses,
})
for _ in sys.stdin:
    start, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    taken = {"ms": time.perf_counter() - start, "cpuMs": time.process_time() - processor}
    say({**{name: 1000 * seconds / steps for name, seconds in taken.items()}, "peakBytes": peak_bytes()})
