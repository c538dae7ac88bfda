#!/usr/bin/env python
"""Writes the goldens of bottleneck adapters with AdapterHub's library on torch, in float32.

    python -m venv hub && hub/bin/pip install torch==2.13.0 transformers==4.51.3 adapters==1.2.0 safetensors==0.8.0
    hub/bin/python make_hub_goldens.py [--output DIR] [--seed N]

Needs models/ and methods-models/ of the other two scripts in its output. What each file holds is told in
test/golden/README.md, under Methods. Two runs write the same bytes.
"""

import argparse
import os
import random
import shutil
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import adapters
import torch
import transformers
from adapters.composition import Average, BatchSplit, Fuse, Parallel, Split, Stack
from adapters.models.llama import modeling_llama as hub_llama

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
    task_of,
    write_json,
    write_tensors,
)
from tiny_models import seeded
from training import unsettled

ROOT = Path("methods/bottleneck")
_ADAMW = {"lr": 5e-3, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-5, "max_grad_norm": 0}
BERT, T5, LLAMA, GPT2 = "methods-models/bert", "methods-models/t5", "models/llama", "models/gpt2"


def _case(model, config, binary=False, **options):
    return {"model": model, "config": config, "options": options, "binary": binary, "train": _ADAMW}


_SMALL = {"reduction_factor": 8}

CASES = {
    "bert-seq-bn": _case(BERT, "seq_bn", reduction_factor=4),
    "bert-seq-bn-binary": _case(BERT, "seq_bn", binary=True, reduction_factor=4),
    "bert-double-seq-bn": _case(BERT, "double_seq_bn", reduction_factor=4),
    "bert-par-bn": _case(BERT, "par_bn", reduction_factor=4),
    "bert-scaled-par-bn": _case(BERT, "scaled_par_bn", reduction_factor=4),
    "bert-ln-before": _case(BERT, "seq_bn", binary=True, reduction_factor=4, ln_before=True, non_linearity="gelu"),
    "bert-ln-after": _case(BERT, "seq_bn", reduction_factor=4, ln_after=True, non_linearity="tanh"),
    "bert-ln-after-residual-before": _case(
        BERT, "seq_bn", reduction_factor=4, ln_after=True, adapter_residual_before_ln=True
    ),
    "bert-residual-after-ln": _case(
        BERT, "seq_bn", reduction_factor=4, residual_before_ln=False, non_linearity="gelu_new"
    ),
    "bert-residual-post-add": _case(BERT, "seq_bn", reduction_factor=4, residual_before_ln="post_add"),
    "bert-no-original-ln-after": _case(
        BERT, "seq_bn", reduction_factor=4, residual_before_ln=False, original_ln_after=False
    ),
    "bert-no-original-ln": _case(BERT, "seq_bn", reduction_factor=4, original_ln_before=False, non_linearity="swish"),
    "bert-leave-out": _case(BERT, "double_seq_bn", leave_out=[0], reduction_factor={"1": 2, "default": 8}),
    "bert-channel-scaling": _case(
        BERT, "seq_bn", reduction_factor=4, scaling="channel", mh_adapter=True, non_linearity="tanh"
    ),
    "bert-gating": _case(BERT, "seq_bn", reduction_factor=4, use_gating=True, scaling=2.0),
    "gpt2-seq-bn": _case(GPT2, "seq_bn", **_SMALL),
    "gpt2-double-seq-bn": _case(GPT2, "double_seq_bn", **_SMALL, non_linearity="gelu"),
    "gpt2-par-bn": _case(GPT2, "par_bn", **_SMALL),
    "llama-seq-bn": _case(LLAMA, "seq_bn", **_SMALL),
    "llama-double-seq-bn": _case(LLAMA, "double_seq_bn", **_SMALL),
    "llama-scaled-par-bn": _case(LLAMA, "scaled_par_bn", **_SMALL, non_linearity="leakyrelu"),
    "t5-seq-bn": _case(T5, "seq_bn", reduction_factor=4),
    "t5-double-seq-bn-cross": _case(T5, "double_seq_bn", reduction_factor=4, cross_adapter=True),
    "t5-par-bn": _case(T5, "par_bn", reduction_factor=4),
}

