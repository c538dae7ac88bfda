"""Goldens of text generation: what `generate` of transformers writes, greedy and by beams, with and without PEFT."""

import copy
import json
import random
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model

from tiny_models import SMALL, load_model, save_as, seeded

VOCAB = 23  # so small that sequences end by themselves
SOURCES = 3
CANDIDATES = 12
NUDGE = 1e-4
NEW = {"max_new_tokens": 12, "do_sample": False}
OPTIONS = {
    "greedy": {"num_beams": 1},
    "beam": {"num_beams": 3, "length_penalty": 1.0, "early_stopping": False},
    "beam-short": {"num_beams": 3, "length_penalty": 0.6, "early_stopping": False},
    "beam-early": {"num_beams": 3, "length_penalty": 1.0, "early_stopping": True},
}
TASKS = {"t5": "SEQ_2_SEQ_LM", "mt5": "SEQ_2_SEQ_LM", "gpt2": "CAUSAL_LM", "llama": "CAUSAL_LM"}
CHANGES = {"mt5": {"num_heads": 2}, "gpt2": {"n_positions": 32}}  # PEFT's prefixes need heads x d_kv to be d_model
ADAPTERS = {
    "mt5-prompt-tuning": ("mt5", PromptTuningConfig, {"num_virtual_tokens": 4}),
    "mt5-prefix-tuning": ("mt5", PrefixTuningConfig, {"num_virtual_tokens": 3}),
    "mt5-lora": ("mt5", LoraConfig, {"r": 2, "lora_alpha": 5}),
}


@torch.no_grad()
def continued(model, source, options):
    """{ids, score} of one source alone: the new tokens, the end token included, and the score of the best beam."""
    given = torch.tensor([source])
    out = model.generate(
        input_ids=given, attention_mask=torch.ones_like(given), return_dict_in_generate=True, output_scores=True,
        **NEW, **options,
    )  # fmt: skip
    skip = 1 if model.config.is_encoder_decoder else len(source)
    ids = out.sequences[0, skip:].tolist()
    end = model.config.eos_token_id
    ids = ids[: ids.index(end) + 1] if end in ids else ids
    return {"ids": ids, "score": out.sequences_scores[0].item()} if options["num_beams"] > 1 else {"ids": ids}


@torch.no_grad()
def nudged(model, seed):
    """A copy with every weight changed by about NUDGE, a hundred times what rounding does."""
    other = copy.deepcopy(model)
    for name, parameter in other.named_parameters():
        parameter.mul_(1 + NUDGE * torch.randn(parameter.shape, generator=seeded(seed, name)))
    return other


def results(model, sources, names):
    """What each way of decoding makes of each source."""
    rows = []
    for name in names:
        made = [continued(model, source, OPTIONS[name]) for source in sources]
        rows.append({"name": name, "options": {**NEW, **OPTIONS[name]}, "results": made})
    return rows


def traits(runs, end):
    """What a source shows: pairs of options with different results, and whether a sequence ended by itself."""
    differing = {(a, b) for a in runs for b in runs if a < b and runs[a] != runs[b]}
    return differing | {("ends", name) for name in runs if runs[name][-1] == end}


def choose(model, names, seed, key):
    """Three sources without near ties, found among a few: those that show the most."""
    rng = random.Random(f"{seed}/generation/{key}")

    def runs_of(model, source):
        return {name: continued(model, source, OPTIONS[name])["ids"] for name in names}

    rest = []
    for _ in range(CANDIDATES):
        source = [rng.randrange(3, VOCAB) for _ in range(rng.randrange(3, 8))]
        runs = runs_of(model, source)
        rest.append((source, runs, traits(runs, model.config.eos_token_id)))
    others = [nudged(model, f"{seed}/{i}") for i in range(2)]
    chosen, shown = [], set()

    def tells(candidate):
        _, runs, shows = candidate
        return len(shows - shown), len({token for ids in runs.values() for token in ids})

    while len(chosen) < SOURCES:
        best = max(rest, key=tells)
        rest.remove(best)
        source, runs, shows = best
        if all(runs_of(other, source) == runs for other in others):
            chosen.append(source)
            shown |= shows
    return chosen


def write_case(folder, case):
    (folder / "case.json").write_text(json.dumps(case) + "\n", encoding="utf-8")


def make_plain(model_type, task, seed):
    folder = Path("generation") / model_type
    save_as(SMALL[model_type](vocab_size=VOCAB, **CHANGES.get(model_type, {})), task, folder, seed)
    model = load_model(folder, task, model_type)
    sources = choose(model, list(OPTIONS), seed, model_type)
    runs = results(model, sources, list(OPTIONS))
    write_case(folder, {"model_type": model_type, "task": task, "sources": sources, "runs": runs})


def save_adapter(folder, model, config_class, options, seed):
    torch.manual_seed(seed)
    base = load_model(f"generation/{model}", TASKS[model], model)
    adapted = get_peft_model(base, config_class(task_type=TASKS[model], **options))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=seeded(seed, name)))
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()


def count_positions_after_prefix(model):
    """Makes `generate` number the decoder's tokens as the forward pass does: behind the virtual ones, not from 0.

    The positions that `generate` passes hide most of a prefix from T5 (README.md).
    """
    decoder = model.get_base_model().get_decoder()
    return decoder.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {**kwargs, "cache_position": None}), with_kwargs=True
    )


@torch.no_grad()
def forward_greedy(model, source):
    """Greedy continuation without `generate` and without a cache."""
    ids, start, end = [], model.config.decoder_start_token_id, model.config.eos_token_id
    given = torch.tensor([source])
    while len(ids) < NEW["max_new_tokens"] and ids[-1:] != [end]:
        decoder = torch.tensor([[start, *ids]])
        out = model(input_ids=given, attention_mask=torch.ones_like(given), decoder_input_ids=decoder)
        ids.append(out.logits[0, -1].argmax().item())
    return ids


def make_adapted(name, model_type, config_class, options, seed):
    folder, task, names = Path("generation") / name, TASKS[model_type], ["greedy", "beam"]
    save_adapter(folder, model_type, config_class, options, seed)
    model = PeftModel.from_pretrained(load_model(f"generation/{model_type}", task, model_type), folder).eval()
    hook = count_positions_after_prefix(model) if config_class is PrefixTuningConfig else None
    sources = choose(model, names, seed, name)
    runs = results(model, sources, names)
    greedy = [forward_greedy(model, source) for source in sources]
    assert greedy == [result["ids"] for result in runs[0]["results"]], f"{name}: generate and forward differ"
    case = {"model": f"generation/{model_type}", "task": task, "options": options, "sources": sources, "runs": runs}
    if hook:
        hook.remove()
        case["as_published"] = results(model, sources, names)
    write_case(folder, case)


def make_generation(seed):
    """Writes generation/<model>/ and generation/<model>-<method>/ below the current folder."""
    for model_type, task in TASKS.items():
        make_plain(model_type, task, seed)
    for name, (model_type, config_class, options) in ADAPTERS.items():
        make_adapted(name, model_type, config_class, options, seed)
