"""What the method goldens cover: a base, the options given to PEFT's config class, and how each case is trained."""

# eps keeps a gradient that is zero but for rounding from moving a parameter by a whole step, one way in float32, the other in float64.
_ADAMW = {"lr": 5e-3, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-5, "max_grad_norm": 0}
_PROMPT = {"lr": 2e-2}

LLAMA, TIED, GPT2 = "models/llama", "models/llama-tied", "models/gpt2"
BERT, BERT_TOKENS, T5, MT5, VIT = (f"methods-models/{name}" for name in ("bert", "bert-tokens", "t5", "mt5", "vit"))

_TASKS = {LLAMA: "CAUSAL_LM", TIED: "CAUSAL_LM", GPT2: "CAUSAL_LM", BERT: "SEQ_CLS", BERT_TOKENS: "TOKEN_CLS"}
_TASKS |= {T5: "SEQ_2_SEQ_LM", MT5: "SEQ_2_SEQ_LM"}


def _case(peft_type, model, train=None, extra=None, **options):
    """`extra` steers the script: steps, tokens that every sequence must contain, zero_lora, merges."""
    task = {"task_type": _TASKS[model]} if model in _TASKS else {}
    return {
        "peft_type": peft_type,
        "model": model,
        "options": {**task, **options},
        "train": {**_ADAMW, **(train or {})},
        **(extra or {}),
    }


def _prompts(peft_type, rows=3, **options):
    """A case maker for methods with virtual tokens."""

    def case(model, train=None, extra=None, **more):
        return _case(peft_type, model, {**_PROMPT, **(train or {})}, extra, num_virtual_tokens=rows, **options, **more)

    return case


_prompt, _prefix = _prompts("PROMPT_TUNING"), _prompts("PREFIX_TUNING")
_multitask = _prompts("MULTITASK_PROMPT_TUNING", num_tasks=3, num_ranks=2)
_mlp = _prompts("P_TUNING", encoder_hidden_size=6)
_lstm = _prompts("P_TUNING", encoder_hidden_size=5, encoder_reparameterization_type="LSTM")
_ADALORA = {"init_r": 4, "target_r": 2, "lora_alpha": 6, "total_step": 12, "tinit": 2, "tfinal": 3, "deltaT": 2}
_LONG = {"steps": 12}
_TOKENS = [7, 40, 22]