# name: (block of adapters a and b, its arguments, whether it is trained)
COMPOSED = {
    "bert-stack": (Stack("a", "b"), {}, True),
    "bert-fuse": (Fuse("a", "b"), {}, True),
    "bert-split": (Split("a", "b", splits=[3, 4]), {"splits": [3, 4]}, True),
    "bert-batch-split": (BatchSplit("a", "b", batch_sizes=[1, 2]), {"batch_sizes": [1, 2]}, True),
    "bert-parallel": (Parallel("a", "b"), {}, False),
    "bert-average": (Average("a", "b", weights=[1.0, 3.0]), {"weights": [1.0, 3.0]}, True),
}


def repair_llama():
    """Undoes a fault of adapters 1.2.0: its Llama attention turns heads and positions round once too often.

    There the plain model, with no adapter at all, computes something else after adapters.init. The wrapped function
    returns [batch, positions, heads, width]; turning that back makes the extra turn right.
    """
    attend = hub_llama.eager_attention_forward

    def turned_back(*arguments, **named):
        output, weights = attend(*arguments, **named)
        return output.transpose(1, 2), weights

    hub_llama.eager_attention_forward = turned_back


@torch.no_grad()
def randomise(named, seed):
    """Gives every tensor a value that training could have led to, and whose effect is easy to see."""
    for name, parameter in named.items():
        noise = torch.randn(parameter.shape, generator=seeded(seed, name))
        if "norm" in name or name.endswith(".scaling"):
            parameter.add_(0.3 * noise)
        elif ".value." in name:
            parameter.add_(0.2 * noise)
        else:
            parameter.copy_((0.3 if parameter.ndim > 1 else 0.1) * noise)


def trained_parameters(model):
    """The adapter's tensors and, of a classifier, the head: what train_adapter leaves trainable there."""
    return {
        name: p
        for name, p in sorted(model.named_parameters())
        if p.requires_grad and (".adapters." in name or "adapter_fusion_layer" in name or name.startswith("classifier"))
    }


def prepared(case, names, block, seed):
    """The adapted model with random adapter tensors in eval mode, and its trained parameters."""
    torch.manual_seed(seed)
    model = load_base(case["model"])
    adapters.init(model)
    for name in names:
        model.add_adapter(name, config=adapters.AdapterConfig.load(case["config"], **case["options"]))
    if isinstance(block, Fuse):
        model.add_adapter_fusion(block)
        model.train_adapter_fusion(block, unfreeze_adapters=True)
    else:
        model.train_adapter(block)
    named = trained_parameters(model)
    randomise(named, seed)
    return model.eval(), named


def trained(build, batches, task, case, reversible=True):
    """(expected tensors, unsettled names) of training, twice: the other time with the rows in reverse order.

    Where the row decides which adapter it goes through, there is only one order, and nothing is said to be unsettled.
    """
    model, named = build()
    loss, slopes = gradients(model, batches[0], task, named)
    start = {key: p.detach().clone() for key, p in named.items()}
    losses, end = adamw_steps(model, batches, task, named, case)
    expected = {"loss": loss.reshape(1), "losses": losses} | prefixed("grad", slopes) | prefixed("after", end)
    if not reversible:
        return expected, []
    model, named = build()
    _, other = adamw_steps(model, [reverse_rows(batch) for batch in batches], task, named, case)
    return expected, unsettled(start, end, other)


