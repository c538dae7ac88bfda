"""Goldens of what `generate` of transformers returns besides one text: several texts of beam search, and scores of tokens.

    cd test/golden && ../../venv/bin/python ../parity/generation_scores.py

reads generation/<model>/ below the current folder and writes generation-scores/<model>/case.json. make_goldens.py runs it too.
"""

import json
import random
import sys
from pathlib import Path

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from generation import TASKS, VOCAB, nudged
from tiny_models import load_model

NEW = 9
SOURCES = 3
MODELS = ["llama", "t5"]
RUNS = {
    "greedy": {"num_beams": 1},
    "greedy, processed": {"num_beams": 1, "repetition_penalty": 1.7, "own": True},
    "three of three beams": {"num_beams": 3, "num_return_sequences": 3},
    "two of four beams, processed": {
        **{"num_beams": 4, "num_return_sequences": 2, "early_stopping": True, "length_penalty": 0.5},
        **{"repetition_penalty": 1.4, "own": True},
    },
}


class Own(LogitsProcessor):
    """What the test does too: even ids lose 1.5 after an odd number of tokens, and id 5 is multiplied by 0.5."""

    def __call__(self, input_ids, scores):
        scores = scores.clone()
        if input_ids.shape[1] % 2 == 1:
            scores[:, ::2] -= 1.5
        scores[:, 5] *= 0.5
        return scores


@torch.no_grad()
def written(model, source, options):
    """Every text with its score and the log-probability of each token, raw and processed."""
    options = dict(options)
    own = LogitsProcessorList([Own()] if options.pop("own", False) else [])
    given = torch.tensor([source])
    out = model.generate(
        input_ids=given, attention_mask=torch.ones_like(given), max_new_tokens=NEW, do_sample=False, logits_processor=own,
        return_dict_in_generate=True, output_scores=True, output_logits=True, **options,
    )  # fmt: skip
    skip = 1 if model.config.is_encoder_decoder else len(source)
    beams = getattr(out, "beam_indices", None)
    processed = model.compute_transition_scores(out.sequences, out.scores, beams, normalize_logits=beams is None)
    texts = []
    for i, ids in enumerate(out.sequences[:, skip:].tolist()):
        end = model.config.eos_token_id
        ids = ids[: ids.index(end) + 1] if end in ids else ids
        row = [i if beams is None else beams[i, t].item() for t in range(len(ids))]
        raw = [torch.log_softmax(out.logits[t][row[t]].float(), -1)[id].item() for t, id in enumerate(ids)]
        text = {"ids": ids, "raw": raw, "processed": processed[i, : len(ids)].tolist()}
        texts.append(text if beams is None else {**text, "score": out.sequences_scores[i].item()})
    return texts


def ids_of(texts):
    return [text["ids"] for text in texts]


def make_case(model_type, seed):
    model = load_model(f"generation/{model_type}", TASKS[model_type], model_type)
    others = [nudged(model, f"{seed}/scores/{i}") for i in range(2)]
    rng = random.Random(f"{seed}/generation-scores/{model_type}")
    sources, runs = [], {name: [] for name in RUNS}
    while len(sources) < SOURCES:
        source = [rng.randrange(3, VOCAB) for _ in range(2 + 2 * len(sources))]
        made = {name: written(model, source, options) for name, options in RUNS.items()}
        if any(ids_of(written(other, source, RUNS[name])) != ids_of(made[name]) for other in others for name in RUNS):
            continue
        sources.append(source)
        for name in RUNS:
            runs[name].append(made[name])
    rows = [{"name": name, "options": options, "results": runs[name]} for name, options in RUNS.items()]
    return {"model": f"generation/{model_type}", "task": TASKS[model_type], "sources": sources, "runs": rows}


def make_generation_scores(seed):
    for name in MODELS:
        folder = Path("generation-scores") / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "case.json").write_text(json.dumps(make_case(name, seed)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make_generation_scores(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