CASES = {
    "ia3/llama-default": _case("IA3", LLAMA),
    "ia3/llama-output": _case("IA3", LLAMA, target_modules=["q_proj", "up_proj"], feedforward_modules=[]),
    "ia3/gpt2-default": _case("IA3", GPT2, {"weight_decay": 0.1}, fan_in_fan_out=True),
    "ia3/bert-default": _case("IA3", BERT),
    "ia3/mt5-default": _case("IA3", MT5),
    "ia3/t5-default": _case("IA3", T5),
    "adalora/llama": _case("ADALORA", LLAMA, {"weight_decay": 0.01}, _LONG, **_ADALORA),
    "adalora/gpt2": _case("ADALORA", GPT2, None, _LONG, fan_in_fan_out=True, **_ADALORA),
    "adalora/bert": _case("ADALORA", BERT, None, _LONG, **{**_ADALORA, "orth_reg_weight": 0.1, "beta1": 0.7}),
    "loha/llama": _case("LOHA", LLAMA, {"weight_decay": 0.1}, r=3, alpha=7, target_modules=["q_proj", "down_proj"]),
    "loha/bert-patterns": _case(
        "LOHA", BERT, r=3, alpha=7, target_modules=["query", "value"],
        rank_pattern={"value": 2, "layer.1.attention.self.query": 4}, alpha_pattern={"query": 3},
    ),
    "loha/mt5": _case("LOHA", MT5, r=2, alpha=3, target_modules=["q", "wo"]),
    "lokr/llama-full": _case("LOKR", LLAMA, r=8, alpha=5, target_modules=["q_proj", "v_proj"]),
    "lokr/llama-low-rank": _case(
        "LOKR", LLAMA, {"weight_decay": 0.1}, r=2, alpha=5, target_modules=["q_proj", "down_proj"]
    ),
    "lokr/llama-decompose-both": _case(
        "LOKR", LLAMA, r=1, alpha=2, decompose_both=True, decompose_factor=8, target_modules=["q_proj", "v_proj"]
    ),
    "lokr/bert-patterns": _case(
        "LOKR", BERT, r=1, alpha=3, target_modules=["query", "value", "intermediate.dense"],
        rank_pattern={"value": 2, "query": 8}, alpha_pattern={"query": 5},
    ),
    "lokr/mt5": _case("LOKR", MT5, r=1, alpha=2, decompose_factor=2, target_modules=["k", "wi_0"]),
    "vera/llama-saved": _case("VERA", LLAMA, r=6, target_modules=["q_proj", "v_proj", "down_proj"]),
    "vera/llama-regenerated": _case(
        "VERA", LLAMA, r=6, save_projection=False, projection_prng_key=5, target_modules=["q_proj", "v_proj"]
    ),
    "vera/gpt2-regenerated": _case(
        "VERA", GPT2, {"weight_decay": 0.1}, r=5, save_projection=False, fan_in_fan_out=True
    ),
    "vera/bert-saved": _case("VERA", BERT, r=4, target_modules=["query", "value"]),
    "oft/llama-default": _case("OFT", LLAMA, oft_block_size=8, target_modules=["q_proj", "v_proj"]),
    "oft/llama-exact": _case(
        "OFT", LLAMA, oft_block_size=8, use_cayley_neumann=False, target_modules=["q_proj", "down_proj"]
    ),
    "oft/llama-block-share": _case(
        "OFT", LLAMA, {"weight_decay": 0.1}, oft_block_size=4, block_share=True, target_modules=["q_proj", "v_proj"]
    ),
    "oft/llama-blocks": _case("OFT", LLAMA, r=4, oft_block_size=0, target_modules=["q_proj", "down_proj"]),
    "oft/bert-adjusted": _case(
        "OFT", BERT, oft_block_size=6, num_cayley_neumann_terms=3, target_modules=["query", "output.dense"]
    ),
    "oft/mt5": _case("OFT", MT5, oft_block_size=4, target_modules=["q", "wo"]),
    "ln_tuning/llama": _case("LN_TUNING", LLAMA),
    "ln_tuning/gpt2": _case("LN_TUNING", GPT2, {"weight_decay": 0.1}),
    "ln_tuning/mt5": _case("LN_TUNING", MT5),
    "ln_tuning/bert": _case("LN_TUNING", BERT, target_modules=["LayerNorm"]),
    "trainable_tokens/llama-untied": _case(
        "TRAINABLE_TOKENS", LLAMA, {"weight_decay": 0.1}, {"tokens": _TOKENS}, token_indices=_TOKENS
    ),
    "trainable_tokens/llama-tied": _case("TRAINABLE_TOKENS", TIED, None, {"tokens": _TOKENS}, token_indices=_TOKENS),
    "trainable_tokens/gpt2-tied": _case("TRAINABLE_TOKENS", GPT2, None, {"tokens": _TOKENS}, token_indices=_TOKENS),
    "trainable_tokens/bert": _case("TRAINABLE_TOKENS", BERT, None, {"tokens": _TOKENS}, token_indices=_TOKENS),
    "prompt_tuning/llama": _prompt(LLAMA),
    "prompt_tuning/gpt2": _prompt(GPT2, {"weight_decay": 0.1}),
    "prompt_tuning/bert": _prompt(BERT),
    "prompt_tuning/bert-tokens": _prompt(BERT_TOKENS, None, {"steps": 0}),
    "prompt_tuning/mt5": _prompt(MT5),
    "multitask_prompt_tuning/llama": _multitask(LLAMA),
    "multitask_prompt_tuning/mt5": _multitask(MT5, {"weight_decay": 0.1}),
    "p_tuning/llama-mlp": _mlp(LLAMA),
    "p_tuning/gpt2-lstm": _lstm(GPT2),
    "p_tuning/bert-mlp": _mlp(BERT, {"weight_decay": 0.1}),
    "p_tuning/mt5-lstm": _lstm(MT5, encoder_num_layers=1),
    "prefix_tuning/llama": _prefix(LLAMA),
    "prefix_tuning/llama-projection": _prefix(LLAMA, prefix_projection=True, encoder_hidden_size=6),
    "prefix_tuning/gpt2": _prefix(GPT2, {"weight_decay": 0.1}),
    "prefix_tuning/mt5": _prefix(MT5),
    "prefix_tuning/mt5-projection": _prefix(MT5, prefix_projection=True, encoder_hidden_size=5),
    "prefix_tuning/bert": _prefix(BERT),
    "prefix_tuning/bert-tokens": _prefix(BERT_TOKENS),
    "adaption_prompt/llama": _case("ADAPTION_PROMPT", LLAMA, _PROMPT, adapter_len=3, adapter_layers=1),
    "adaption_prompt/llama-both-layers": _case("ADAPTION_PROMPT", LLAMA, _PROMPT, adapter_len=4, adapter_layers=2),
    "adaption_prompt/gpt2": _case("ADAPTION_PROMPT", GPT2, _PROMPT, adapter_len=3, adapter_layers=2),
    "lora-more/bert": _case("LORA", BERT, r=3, lora_alpha=7),
    "lora-more/bert-all-linear": _case(
        "LORA", BERT, {"weight_decay": 0.1}, r=2, lora_alpha=3, target_modules="all-linear"
    ),
    "lora-more/bert-tokens": _case("LORA", BERT_TOKENS, r=2, lora_alpha=3, target_modules=["query", "value", "dense"]),
    "lora-more/t5": _case("LORA", T5, r=3, lora_alpha=7),
    "lora-more/mt5-all-linear": _case("LORA", MT5, r=2, lora_alpha=3, target_modules="all-linear"),
    "lora-more/vit": _case(
        "LORA", VIT, r=3, lora_alpha=7, target_modules=["query", "value"], modules_to_save=["classifier"]
    ),
    "lora-more/llama-tokens": _case(
        "LORA", LLAMA, None, {"tokens": _TOKENS}, r=2, lora_alpha=3, trainable_token_indices=_TOKENS
    ),
    "lora-more/llama-tied-tokens": _case(
        "LORA", TIED, None, {"tokens": _TOKENS}, r=2, lora_alpha=3,
        trainable_token_indices={"embed_tokens": _TOKENS}, target_modules=["q_proj"],
    ),
    "lora-more/mt5-tokens": _case(
        "LORA", MT5, None, {"tokens": _TOKENS, "merges": False}, r=2, lora_alpha=3,
        trainable_token_indices={"embed_tokens": _TOKENS},
    ),
    "lora-more/gpt2-bitfit": _case(
        "LORA", GPT2, None, {"zero_lora": True}, r=1, lora_alpha=1, bias="all", fan_in_fan_out=True
    ),
    "lora-more/bert-bitfit": _case("LORA", BERT, None, {"zero_lora": True}, r=1, lora_alpha=1, bias="all"),
}  # fmt: skip
