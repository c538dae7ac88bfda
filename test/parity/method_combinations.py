"""Goldens of several adapters at once, of conversion to LoRA, and of torch's random numbers."""

import math
import random
from pathlib import Path

import torch
from peft import LoHaConfig, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora.conversion import convert_to_lora
from peft.tuners.tuners_utils import BaseTunerLayer

from method_bases import forward, load_base, make_method_batch, prefixed, second_layer, write_json, write_tensors

BASE = "models/llama"
TARGETS = ["k_proj", "v_proj"]
SOURCES = {
    "first": {"r": 3, "lora_alpha": 7},
    "second": {"r": 3, "lora_alpha": 4},
    "third": {"r": 5, "lora_alpha": 8},
    "root": {"r": 4, "lora_alpha": 5, "use_rslora": True},
}
EQUAL, ALL, ONE = ["first", "second"], ["first", "second", "third"], ["first"]
_KEPT = {"density": 0.6}
_COUNTED = {**_KEPT, "majority_sign_method": "frequency"}

# name: adapters, weights, further arguments of add_weighted_adapter
WEIGHTED = {
    "cat": (EQUAL, [0.7, -0.4], {"combination_type": "cat"}),
    "cat-three-ranks": (ALL, [0.7, -0.4, 1.5], {"combination_type": "cat"}),
    "linear": (EQUAL, [0.7, 0.4], {"combination_type": "linear"}),
    "linear-negative": (EQUAL, [0.7, -0.4], {"combination_type": "linear"}),
    "svd-three-ranks": (ALL, [0.7, -0.4, 1.5], {"combination_type": "svd"}),
    "svd-rank-2": (EQUAL, [0.7, -0.4], {"combination_type": "svd", "svd_rank": 2}),
    "ties": (EQUAL, [0.7, 0.4], {"combination_type": "ties", **_KEPT}),
    "ties-negative": (EQUAL, [0.7, -0.4], {"combination_type": "ties", **_KEPT}),
    "ties-frequency": (EQUAL, [0.7, 0.4], {"combination_type": "ties", **_COUNTED}),
    "ties-svd": (ALL, [0.7, 0.4, 1.5], {"combination_type": "ties_svd", "svd_rank": 4, **_KEPT}),
    "magnitude-prune": (EQUAL, [0.7, 0.4], {"combination_type": "magnitude_prune", **_KEPT}),
    "magnitude-prune-svd": (ALL, [0.7, -0.4, 1.5], {"combination_type": "magnitude_prune_svd", "svd_rank": 5, **_KEPT}),
    "one-linear": (ONE, [1.0], {"combination_type": "linear"}),
    "one-cat": (ONE, [1.0], {"combination_type": "cat"}),
    "one-svd": (ONE, [1.0], {"combination_type": "svd"}),
    "one-ties": (ONE, [1.0], {"combination_type": "ties", "density": 1.0}),
    "one-ties-svd": (ONE, [1.0], {"combination_type": "ties_svd", "density": 1.0}),
    "one-svd-half": (ONE, [0.5], {"combination_type": "svd"}),
    "one-rslora-linear": (["root"], [1.0], {"combination_type": "linear"}),
    "one-rslora-cat": (["root"], [1.0], {"combination_type": "cat"}),
    "one-rslora-svd": (["root"], [1.0], {"combination_type": "svd"}),
}


def deltas_of(model, adapter):
    """s·B·A of each adapted layer, [out, in]; second layer only."""
    layers = (pair for pair in model.base_model.model.named_modules() if isinstance(pair[1], BaseTunerLayer))
    return second_layer({path: layer.get_delta_weight(adapter) for path, layer in layers if adapter in layer.scaling})


def make_sources(seed, randomise, save_adapter):
    """The model with every source adapter, each saved under methods/weighted/<its name>."""
    model = None
    for name, options in SOURCES.items():
        config = LoraConfig(**options, target_modules=TARGETS, task_type="CAUSAL_LM")
        alone = get_peft_model(load_base(BASE), config)
        randomise(alone, f"{seed}/{name}")
        folder = Path("methods/weighted") / name
        save_adapter(alone, folder)
        if model is None:
            model = PeftModel.from_pretrained(load_base(BASE), folder, adapter_name=name)
        else:
            model.load_adapter(folder, adapter_name=name)
    return model.eval()


