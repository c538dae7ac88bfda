"""The tiny random base models of the goldens: how each is configured, filled, saved and loaded.

All have hidden 32, 2 layers, 4 heads (2 key/value heads where the architecture groups them), vocabulary 97, 64 positions.
Weights depend only on the seed, the tensor's name and its shape, so models with the same tensors share the same bytes.
"""

import hashlib
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

VOCAB = 97
MATRIX_STD = 0.25
VECTOR_STD = 0.2

_DECODER = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}


def _decoder(config_class, **changes):
    return config_class(**{**_DECODER, **changes})


# Wavelengths of theta = 20 and head_dim 8 are 6.3, 13.3, 28.1 and 59.4: below 16/2, between, and above 16/1.
_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 2.0,
    "original_max_position_embeddings": 16,
}

CONFIGS = {
    "llama": lambda: _decoder(LlamaConfig),
    "llama-tied": lambda: _decoder(LlamaConfig, tie_word_embeddings=True),
    "llama-bias": lambda: _decoder(LlamaConfig, attention_bias=True, mlp_bias=True),
    "llama-rope-linear": lambda: _decoder(LlamaConfig, rope_scaling={"rope_type": "linear", "factor": 4.0}),
    "llama-rope-llama3": lambda: _decoder(LlamaConfig, rope_theta=20.0, rope_scaling=_LLAMA3_ROPE),
    "llama-bf16": lambda: _decoder(LlamaConfig),
    "llama-f16": lambda: _decoder(LlamaConfig),
    "llama-sharded": lambda: _decoder(LlamaConfig),
    "mistral": lambda: _decoder(MistralConfig, sliding_window=5),
    "qwen2": lambda: _decoder(Qwen2Config, tie_word_embeddings=True),
    "qwen3": lambda: _decoder(Qwen3Config, tie_word_embeddings=True, head_dim=16),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCAB, n_positions=64, n_embd=32, n_layer=2, n_head=4, n_inner=56,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=2,
    ),
}  # fmt: skip

STORED_AS = {"llama-bf16": torch.bfloat16, "llama-f16": torch.float16, "llama-sharded": torch.bfloat16}


def seeded(seed, name):
    """A generator that depends on the seed and on the name alone, not on what was drawn before."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def is_norm(name):
    """True for the names that the supported architectures give to their normalisation layers' tensors."""
    return "norm" in name or "ln_" in name


@torch.no_grad()
def fill(model, seed):
    """Matrices N(0, 0.25²), norm weights 1 + N(0, 0.2²), biases N(0, 0.2²)."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=seeded(seed, name))
        if parameter.ndim > 1:
            parameter.copy_(MATRIX_STD * noise)
        else:
            mean = 1.0 if is_norm(name) and name.endswith("weight") else 0.0
            parameter.copy_(mean + VECTOR_STD * noise)


def save_model(name, folder, seed):
    """Writes `folder` as transformers' save_pretrained does, without generation_config.json."""
    model = AutoModelForCausalLM.from_config(CONFIGS[name](), attn_implementation="eager")
    fill(model, seed)
    model.to(STORED_AS.get(name, torch.float32))
    limit = "20KB" if name == "llama-sharded" else "1GB"
    model.save_pretrained(folder, max_shard_size=limit)
    (Path(folder) / "generation_config.json").unlink(missing_ok=True)


def load_model(folder):
    """The model in `folder`, widened to float32, with the plain attention implementation."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()
