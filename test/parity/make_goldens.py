#!/usr/bin/env python
"""Writes the goldens of test/golden with the published implementations: transformers and PEFT on torch, in float32.

    python make_goldens.py [--output DIR] [--seed N]

What each file holds is told in test/golden/README.md. Two runs write the same bytes.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
from pathlib import Path

if __name__ == "__main__" and os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes sets, whose order follows the hash seed
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from generation import make_generation
from generation_config import make_generation_config
from generation_scores import make_generation_scores
from lora_cases import INITIALISED, TRAINED, WRITTEN
from task_cases import CASES, make_task_batch
from tasks import outputs_of, task_loss
from tiny_models import VOCAB, is_norm, load_model, save_as, save_model, seeded
from training import SHORT, adamw_steps, gradients_of, logits_of, loss_of, make_batch, reversed_batch, shake, unsettled

FULL_TRAINING = {"steps": 4, "lr": 1e-3, "weight_decay": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "max_grad_norm": 0}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tensors(path, tensors):
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


def prefixed(prefix, tensors):
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def of_training(kind, case, model, tensors):
    """What is kept of a full training: vectors, embeddings and heads; other matrices where the case says (for size)."""
    every = kind in case.matrices
    body = (f"{model.base_model_prefix}.", "encoder.", "decoder.", "shared.")

    def kept(name, tensor):
        return every or tensor.ndim == 1 or "embed" in name or not (case.lm or name.startswith(body))

    return prefixed(kind, {name: tensor for name, tensor in tensors.items() if kept(name, tensor)})


def second_layer(tensors):
    """Without the first layer's tensors where the second has its own: they are as large, and tell nothing more."""
    names = set(tensors)
    return {name: t for name, t in tensors.items() if re.sub(r"\.0\.", ".1.", name, count=1) not in names - {name}}


def travel(build, batches, options, loss_of=loss_of):
    """(losses, parameters at the end, names whose travel is decided by rounding) of training `build()` on `batches`."""
    model, named = build()
    start = {name: p.detach().clone() for name, p in named.items()}
    losses, end = adamw_steps(model, batches, named, options, loss_of)
    model, named = build()
    _, other = adamw_steps(model, [reversed_batch(b) for b in batches], named, options, loss_of)
    model, named = build()
    shake(named)
    _, third = adamw_steps(model, batches, named, options, loss_of)
    return losses, end, sorted({*unsettled(start, end, other), *unsettled(start, end, third)})


def make_model(case, seed):
    """One row of the table of models and tasks."""
    folder, causal = Path(case.folder), case.folder.startswith("models/")
    if causal:
        save_model(case.model, folder, seed)
        batch = make_batch(random.Random(seed), VOCAB)
    else:
        save_as(case.config(), case.task, folder, seed)
        batch = make_task_batch(case, seed)

    def build():
        model = load_model(str(folder), case.task, case.model)
        return model, dict(model.named_parameters())

    model, named = build()
    expected = outputs_of(model, case.task, batch)
    about = {"model_type": model.config.model_type}
    about |= batch if causal else {"task": case.task, "batch": batch}
    if "labels" in batch:
        loss, gradients = gradients_of(model, batch, named, task_loss(case.task))
        expected["loss"] = loss.reshape(1)
    if case.trained:
        batches = [batch] * FULL_TRAINING["steps"]
        _, end, noise = travel(build, batches, FULL_TRAINING, task_loss(case.task))
        expected |= of_training("grad", case, model, gradients) | of_training("param", case, model, end)
        about |= {"train": FULL_TRAINING, "unsettled": noise}
    write_json(folder / "case.json", about)
    write_tensors(folder / "expected.safetensors", expected)


@torch.no_grad()
def randomise(model, seed):
    """Gives every trainable tensor a value that training could have led to, and whose effect is easy to see."""
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        noise = torch.randn(parameter.shape, generator=seeded(seed, name))
        if "lora_magnitude" in name or (is_norm(name) and name.endswith("weight")):
            parameter.mul_(1 + 0.2 * noise)
        elif "lora_" in name:
            parameter.copy_(0.2 * noise)
        else:
            parameter.add_(0.1 * noise)


def by_key(model):
    """The trainable parameters of an adapted model, by the names they have on disk."""
    at = {p.data_ptr(): p for p in model.parameters() if p.requires_grad}
    named = {}
    for key, tensor in get_peft_model_state_dict(model).items():
        if tensor.data_ptr() in at:
            named[key] = at.pop(tensor.data_ptr())
    assert not at, "a trainable parameter is not saved"
    return dict(sorted(named.items()))


def adapted(case, seed):
    """The adapted model with random adapter tensors, and its trainable parameters by the names they have on disk."""
    torch.manual_seed(seed)
    model = get_peft_model(load_model(f"models/{case['model']}"), LoraConfig(**case["options"]))
    randomise(model, seed)
    model.eval()
    return model, by_key(model)


