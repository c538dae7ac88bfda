#!/usr/bin/env python
"""Writes what transformers makes of the keys of its config classes, for test/models.configs.test.ts.

    python make_config_goldens.py [--output DIR]

classes.json has the keys and defaults of each class, cases.json the tiny configs, logits.safetensors the logits of each. No
weights are written: both sides compute them from the names and places of the tensors (`numbers`).
"""

import argparse
import inspect
import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageClassification, AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, PretrainedConfig,
    T5EncoderModel,
)  # fmt: skip

TYPES = ["llama", "mistral", "qwen2", "qwen3", "gpt2", "t5", "mt5", "bert", "roberta", "xlm-roberta", "distilbert", "vit"]
COPIES = ["camembert", "data2vec-text", "ernie"]
CLASSES = {
    "CAUSAL_LM": AutoModelForCausalLM, "SEQ_2_SEQ_LM": AutoModelForSeq2SeqLM, "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification, "QUESTION_ANS": AutoModelForQuestionAnswering,
    "FEATURE_EXTRACTION": AutoModel, "IMAGE_CLS": AutoModelForImageClassification,
}  # fmt: skip
IDS = [5, 3, 17, 2, 9, 11, 4, 21, 8, 6]
LONG = [(7 * i + 3) % 23 for i in range(40)]

DECODER = {
    "vocab_size": 23, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 24, "rms_norm_eps": 1e-5,
}  # fmt: skip
ENCODER = {
    "vocab_size": 23, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 24, "layer_norm_eps": 1e-5,
}  # fmt: skip
T5 = {
    "vocab_size": 23, "d_model": 16, "d_kv": 6, "d_ff": 20, "num_layers": 2, "num_heads": 2,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16, "decoder_start_token_id": 0,
    "pad_token_id": 0, "eos_token_id": 6,
}  # fmt: skip
BASES = {
    **{kind: DECODER for kind in ["llama", "mistral", "qwen2", "qwen3"]},
    "qwen2": {**{k: v for k, v in DECODER.items() if k != "head_dim"}},
    "gpt2": {"vocab_size": 23, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24},
    "t5": T5,
    "mt5": T5,
    "bert": ENCODER,
    "ernie": ENCODER,
    **{kind: {**ENCODER, "pad_token_id": 1} for kind in ["roberta", "xlm-roberta", "camembert", "data2vec-text"]},
    "distilbert": {
        "vocab_size": 23, "dim": 16, "hidden_dim": 20, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 24,
    },
    "vit": {
        "image_size": 6, "patch_size": 3, "num_channels": 2, "hidden_size": 16, "intermediate_size": 20,
        "num_hidden_layers": 2, "num_attention_heads": 2,
    },
}  # fmt: skip

