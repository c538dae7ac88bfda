"""What the LoRA goldens cover: options as given to peft.LoraConfig, and how each case is trained."""

_ADAMW = {"lr": 1e-3, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-8, "max_grad_norm": 0}


def _case(model, train=None, **options):
    return {"model": model, "train": {**_ADAMW, **(train or {})}, "options": {"task_type": "CAUSAL_LM", **options}}


TRAINED = {
    "llama-default": _case("llama", {"max_grad_norm": 0.5}, r=4, lora_alpha=10),
    "llama-all-linear": _case(
        "llama", {"lr": 5e-3, "weight_decay": 0.1}, r=3, lora_alpha=6, target_modules="all-linear"
    ),
    "llama-rslora": _case("llama", r=4, lora_alpha=6, use_rslora=True),
    "llama-dora": _case(
        "llama", {"lr": 1e-2}, r=2, lora_alpha=3, use_dora=True, target_modules=["q_proj", "down_proj"]
    ),
    "llama-bias-all": _case("llama-bias", {"weight_decay": 0.01}, r=2, lora_alpha=3, bias="all"),
    "llama-bias-lora-only": _case(
        "llama-bias", r=2, lora_alpha=3, bias="lora_only", target_modules=["o_proj", "up_proj"]
    ),
    "llama-regex": _case("llama", r=2, lora_alpha=3, target_modules=r"model\.layers\.1\..*\.(q_proj|up_proj)"),
    "llama-layers": _case(
        "llama", r=2, lora_alpha=3, target_modules=["k_proj", "v_proj"], layers_to_transform=[1]
    ),
    "llama-patterns": _case(
        "llama", r=2, lora_alpha=3, target_modules=["q_proj", "v_proj", "down_proj"],
        rank_pattern={"down_proj": 1, "layers.0.self_attn.q_proj": 5},
        alpha_pattern={"^model.layers.1.self_attn.v_proj": 5, "q_proj": 4},
    ),
    "llama-exclude": _case(
        "llama", r=2, lora_alpha=3, target_modules=["q_proj", "v_proj", "gate_proj"],
        exclude_modules=["layers.0.self_attn.q_proj", "gate_proj"],
    ),
    "llama-save-head": _case("llama", {"weight_decay": 0.1}, r=2, lora_alpha=3, modules_to_save=["lm_head"]),
    "llama-save-norm": _case("llama", r=2, lora_alpha=3, modules_to_save=["norm"]),
    "llama-embedding": _case("llama", r=2, lora_alpha=3, target_modules=["embed_tokens", "q_proj"]),
    "llama-embedding-dora": _case("llama", r=2, lora_alpha=3, use_dora=True, target_modules=["embed_tokens"]),
    "llama-lm-head": _case("llama", r=2, lora_alpha=3, target_modules=["lm_head", "v_proj"]),
    "mistral-default": _case("mistral", {"betas": [0.8, 0.95], "eps": 1e-6}, r=2, lora_alpha=3),
    "qwen2-default": _case("qwen2", r=2, lora_alpha=3),
    "qwen3-all-linear": _case("qwen3", r=2, lora_alpha=5, target_modules="all-linear"),
    "gpt2-default": _case("gpt2", r=2, lora_alpha=5, fan_in_fan_out=True),
    "gpt2-dora": _case("gpt2", r=2, lora_alpha=3, fan_in_fan_out=True, use_dora=True),
    "gpt2-embedding": _case(
        "gpt2", r=3, lora_alpha=4, fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc", "wte"]
    ),
}  # fmt: skip

INITIALISED = {
    "llama-pissa": _case("llama", r=4, lora_alpha=8, init_lora_weights="pissa", target_modules=["q_proj", "v_proj"]),
    "llama-olora": _case("llama", r=4, lora_alpha=8, init_lora_weights="olora", target_modules=["q_proj", "down_proj"]),
    "gpt2-pissa": _case("gpt2", r=4, lora_alpha=8, init_lora_weights="pissa", fan_in_fan_out=True),
}

WRITTEN = {
    "defaults": {},
    "causal-lm": {"task_type": "CAUSAL_LM"},
    "floats": {"task_type": "CAUSAL_LM", "lora_dropout": 0.05, "lora_alpha": 16.0, "alpha_pattern": {"v_proj": 0.5}},
    "small-float": {"task_type": "CAUSAL_LM", "lora_dropout": 1e-05, "lora_alpha": 150.0},
    "zero-dropout": {"task_type": "CAUSAL_LM", "lora_dropout": 0, "r": 64, "lora_alpha": 16},
    "lists": {
        "task_type": "CAUSAL_LM",
        "target_modules": ["q_proj", "v_proj"],
        "layers_to_transform": [0, 1],
        "layers_pattern": ["layers"],
        "modules_to_save": ["lm_head", "norm"],
        "rank_pattern": {"v_proj": 4, "layers.1.self_attn.q_proj": 16},
        "alpha_pattern": {"q_proj": 32},
    },
    "strings": {
        "task_type": "CAUSAL_LM",
        "target_modules": r".*\.(q_proj|v_proj)",
        "exclude_modules": ".*layers\\.0\\..*|größe",
        "init_lora_weights": "gaussian",
        "bias": "lora_only",
    },
    "switches": {
        "task_type": "CAUSAL_LM",
        "target_modules": "all-linear",
        "use_rslora": True,
        "init_lora_weights": False,
        "layers_to_transform": None,
        "revision": "main",
    },
}