def save_adapter(model, folder):
    """What PEFT writes, without the model card."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()


def changed_weights(model, case):
    """The weights of a plain model that differ from those of the case's base model."""
    base = dict(load_model(f"models/{case['model']}").named_parameters())
    after = dict(model.named_parameters())
    assert after.keys() == base.keys(), "merging changed the names"
    return second_layer({name: tensor for name, tensor in after.items() if not torch.equal(tensor, base[name])})


def make_trained(name, case, seed):
    folder = Path("methods/lora") / name
    rng = random.Random(f"{seed}/{name}")
    batches = [make_batch(rng, VOCAB, SHORT) for _ in range(4)]
    model, named = adapted(case, seed)
    save_adapter(model, folder)
    loss, gradients = gradients_of(model, batches[0], named)
    logits = logits_of(model, batches[0])
    losses, end, noise = travel(lambda: adapted(case, seed), batches, case["train"])
    merged = model.merge_and_unload()
    expected = {"logits": logits, "loss": loss.reshape(1), "losses": losses}
    expected |= prefixed("grad", gradients) | prefixed("after", end) | prefixed("merged", changed_weights(merged, case))
    error = (logits_of(merged, batches[0]) - logits).abs().max().item()
    assert error < 1e-4 or name == "gpt2-embedding", f"{name}: merged logits differ by {error}"
    header = {"model": case["model"], "options": case["options"], "steps": len(batches), **case["train"]}
    write_json(folder / "case.json", {**header, "unsettled": noise, "batches": batches})
    write_tensors(folder / "expected.safetensors", expected)


def make_initialised(name, case, seed):
    folder = Path("methods/lora-init") / name
    folder.mkdir(parents=True)
    batch = make_batch(random.Random(f"{seed}/{name}"), VOCAB)
    torch.manual_seed(seed)
    base_logits = logits_of(load_model(f"models/{case['model']}"), batch)
    model = get_peft_model(load_model(f"models/{case['model']}"), LoraConfig(**case["options"])).eval()
    expected = {"logits": logits_of(model, batch)}
    for path, layer in model.base_model.model.named_modules():
        if hasattr(layer, "lora_A"):
            factors = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
            expected[f"delta.{path}"] = layer.scaling["default"] * factors
            expected[f"base.{path}.weight"] = layer.base_layer.weight
    assert (expected["logits"] - base_logits).abs().max() < 1e-4, f"{name} changes the model"
    expected = second_layer(expected)
    write_json(folder / "case.json", {"model": case["model"], "options": case["options"], **batch})
    write_tensors(folder / "expected.safetensors", expected)


def make_written(name, options, seed):
    folder = Path("config") / name
    torch.manual_seed(seed)
    save_adapter(get_peft_model(load_model("models/llama"), LoraConfig(**options)), folder)
    (folder / "adapter_model.safetensors").unlink()
    write_json(folder / "options.json", options)


class Pair(torch.nn.Module):
    """The smallest thing that PEFT adapts with two dtypes: narrow in half precision, wide in single."""

    def __init__(self):
        super().__init__()
        self.wide = torch.nn.Linear(3, 2)
        self.narrow = torch.nn.Linear(2, 3).half()


def make_tiny(name, autocast, seed):
    """An adapter file short enough to compare byte by byte; tensor values are 0, 1, 2, ... in the order of names."""
    folder = Path("config") / name
    options = {"r": 2, "lora_alpha": 3, "target_modules": ["narrow", "wide"]}
    torch.manual_seed(seed)
    model = get_peft_model(Pair(), LoraConfig(**options), autocast_adapter_dtype=autocast)
    count, tensors = 0, {}
    for key, tensor in sorted(get_peft_model_state_dict(model).items()):
        tensor.copy_(torch.arange(count, count + tensor.numel()).reshape(tensor.shape))
        tensors[key] = {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), "first": count}
        count += tensor.numel()
    save_adapter(model, folder)
    write_json(folder / "options.json", options)
    write_json(folder / "tensors.json", tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "golden")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.output)  # so that the paths PEFT writes down are relative: models/<name>
    generation = ("generation", "generation-config", "generation-scores")
    for folder in ("models", "tasks", *generation, "methods/lora", "methods/lora-init", "config"):
        shutil.rmtree(folder, ignore_errors=True)
    for case in CASES:
        make_model(case, arguments.seed)
    make_generation(arguments.seed)
    make_generation_config(arguments.seed)
    make_generation_scores(arguments.seed)
    for name, case in TRAINED.items():
        make_trained(name, case, arguments.seed)
    for name, case in INITIALISED.items():
        make_initialised(name, case, arguments.seed)
    for name, options in WRITTEN.items():
        make_written(name, options, arguments.seed)
    for name, autocast in (("tiny-float32", True), ("tiny-mixed", False)):
        make_tiny(name, autocast, arguments.seed)


if __name__ == "__main__":
    main()