LM, S2S, SEQ, TOK, QA, FEAT, IMG = (
    "CAUSAL_LM", "SEQ_2_SEQ_LM", "SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "FEATURE_EXTRACTION", "IMAGE_CLS")  # fmt: skip
LABELS = {"id2label": {str(i): f"label {i}" for i in range(4)}}
PAIRS = 4  # of a head of width 8
YARN = {"rope_type": "yarn", "factor": 4.0}
LONGROPE = {
    "rope_type": "longrope", "short_factor": [1.0, 1.2, 1.5, 2.0], "long_factor": [1.0, 2.0, 5.0, 9.0],
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 2.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip


def rope(scaling, **others):
    return {"rope_theta": 20.0, "rope_scaling": scaling, **others}


# For each: the changes to the base, and whether rows are long.
ROPES = [
    (rope({"rope_type": "default"}), False),
    (rope({"type": "linear", "factor": 4.0}, max_position_embeddings=48), True),
    (rope({"rope_type": "dynamic", "factor": 2.0}), False),
    (rope({"rope_type": "dynamic", "factor": 2.0}), True),
    (rope({"type": "dynamic", "factor": 3.0}), True),
    (rope(YARN), False),
    (rope(YARN), True),
    (rope({**YARN, "original_max_position_embeddings": 12}), True),
    (rope({**YARN, "attention_factor": 1.3, "beta_fast": 8.0, "beta_slow": 0.5}), True),
    (rope({**YARN, "mscale": 0.7, "mscale_all_dim": 1.4}), True),
    (rope({**YARN, "mscale": 0.7}), True),
    (rope({**YARN, "truncate": False, "beta_fast": 3.0, "beta_slow": 0.8}), True),
    (rope({"type": "yarn", "factor": 0.5}, max_position_embeddings=48), True),
    (rope({**LONGROPE, "factor": 2.0}), False),
    (rope({**LONGROPE, "factor": 2.0}), True),
    (rope({**LONGROPE, "attention_factor": 1.2}, max_position_embeddings=48), True),
    (rope(LONGROPE, original_max_position_embeddings=12, max_position_embeddings=48), True),
    (rope({**LONGROPE, "attention_factor": 0.9}, original_max_position_embeddings=12, max_position_embeddings=48), False),
    (rope({**LONGROPE, "factor": 4.0}, original_max_position_embeddings=12, max_position_embeddings=8), True),
    (rope(LLAMA3, max_position_embeddings=48), True),
]

_FAMILY = [
    (LM, {"vocab_size": 29}), (LM, {"hidden_size": 24}), (LM, {"intermediate_size": 24}), (LM, {"num_hidden_layers": 1}),
    (LM, {"num_attention_heads": 2}), (LM, {"num_key_value_heads": 4}), (LM, {"num_key_value_heads": None}),
    (LM, {"rms_norm_eps": 0.1}), (LM, {"rope_theta": 50.0}), (LM, {"tie_word_embeddings": True}),
    *((LM, {"hidden_act": name}) for name in ["gelu", "gelu_new", "relu", "tanh", "swish"]),
    (SEQ, {**LABELS, "pad_token_id": 6}), (SEQ, {"num_labels": 3}), (SEQ, {"num_labels": 1, "pad_token_id": -1}),
    (TOK, {**LABELS}),
]  # fmt: skip
_QWEN = [
    (LM, {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1}),
    (LM, {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 28}),
    (LM, {"use_sliding_window": True, "sliding_window": None, "max_window_layers": 0}),
    (LM, {"use_sliding_window": False, "sliding_window": 3, "max_window_layers": 0}),
    (LM, {"use_sliding_window": True, "sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}),
    (LM, {"use_sliding_window": True, "sliding_window": 2, "layer_types": ["full_attention", "full_attention"]}),
]  # fmt: skip
_BERT = [
    (FEAT, {"vocab_size": 29}), (FEAT, {"hidden_size": 12}), (FEAT, {"intermediate_size": 24}),
    (FEAT, {"num_hidden_layers": 1}), (FEAT, {"num_attention_heads": 4}), (FEAT, {"layer_norm_eps": 0.1}),
    (FEAT, {"max_position_embeddings": 30}), (FEAT, {"type_vocab_size": 3}), (FEAT, {"is_decoder": True}),
    *((FEAT, {"hidden_act": name}) for name in ["gelu_new", "relu", "silu", "gelu_fast", "gelu_python"]),
    (SEQ, LABELS), (SEQ, {"num_labels": 3}), (TOK, LABELS), (QA, {}),
]  # fmt: skip
_T5 = [
    (S2S, {"vocab_size": 29}), (S2S, {"d_model": 12}), (S2S, {"d_kv": 8}), (S2S, {"d_ff": 24}), (S2S, {"num_layers": 1}),
    (S2S, {"num_decoder_layers": 1}), (S2S, {"num_heads": 3}), (S2S, {"relative_attention_num_buckets": 4}),
    (S2S, {"relative_attention_max_distance": 6}), (S2S, {"layer_norm_epsilon": 0.1}),
    (S2S, {"tie_word_embeddings": True}), (S2S, {"tie_word_embeddings": False}),
    (S2S, {"decoder_start_token_id": 3}),
    *((S2S, {"feed_forward_proj": name}) for name in ["relu", "gelu", "gated-gelu", "gated-silu", "gated-gelu_new", "gelu_new"]),
    (S2S, {"feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu"}), (S2S, {"is_gated_act": True}),
    (S2S, {"feed_forward_proj": "gated-relu", "is_gated_act": False}), (S2S, {"hidden_size": 12}), (S2S, {"head_dim": 8}),
    (SEQ, LABELS), (SEQ, {"num_labels": 3, "eos_token_id": 17}), (TOK, LABELS), (QA, {}),
]  # fmt: skip

VARIED = {
    "llama": [
        *_FAMILY, (LM, {"head_dim": 6}), (LM, {"head_dim": None}), (LM, {"attention_bias": True}), (LM, {"mlp_bias": True}),
        (LM, {"pretraining_tp": 2}), (QA, {}),
    ],
    "mistral": [
        *_FAMILY, (LM, {"head_dim": 6}), (LM, {"head_dim": None}), (LM, {"sliding_window": 3}), (LM, {"sliding_window": None}),
        (LM, {"attention_bias": True, "mlp_bias": True}),
    ],
    "qwen2": [*_FAMILY, *_QWEN, (LM, {"head_dim": 6}), (LM, {"attention_bias": True, "mlp_bias": True})],
    "qwen3": [*_FAMILY, *_QWEN, (LM, {"head_dim": 6}), (LM, {"attention_bias": True}), (LM, {"mlp_bias": True})],
    "gpt2": [
        (LM, {"vocab_size": 29}), (LM, {"n_embd": 12}), (LM, {"n_layer": 1}), (LM, {"n_head": 4}), (LM, {"n_positions": 30}),
        (LM, {"n_inner": 20}), (LM, {"layer_norm_epsilon": 0.1}), (LM, {"tie_word_embeddings": False}),
        (LM, {"scale_attn_weights": False}), (LM, {"scale_attn_by_inverse_layer_idx": True}),
        (LM, {"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True}), (LM, {"reorder_and_upcast_attn": True}),
        (LM, {"reorder_and_upcast_attn": True, "scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True}),
        (LM, {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 1, "max_position_embeddings": 31}),
        *((LM, {"activation_function": name}) for name in ["gelu", "relu", "silu", "tanh", "gelu_accurate"]),
        (SEQ, {**LABELS, "pad_token_id": 6}), (SEQ, {"num_labels": 3}), (TOK, LABELS), (QA, {}),
    ],
    "t5": _T5,
    "mt5": _T5,
    "bert": [*_BERT, (LM, {"is_decoder": True}), (LM, {"is_decoder": True, "tie_word_embeddings": False})],
    **{kind: [*_BERT, (FEAT, {"pad_token_id": 3})] for kind in ["roberta", "xlm-roberta"]},
    **{kind: [(FEAT, {}), (FEAT, {"hidden_act": "relu"}), (SEQ, LABELS), (TOK, LABELS), (QA, {})] for kind in COPIES},
    "distilbert": [
        (FEAT, {"vocab_size": 29}), (FEAT, {"dim": 12}), (FEAT, {"hidden_dim": 24}), (FEAT, {"n_layers": 1}),
        (FEAT, {"n_heads": 4}), (FEAT, {"max_position_embeddings": 30}), (FEAT, {"sinusoidal_pos_embds": True}),
        (FEAT, {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 1}),
        *((FEAT, {"activation": name}) for name in ["relu", "gelu_new", "silu"]),
        (SEQ, LABELS), (SEQ, {"num_labels": 3}), (TOK, LABELS), (QA, {}),
    ],
    "vit": [
        (FEAT, {"image_size": 9}), (FEAT, {"image_size": [6, 9], "patch_size": [2, 3]}), (FEAT, {"patch_size": 2}),
        (FEAT, {"num_channels": 1}), (FEAT, {"hidden_size": 12}), (FEAT, {"intermediate_size": 24}),
        (FEAT, {"num_hidden_layers": 1}), (FEAT, {"num_attention_heads": 4}), (FEAT, {"layer_norm_eps": 0.1}),
        (FEAT, {"qkv_bias": False}), (FEAT, {"pooler_output_size": 7}), (FEAT, {"pooler_act": "sigmoid"}),
        *((FEAT, {"hidden_act": name}) for name in ["relu", "gelu_new", "silu"]), (IMG, LABELS), (IMG, {"num_labels": 3}),
    ],
}  # fmt: skip


def fnv(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def numbers(name, count):
    """Numbers from -0.5 to 0.5 that depend on the name of a tensor and the place in it alone."""
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 + fnv(name)) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> np.uint64(shift))) * factor) & 0xFFFFFFFF
    return ((h ^ (h >> np.uint64(16))) / 2**32 - 0.5).astype(np.float32)


@torch.no_grad()
def fill(model):
    for name, parameter in model.named_parameters():
        values = torch.from_numpy(numbers(name, parameter.numel())).reshape(parameter.shape)
        parameter.copy_(values + 1 if parameter.ndim == 1 and "bias" not in name else values)


def model_of(kind, task, config):
    if task == "FEATURE_EXTRACTION" and kind == "t5":
        return T5EncoderModel(config)
    made = CLASSES[task]
    return made.from_config(config, attn_implementation="eager")


@torch.no_grad()
def outputs_of(kind, task, changes, sequences):
    config = AutoConfig.for_model(kind, **json.loads(json.dumps({**BASES[kind], **changes})))
    model = model_of(kind, task, config).eval()
    fill(model)
    rows = []
    for ids in sequences:
        if kind == "vit":
            size = config.image_size if isinstance(config.image_size, list) else [config.image_size] * 2
            shape = (1, config.num_channels, *size)
            given = {"pixel_values": torch.from_numpy(numbers("pixels", int(np.prod(shape)))).reshape(shape)}
        else:
            given = {"input_ids": torch.tensor([ids])}
        if task == "SEQ_2_SEQ_LM":
            labels = torch.tensor([ids[::-1]])
            given["decoder_input_ids"] = model._shift_right(labels)
        out = model(**given)
        if task == "FEATURE_EXTRACTION":
            rows.append(out.last_hidden_state[0])
            if getattr(out, "pooler_output", None) is not None:
                rows.append(out.pooler_output)
        elif task == "QUESTION_ANS":
            rows.append(torch.stack([out.start_logits, out.end_logits], -1)[0])
        else:
            rows.append(out.logits.reshape(-1, out.logits.shape[-1]))
    # A few rows say all.
    return torch.cat([row[-4:].reshape(-1) for row in rows]).float()


def padded(kind, changes, sequences):
    """Classes of a batch whose rows are padded on the right with the padding token."""
    config = AutoConfig.for_model(kind, **{**BASES[kind], **changes})
    model = model_of(kind, "SEQ_CLS", config).eval()
    fill(model)
    longest = max(map(len, sequences))
    ids = torch.tensor([row + [config.pad_token_id] * (longest - len(row)) for row in sequences])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in sequences])
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).logits.reshape(-1).float()


def class_keys():
    common = PretrainedConfig().to_dict()
    kinds = {"common": {"keys": common, "alsoCalled": {}}}
    for kind in TYPES + COPIES:
        made = AutoConfig.for_model(kind)
        named = {
            name: parameter.default
            for name, parameter in inspect.signature(type(made).__init__).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name != "self"
        }
        own = {key: value for key, value in made.to_dict().items() if key not in common or common[key] != value}
        if "layer_types" in own:  # one for each layer, made from other keys
            own["layer_types"] = None
        del own["model_type"]
        kinds[kind] = {"keys": {**named, **own}, "alsoCalled": made.attribute_map}
    kinds["common"]["keys"].update(num_labels=2, transformers_version=None)
    return kinds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "golden" / "model-configs")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    cases, tensors = [], {}

    def add(kind, task, changes, sequences, values, base=None):
        same = None if base is None or base.shape != values.shape else bool(torch.equal(base, values))
        name = str(len(cases))
        tensors[name] = values
        cases.append({"type": kind, "task": task, "changes": changes, "sequences": sequences, "same": same})

    for kind in TYPES + COPIES:
        varied = list(VARIED[kind])
        long = [(LM, changes, [LONG if is_long else IDS]) for changes, is_long in ROPES]
        all_of = [(task, changes, [IDS]) for task, changes in varied] + (long if BASES[kind].get("num_key_value_heads") else [])
        bases = {}
        for task, changes, sequences in all_of:
            if kind == "qwen2" and "rope_scaling" in changes:
                changes = {**changes, "head_dim": 8}
            key = (task, len(sequences[0]))
            if key not in bases:
                plain = {"is_decoder": True} if kind == "bert" and task == LM else {}
                bases[key] = outputs_of(kind, task, plain, sequences)
            add(kind, task, changes, sequences, outputs_of(kind, task, changes, sequences), bases[key])
    # Classes of rows that end with the token that pads: text, and a batch.
    for kind in ["llama", "qwen3", "gpt2"]:
        changes = {"pad_token_id": 6, "eos_token_id": 6, "num_labels": 3}
        sequences = [IDS, [5, 3, 6, 6], [6, 6], [7, 6, 4], [9]]
        add(kind, SEQ, changes, sequences, padded(kind, changes, sequences))
    (folder / "bases.json").write_text(json.dumps(BASES, indent=0) + "\n")
    (folder / "classes.json").write_text(json.dumps(class_keys(), indent=0) + "\n")
    (folder / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    save_file(tensors, folder / "logits.safetensors")
    same = [f"{case['type']} {case['changes']}" for case in cases if case["same"]]
    print(f"{len(cases)} cases; without effect: {same}")


if __name__ == "__main__":
    main()