def check(case, folder, batch, logits):
    """The golden shows the adapter, does not depend on padding, and is what the saved files compute."""
    task = task_of(case["model"])
    model = load_base(case["model"])
    plain = forward(model, batch, task)[0]
    effect = (plain - logits).abs().max().item()
    assert effect > 1e-2, f"{folder} has next to no effect: {effect}"
    adapters.init(model)
    error = (forward(model.eval(), batch, task)[0] - plain).abs().max().item()
    assert error < 1e-5, f"{case['model']} without an adapter computes something else, by {error}"
    model.load_adapter(str(folder), set_active=True, use_safetensors=not case["binary"])
    model.eval()
    error = (forward(model, batch, task)[0] - logits).abs().max().item()
    assert error < 1e-5, f"{folder}: the saved adapter computes something else, by {error}"
    if not case["options"].get("use_gating"):  # a gate is a mean over the sequence, padding included
        with torch.no_grad():
            alone = torch.cat([forward(model, part, task)[0] for part in one_by_one(batch)])
        assert (alone - logits).abs().max() < 1e-4, f"{folder} depends on padding"


def batches_of(name, model, seed, same_length=False):
    rng = random.Random(f"{seed}/{name}")
    batches = [make_method_batch(rng, model) for _ in range(STEPS)]
    if same_length:
        for batch in batches:
            batch["sequences"] = [[rng.randrange(3, 53) for _ in range(7)] for _ in batch["sequences"]]
            batch["token_type_ids"] = [[0] * 3 + [1] * 4 for _ in batch["sequences"]]
    return batches


def make_single(name, case, seed):
    folder, task = ROOT / name, task_of(case["model"])
    same_length = bool(case["options"].get("use_gating"))
    batches = batches_of(name, case["model"], seed, same_length)

    def build():
        return prepared(case, ["tiny"], "tiny", seed)

    model, _ = build()
    logits = forward(model, batches[0], task)[0].detach()
    folder.mkdir(parents=True)
    model.save_adapter(str(folder), "tiny", with_head=task == "SEQ_CLS", use_safetensors=not case["binary"])
    check(case, folder, batches[0], logits)
    tensors, noise = trained(build, batches, task, case)
    header = {"model": case["model"], "task": task, "config": case["config"], "options": case["options"]}
    header |= {"adapter": "tiny", "steps": STEPS, **case["train"], "unsettled": noise, "batches": batches}
    write_json(folder / "case.json", header)
    write_tensors(folder / "expected.safetensors", {"logits": logits} | tensors)


def make_composed(name, block, arguments, is_trained, seed):
    folder = ROOT / name
    case = _case(BERT, "seq_bn", reduction_factor=4)
    batches = batches_of(name, BERT, seed, same_length=isinstance(block, Split))

    def build():
        return prepared(case, ["a", "b"], block, seed)

    model, _ = build()
    expected = {"logits": forward(model, batches[0], "SEQ_CLS", labels=False)[0].detach()}
    model.save_adapter_setup(str(folder), block, use_safetensors=True)
    loaded = load_base(BERT)
    adapters.init(loaded)
    loaded.load_adapter_setup(str(folder), set_active=True, use_safetensors=True)
    error = (forward(loaded.eval(), batches[0], "SEQ_CLS", labels=False)[0] - expected["logits"]).abs().max().item()
    assert error < 1e-5, f"{name}: the saved setup computes something else, by {error}"
    facts = {}
    if is_trained:
        tensors, noise = trained(build, batches, "SEQ_CLS", case, reversible=not isinstance(block, BatchSplit))
        expected, facts = expected | tensors, {**case["train"], "unsettled": noise}
    composition = {"type": type(block).__name__, "children": ["a", "b"], **arguments}
    header = {"model": BERT, "task": "SEQ_CLS", "config": case["config"], "options": case["options"]}
    steps = STEPS if is_trained else 0
    header |= {"composition": composition, "steps": steps, **facts, "batches": batches[: max(steps, 1)]}
    write_json(folder / "case.json", header)
    write_tensors(folder / "expected.safetensors", expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "golden")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    transformers.utils.logging.set_verbosity_error()
    repair_llama()
    os.chdir(arguments.output)  # so that the paths the library writes down are relative
    shutil.rmtree(ROOT, ignore_errors=True)
    for name, case in CASES.items():
        make_single(name, case, arguments.seed)
    for name, (block, options, is_trained) in COMPOSED.items():
        make_composed(name, block, options, is_trained, arguments.seed)


if __name__ == "__main__":
    main()
