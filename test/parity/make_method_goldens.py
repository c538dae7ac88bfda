#!/usr/bin/env python
"""Writes the goldens of PEFT's methods with transformers and PEFT on torch, in float32.

    python make_method_goldens.py [--output DIR] [--seed N] [--only PREFIX]

Needs models/ of make_goldens.py in its output. What each file holds is told in test/golden/README.md, under Methods.
Two runs write the same bytes.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

if __name__ == "__main__" and os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes sets, whose order follows it
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel, get_peft_model, get_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from method_bases import (
    STEPS,
    adamw_steps,
    forward,
    gradients,
    load_base,
    make_method_batch,
    one_by_one,
    prefixed,
    reverse_rows,
    save_bases,
    second_layer,
    task_of,
    write_json,
    write_tensors,
)
from method_cases import CASES
from method_combinations import COMBINED, make_combinations
from tiny_models import seeded
from training import unsettled

WRITTEN = sorted({name.split("/")[0] for name in CASES})

# How strong the random trained tensors are: (mean of what is drawn anew or None to add to the start, deviation).
STRENGTHS = {
    "lora_E": (0.0, 0.5), "lora_": (0.0, 0.2), "ia3_l": (1.0, 0.3), "hada_": (0.0, 0.4), "lokr_": (0.0, 0.4),
    "vera_lambda": (0.0, 0.6), "oft_R": (0.0, 0.1), "trainable_tokens_delta": (None, 0.25),
    "ln_tuning_layers": (None, 0.2), "prefix_task_cols": (1.0, 0.5), "prefix_task_rows": (0.5, 0.3),
    "adaption_prompt": (0.0, 0.5), "adaption_gate": (0.7, 0.2), "prompt_encoder.default.embedding": (0.0, 0.5),
    "prompt_encoder": (0.0, 0.4),
}  # fmt: skip


@torch.no_grad()
def randomise(model, seed, zero_lora=False):
    """Gives every trainable tensor a value that training could have led to, and whose effect is easy to see."""
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        mean, deviation = next((pair for part, pair in STRENGTHS.items() if part in name), (None, 0.1))
        if zero_lora and "lora_" in name:
            mean, deviation = 0.0, 0.0
        noise = deviation * torch.randn(parameter.shape, generator=seeded(seed, name))
        parameter.copy_((parameter if mean is None else mean) + noise)


def is_reparameterised(config):
    """True where the file holds what an encoder computes, not what is trained."""
    return config.peft_type.value == "P_TUNING" or getattr(config, "prefix_projection", False)


def by_key(model):
    """The trainable parameters by their names on disk; those of a prompt's encoder by their names in the encoder."""
    config, named = model.active_peft_config, {}
    at = {p.data_ptr(): p for name, p in model.named_parameters() if p.requires_grad and "original_module" not in name}
    if config.is_prompt_learning:
        for name, parameter in model.prompt_encoder["default"].named_parameters():
            plain = name == "embedding.weight" and not is_reparameterised(config)
            named["prompt_embeddings" if plain else name] = at.pop(parameter.data_ptr())
    for key, tensor in get_peft_model_state_dict(model).items():
        # With bias="all", a wrapped module's bias is written three times; the plain name is the one to keep.
        if tensor.data_ptr() in at and "modules_to_save." not in key:
            named[key] = at.pop(tensor.data_ptr())
    assert not at, "a trainable parameter is not saved"
    return dict(sorted(named.items()))


def adapted(case, seed):
    """The adapted model with random adapter tensors in eval mode, and its trainable parameters by name."""
    torch.manual_seed(seed)
    config = PEFT_TYPE_TO_CONFIG_MAPPING[case["peft_type"]](**case["options"])
    model = get_peft_model(load_base(case["model"]), config)
    randomise(model, seed, case.get("zero_lora", False))
    model.eval()
    return model, by_key(model)


def save_adapter(model, folder):
    """What PEFT writes, without the model card."""
    model.save_pretrained(folder)
    (Path(folder) / "README.md").unlink()


def after_step_of(model, case):
    """What AdaLoRA does between the optimiser's step and the clearing of gradients, or nothing."""
    return model.base_model.update_and_allocate if case["peft_type"] == "ADALORA" else None


