"""Goldens of generation_config.json: what `generate` of transformers writes under each of its settings, and what its filters keep.

    cd test/golden && ../../venv/bin/python ../parity/generation_config.py

reads generation/<model>/ below the current folder and writes generation-config/<model>/case.json and
generation-config/filters/case.json. make_goldens.py runs it too.
"""

import json
import random
import sys
from pathlib import Path

import torch
from transformers import GenerationConfig

from generation import TASKS, VOCAB, nudged
from tiny_models import load_model, seeded

NEW = 10
CANDIDATES = 40
MODELS = ["llama", "t5"]
BEAMS = {"num_beams": 3, "early_stopping": True}
END = 2


def settings_for(plain, encoder_decoder, beams):
    """Settings by name, made to change what `plain`, the ids without them, would be.

    Two of them are for greedy writing only: transformers applies `encoder_repetition_penalty` to the first beam alone, and several
    forced tokens tie, which top-k settles as it likes.
    """
    first, second, third = plain[:3]
    begin = 1 if encoder_decoder else 4
    greedy = {
        "encoder_repetition_penalty": {"encoder_repetition_penalty": 2.5},
        "forced_eos_token_id of two": {"forced_eos_token_id": [9, 5]},
    }
    return {
        **({} if beams else greedy),
        "repetition_penalty": {"repetition_penalty": 1.8},
        "repetition_penalty below 1": {"repetition_penalty": 0.6},
        "no_repeat_ngram_size": {"no_repeat_ngram_size": 2},
        "no_repeat_ngram_size 1": {"no_repeat_ngram_size": 1},
        "encoder_no_repeat_ngram_size": {"encoder_no_repeat_ngram_size": 1},
        "bad_words_ids": {"bad_words_ids": [[first, second], [third], [END]]},
        "sequence_bias": {"sequence_bias": [[[first], -3.0], [[second, third], 4.5]]},
        "suppress_tokens": {"suppress_tokens": [second, third]},
        "begin_suppress_tokens": {"begin_suppress_tokens": [first]},
        "begin_suppress_tokens after a forced one": {"begin_suppress_tokens": [second], "forced_bos_token_id": first},
        "forced_bos_token_id": {"forced_bos_token_id": 7},
        "forced_eos_token_id": {"forced_eos_token_id": 9},
        "min_length": {"min_length": begin + 6, "eos_token_id": [second, third]},
        "min_new_tokens": {"min_new_tokens": 4, "eos_token_id": third},
        "eos_token_id": {"eos_token_id": [first + 1 if first + 1 < VOCAB else 3, third]},
        "max_length": {"max_length": begin + 3, "max_new_tokens": None},
        "max_length 20": {"max_length": 20, "max_new_tokens": None},
        "exponential_decay_length_penalty": {"exponential_decay_length_penalty": [1, 1.6]},
        "renormalize_logits": {"renormalize_logits": True, "repetition_penalty": 1.8},
        "temperature without sampling": {"temperature": 0.3, "top_p": 0.5, "repetition_penalty": 1.8},
        "many": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "min_new_tokens": 6, "suppress_tokens": [third]},
    }


@torch.no_grad()
def written(model, source, config):
    """The new ids of one source under a generation_config.json, the end token included."""
    model.generation_config = GenerationConfig(**config)
    given = torch.tensor([source])
    out = model.generate(input_ids=given, attention_mask=torch.ones_like(given), tokenizer=None)
    ids = out[0, 1 if model.config.is_encoder_decoder else len(source) :].tolist()
    ends = [config["eos_token_id"]] if isinstance(config["eos_token_id"], int) else config["eos_token_id"]
    stop = next((i for i, id in enumerate(ids) if id in ends), None)
    return ids if stop is None else ids[: stop + 1]


def completed(config, model):
    """A whole file: with what every model of these needs."""
    needed = {"max_new_tokens": NEW, "eos_token_id": END, "pad_token_id": 0}
    if model.config.is_encoder_decoder:
        needed["decoder_start_token_id"] = model.config.decoder_start_token_id
    return {key: value for key, value in {**needed, **config}.items() if value is not None}


def make_case(model_type, seed):
    model = load_model(f"generation/{model_type}", TASKS[model_type], model_type)
    others = [nudged(model, f"{seed}/config/{i}") for i in range(2)]
    encoder_decoder = model.config.is_encoder_decoder
    rng = random.Random(f"{seed}/generation-config/{model_type}")
    plain_config = completed({}, model)
    sources = [[rng.randrange(3, VOCAB) for _ in range(rng.randrange(3, 6))] for _ in range(CANDIDATES)]
    if not encoder_decoder:
        sources = [[rng.randrange(3, VOCAB)] if i % 3 == 0 else source for i, source in enumerate(sources)]
    runs, silent = [], []
    for ways in ({}, BEAMS):
        plains = [written(model, source, {**plain_config, **ways}) for source in sources]
        # transformers refuses a sequence_bias on token 0
        sources_of = [(source, plain) for source, plain in zip(sources, plains) if len(plain) > 3 and 0 not in plain[:3]]
        names = list(settings_for([3, 4, 5], encoder_decoder, ways))
        for name in names:
            kept = 0
            for source, plain in sources_of:
                config = completed({**settings_for(plain, encoder_decoder, ways)[name], **ways}, model)
                if "max_length" in config and config["max_length"] <= (1 if encoder_decoder else len(source)):
                    continue
                ids = written(model, source, config)
                if ids == plain and kept > 0 or any(written(other, source, config) != ids for other in others):
                    continue
                kept += ids != plain
                runs.append({"name": name, "config": config, "source": source, "ids": ids})
                if kept == 2:
                    break
            silent += [] if kept else [name]
    print(f"{model_type}: {len(runs)} runs; settings that change nothing: {silent or 'none'}")
    return {"model": f"generation/{model_type}", "task": TASKS[model_type], "runs": runs}


FILTERS = [
    {"temperature": 0.7},
    {"top_k": 5},
    {"top_k": 0},
    {},
    {"top_p": 0.8},
    {"top_p": 0.05},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"typical_p": 0.6},
    {"typical_p": 0.05},
    {"epsilon_cutoff": 0.03},
    {"epsilon_cutoff": 0.9},
    {"eta_cutoff": 0.05},
    {"eta_cutoff": 0.9},
    {"temperature": 1.7, "top_k": 15, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9, "epsilon_cutoff": 0.01, "eta_cutoff": 0.02},
]


@torch.no_grad()
def make_filters(seed):
    """Scores [60] of a wide and a narrow distribution, and what each setting makes of them; null is -Infinity."""
    model = load_model("generation/llama", "CAUSAL_LM", "llama")
    cases = []
    for i, options in enumerate(FILTERS):
        scores = torch.randn(1, 60, generator=seeded(seed, f"filters/{i}")) * (3 if i % 2 else 1.2)
        config = GenerationConfig(do_sample=True, **options)
        config._eos_token_tensor = torch.tensor([END])
        processors = model._get_logits_processor(config, 1)
        made = processors(torch.tensor([[1]]), scores.clone())[0].tolist()
        kept = [None if value == float("-inf") else value for value in made]
        cases.append({"config": {"do_sample": True, **options}, "scores": scores[0].tolist(), "kept": kept})
    return {"cases": cases}


def make_generation_config(seed):
    for name in [*MODELS, "filters"]:
        folder = Path("generation-config") / name
        folder.mkdir(parents=True, exist_ok=True)
        case = make_filters(seed) if name == "filters" else make_case(name, seed)
        (folder / "case.json").write_text(json.dumps(case) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make_generation_config(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