def make_weighted(seed, randomise, save_adapter):
    """What add_weighted_adapter makes of the sources, and how far that is from the weighted sum of their deltas."""
    model = make_sources(seed, randomise, save_adapter)
    single = {name: deltas_of(model, name) for name in SOURCES}
    expected, cases = {}, {}
    for name, (adapters, weights, options) in WEIGHTED.items():
        model.add_weighted_adapter(adapters, weights, name, **options)
        result, config = deltas_of(model, name), model.peft_config[name]
        off, size = 0.0, 0.0
        for path, delta in result.items():
            ideal = sum(w * single[a][path] for a, w in zip(adapters, weights, strict=True))
            off, size = off + (delta - ideal).square().sum().item(), size + ideal.square().sum().item()
        cases[name] = {
            "adapters": adapters, "weights": weights, "options": options,
            "r": config.r, "lora_alpha": config.lora_alpha,
            "distance_from_sum": float(f"{math.sqrt(off / size):.2g}") if off > 1e-9 * size else 0,
        }  # fmt: skip
        expected |= prefixed(name, result)
    folder = Path("methods/weighted")
    write_json(folder / "case.json", {"model": BASE, "sources": list(SOURCES), "cases": cases})
    write_tensors(folder / "expected.safetensors", expected)
    return model


def make_mixed(model, seed):
    """A batch whose sequences go through different adapters; reads the sources of make_weighted."""
    batch = make_method_batch(random.Random(f"{seed}/mixed"), BASE)
    names = ["second", "__base__", "first"]
    logits = forward(model, batch, "CAUSAL_LM", labels=False, adapter_names=names)[0]
    folder = Path("methods/mixed-batch")
    folder.mkdir(parents=True)
    case = {"model": BASE, "adapters": "methods/weighted", "adapter_names": names, "batches": [batch]}
    write_json(folder / "case.json", case)
    write_tensors(folder / "expected.safetensors", {"logits": logits})


def make_converted(seed, randomise, save_adapter):
    """LoHa brought to LoRA of rank 3: the best approximation of each delta, with scale 1."""
    folder = Path("methods/converted")
    config = LoHaConfig(r=3, alpha=7, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(load_base(BASE), config).eval()
    randomise(model, seed)
    save_adapter(model, folder)
    expected = prefixed("from", deltas_of(model, "default"))
    lora, tensors = convert_to_lora(model, rank=3)
    deltas = {}
    for key, a in tensors.items():
        if key.endswith("lora_A.weight"):
            b = tensors[key.replace("lora_A", "lora_B")]
            module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            deltas[module] = lora.lora_alpha / lora.r * b @ a
    expected |= prefixed("to", second_layer(deltas))
    write_json(folder / "case.json", {"model": BASE, "rank": 3, "r": lora.r, "lora_alpha": lora.lora_alpha})
    write_tensors(folder / "expected.safetensors", expected)


def make_torch_random():
    """The first numbers of torch's CPU generator after each seed, as float32: each decimal is exact."""

    def draws(seed):
        def fresh(draw):
            return draw(torch.Generator().manual_seed(seed))

        def kaiming(g):
            return torch.nn.init.kaiming_uniform_(torch.empty(4, 6), a=math.sqrt(5), generator=g)

        def vera(g):
            return torch.nn.init.kaiming_uniform_(torch.empty(4, 6), generator=g)

        floats = {
            "rand(8)": fresh(lambda g: torch.rand(8, generator=g)),
            "randn(7)": fresh(lambda g: torch.randn(7, generator=g)),
            "randn(20)": fresh(lambda g: torch.randn(20, generator=g)),
            "uniform_(-0.3, 0.7), 8": fresh(lambda g: torch.empty(8).uniform_(-0.3, 0.7, generator=g)),
            "normal_(0, 0.02), 8": fresh(lambda g: torch.empty(8).normal_(0, 0.02, generator=g)),
            "normal_(0, 0.02), 20": fresh(lambda g: torch.empty(20).normal_(0, 0.02, generator=g)),
            "kaiming_uniform_(a=sqrt(5)), [4, 6]": fresh(kaiming),
            "kaiming_uniform_(), [4, 6]": fresh(vera),
        }
        integers = {
            "randperm(10)": fresh(lambda g: torch.randperm(10, generator=g)),
            "randperm(1000)[:20]": fresh(lambda g: torch.randperm(1000, generator=g))[:20],
            "randint(0, 1000), 8": fresh(lambda g: torch.randint(0, 1000, (8,), generator=g)),
        }
        return {name: t.flatten().tolist() for name, t in (floats | integers).items()}

    write_json(Path("torch-random.json"), {str(seed): draws(seed) for seed in (0, 5, 42, 777, 2**32 - 1)})


def make_combinations(seed, randomise, save_adapter):
    """Everything of this file; the arguments are functions of make_method_goldens.py."""
    model = make_weighted(seed, randomise, save_adapter)
    make_mixed(model, seed)
    make_converted(seed, randomise, save_adapter)
    make_torch_random()


COMBINED = ("methods/weighted", "methods/mixed-batch", "methods/converted")