def trained(name, case, batches, seed):
    """(expected tensors, facts for case.json) of training, twice: the other time with the rows in reverse order."""
    task = task_of(case["model"])
    model, named = adapted(case, seed)
    start = {key: p.detach().clone() for key, p in named.items()}
    losses, end = adamw_steps(model, batches, task, named, case, after_step_of(model, case))
    other_model, other_named = adapted(case, seed)
    reversed_batches, after = [reverse_rows(batch) for batch in batches], after_step_of(other_model, case)
    _, other = adamw_steps(other_model, reversed_batches, task, other_named, case, after)
    expected = {"losses": losses} | prefixed("after", end)
    facts = {"unsettled": unsettled(start, end, other)}
    if model.active_peft_config.is_prompt_learning and is_reparameterised(model.active_peft_config):
        table = model.get_prompt_embedding_to_save("default")
        expected |= prefixed("start", start) | {"after.prompt_embeddings": table}
    if case["peft_type"] == "ADALORA":
        expected["logits_after"] = forward(model, batches[0], task)[0]
        allocator = model.base_model.rankallocator
        facts["budgets"] = [list(allocator.budget_schedule(step)) for step in range(case["steps"])]
        after = Path("methods") / name / "after"
        save_adapter(model, after)
        loaded = PeftModel.from_pretrained(load_base(case["model"]), after).eval()
        error = (forward(loaded, batches[0], task, labels=False)[0] - expected["logits_after"]).abs().max()
        assert error < 1e-5, f"{name}: the pruned adapter computes something else, by {error}"
    return expected, facts


def merged_weights(model, case, batch, logits):
    """The weights that merging changed, by their names in the base model, and how far the logits move."""
    base = dict(load_base(case["model"]).named_parameters())
    merged = model.merge_and_unload().eval()
    # LN_TUNING leaves the wrappers of modules_to_save in place.
    after = {k.replace("modules_to_save.default.", ""): p for k, p in merged.named_parameters() if "original_" not in k}
    assert after.keys() == base.keys(), "merging changed the names"
    error = (forward(merged, batch, task_of(case["model"]))[0] - logits).abs().max().item()
    return second_layer({key: p for key, p in after.items() if not torch.equal(p, base[key])}), error


def check_case(name, case, batch, logits):
    """The golden shows the adapter, does not depend on padding, and is what PEFT computes from the saved files."""
    task = task_of(case["model"])
    labels = task == "SEQ_2_SEQ_LM"  # which make the decoder's input; a loaded AdaLoRA cannot compute a loss
    plain = forward(load_base(case["model"]), {k: v for k, v in batch.items() if k != "task_ids"}, task)[0]
    effect = (logits[-1] - plain[-1]).abs().max().item()
    assert effect > 1e-2, f"{name} has next to no effect: {effect}"
    loaded = PeftModel.from_pretrained(load_base(case["model"]), Path("methods") / name).eval()
    with torch.no_grad():
        again = forward(loaded, batch, task, labels)[0]
        alone = torch.cat([forward(loaded, part, task, labels)[0] for part in one_by_one(batch)])
    assert (again - logits).abs().max() < 1e-5, f"{name}: the saved adapter computes something else"
    assert (alone - logits).abs().max() < 1e-4, f"{name} depends on padding by {(alone - logits).abs().max()}"


def make_batches(name, case, seed):
    rng = random.Random(f"{seed}/{name}")
    tasks = case["options"].get("num_tasks", 0)
    return [make_method_batch(rng, case["model"], case.get("tokens", ()), tasks) for _ in range(STEPS)]


def make_case(name, case, seed):
    folder, task, steps = Path("methods") / name, task_of(case["model"]), case.get("steps", STEPS)
    batches = make_batches(name, case, seed)
    model, named = adapted(case, seed)
    save_adapter(model, folder)
    logits = forward(model, batches[0], task, labels=steps > 0)[0].detach()
    check_case(name, case, batches[0], logits)
    expected, facts = {"logits": logits}, {}
    if case["peft_type"] == "VERA":
        expected |= {f"projection.{key}": getattr(model.base_model, key)["default"] for key in ("vera_A", "vera_B")}
    if steps:
        loss, slopes = gradients(model, batches[0], task, named)
        tensors, facts = trained(name, case, batches, seed)
        expected |= {"loss": loss.reshape(1)} | prefixed("grad", slopes) | tensors
    if hasattr(model, "merge_and_unload") and case.get("merges", True):
        weights, error = merged_weights(model, case, batches[0], logits)
        assert error < 1e-4, f"{name}: merged logits differ by {error}"
        expected |= prefixed("merged", weights)
    header = {"model": case["model"], "task": task, "peft_type": case["peft_type"], "options": case["options"]}
    header |= {"steps": steps, **case["train"], **facts, "batches": batches[: max(steps, 1)]}
    write_json(folder / "case.json", header)
    write_tensors(folder / "expected.safetensors", expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "golden")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose names begin so; nothing else is replaced")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    os.chdir(arguments.output)  # so that the paths PEFT writes down are relative
    names = [name for name in CASES if name.startswith(arguments.only)]
    if not arguments.only:
        for folder in ["methods-models", *(f"methods/{kind}" for kind in WRITTEN), *COMBINED]:
            shutil.rmtree(folder, ignore_errors=True)
    save_bases(arguments.seed)
    if not arguments.only:
        make_combinations(arguments.seed, randomise, save_adapter)
    for name in names:
        shutil.rmtree(Path("methods") / name, ignore_errors=True)
        make_case(name, CASES[name], arguments.seed)


if __name__ == "__main__":
    main()
