"""The tiny random base models of the goldens: how each is configured, filled, saved and loaded.

CONFIGS has causal language models of hidden 32, 2 layers, 4 heads (2 key/value heads where the architecture groups
them), vocabulary 97, 64 positions. SMALL has smaller ones for the tasks: hidden 16, 2 layers, 2 heads, vocabulary 53.
Weights depend only on the seed, the tensor's name and its shape, so models with the same tensors share the same bytes.
"""

import hashlib
from pathlib import Path

import torch
from transformers import (
    AutoModel, AutoModelForCausalLM, AutoModelForImageClassification, AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, BertConfig,
    DistilBertConfig, GPT2Config, LlamaConfig, MistralConfig, MT5Config, MT5EncoderModel, PreTrainedModel, Qwen2Config,
    Qwen3Config, RobertaConfig, T5Config, T5EncoderModel, ViTConfig, XLMRobertaConfig,
)  # fmt: skip

VOCAB = 97
SMALL_VOCAB = 53
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

_SMALL_DECODER = {
    **_DECODER,
    "vocab_size": SMALL_VOCAB,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
}
_SMALL_ENCODER = {
    "vocab_size": SMALL_VOCAB, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": 20, "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
_SMALL_T5 = {
    "vocab_size": SMALL_VOCAB, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16, "dropout_rate": 0.0,
    "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
}  # fmt: skip
# Positions of RoBERTa count from pad_token_id + 1, so the table is longer by two.
_SMALL_ROBERTA = {**_SMALL_ENCODER, "max_position_embeddings": 22, "pad_token_id": 1, "type_vocab_size": 1}

SMALL = {
    "t5": lambda **changes: T5Config(**{**_SMALL_T5, "feed_forward_proj": "relu", **changes}),
    # As in mt5-small, heads x d_kv is not d_model.
    "mt5": lambda **changes: MT5Config(
        **{**_SMALL_T5, "num_heads": 3, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, **changes}
    ),
    "bert": lambda **changes: BertConfig(**{**_SMALL_ENCODER, "pad_token_id": 0, **changes}),
    "roberta": lambda **changes: RobertaConfig(**{**_SMALL_ROBERTA, **changes}),
    "xlm-roberta": lambda **changes: XLMRobertaConfig(**{**_SMALL_ROBERTA, **changes}),
    "distilbert": lambda **changes: DistilBertConfig(
        vocab_size=SMALL_VOCAB, dim=16, hidden_dim=24, n_layers=2, n_heads=2, max_position_embeddings=20,
        dropout=0.0, attention_dropout=0.0, qa_dropout=0.0, seq_classif_dropout=0.0, **changes,
    ),
    "vit": lambda **changes: ViTConfig(
        image_size=12, patch_size=4, num_channels=3, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, qkv_bias=True, **changes,
    ),
    "gpt2": lambda **changes: GPT2Config(
        **{
            "vocab_size": SMALL_VOCAB, "n_positions": 20, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 24,
            "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "classifier_dropout": 0.0,
            "summary_first_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, **changes,
        }
    ),
    "llama": lambda **changes: LlamaConfig(**{**_SMALL_DECODER, **changes}),
    "mistral": lambda **changes: MistralConfig(**{**_SMALL_DECODER, "sliding_window": 5, **changes}),
    "qwen3": lambda **changes: Qwen3Config(**{**_SMALL_DECODER, **changes}),
}  # fmt: skip

_CLASSES = {
    "CAUSAL_LM": AutoModelForCausalLM,
    "SEQ_2_SEQ_LM": AutoModelForSeq2SeqLM,
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
    "QUESTION_ANS": AutoModelForQuestionAnswering,
    "FEATURE_EXTRACTION": AutoModel,
    "IMAGE_CLS": AutoModelForImageClassification,
    ("FEATURE_EXTRACTION", "t5"): T5EncoderModel,
    ("FEATURE_EXTRACTION", "mt5"): MT5EncoderModel,
}


def class_of(task, model_type):
    """The class of transformers that makes and loads models of this architecture for a task."""
    return _CLASSES.get((task, model_type), _CLASSES[task])


def seeded(seed, name):
    """A generator that depends on the seed and on the name alone, not on what was drawn before."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def is_norm(name):
    """True for the names that the supported architectures give to their normalisation layers' tensors."""
    return "norm" in name.lower() or "ln_" in name


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


def save_as(config, task, folder, seed, dtype=torch.float32, shard="1GB"):
    """Writes a filled model as transformers' save_pretrained does, without generation_config.json."""
    made_by = class_of(task, config.model_type)
    build = made_by._from_config if issubclass(made_by, PreTrainedModel) else made_by.from_config
    model = build(config, attn_implementation="eager")
    fill(model, seed)
    model.to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    (Path(folder) / "generation_config.json").unlink(missing_ok=True)


def save_model(name, folder, seed):
    """Writes the causal language model `name` of CONFIGS."""
    shard = "20KB" if name == "llama-sharded" else "1GB"
    save_as(CONFIGS[name](), "CAUSAL_LM", folder, seed, STORED_AS.get(name, torch.float32), shard)


def load_model(folder, task="CAUSAL_LM", model_type=None):
    """The model in `folder`, widened to float32, with the plain attention implementation."""
    loader = class_of(task, model_type)
    model = loader.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()
