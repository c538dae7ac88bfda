#!/usr/bin/env python
"""The reference for runs of the command line: what a user gets from torch, transformers and PEFT by doing the same.

    python end_to_end.py prepare GOLDEN OUT [--seed N] [--pretrained DIR --text FILE]
    python end_to_end.py compare OUT

`prepare` writes OUT/models/<name> and, for each case, OUT/cases/<case>/ with
  init/       a random adapter, written by PEFT
  rows.jsonl  training data
  case.json   model, build, data options, training options, and texts to be continued
The caller runs `lorikeet` with these and leaves, in the same folder, what `compare` reads:
  run/        of train        logits.safetensors   of predict        eval.json   of eval --json
  merged/     of merge        generated.json       of generate --json, one object for each text
`compare` repeats everything and prints one JSON object a line: case, passed, and the errors as shares of what is allowed.
"""

import argparse
import json
import os
import random
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel
from safetensors.torch import load_file
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup
from transformers.utils import logging

from make_goldens import adapted, by_key, save_adapter, write_json
from tiny_models import VOCAB, load_model
from training import IGNORED, logits_of, padded, unsettled

ABSOLUTE, RELATIVE = 1e-4, 2e-4  # of a logit
LOSS = 1e-4  # of a loss or a gradient's norm, relative
TRAVEL = 0.02  # of the distance that a tensor travels
SCHEDULES = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}
PRETRAINED = "pretrained"

_TRAIN = {
    "steps": 6, "batch-size": 2, "grad-accum": 2, "learning-rate": 2e-3, "lr-scheduler": "linear", "warmup-steps": 2,
    "weight-decay": 0.1, "max-grad-norm": 0.5,
}  # fmt: skip
_LORA = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 10, "lora_dropout": 0.1}  # which --dropout 0 overrides


def _case(model, build, train, **options):
    return {"model": model, "build": build, "train": {**_TRAIN, **train}, "options": {**_LORA, **options}}


CASES = {
    "llama": _case("llama-bias", "baseline", {"weight-decay": 0.5}, target_modules="all-linear", bias="all"),
    "gpt2": _case(
        "gpt2", "relaxed", {"lr-scheduler": "cosine"}, use_dora=True, fan_in_fan_out=True,
        target_modules=["c_attn", "c_proj", "c_fc"],
    ),
    "qwen2": _case("qwen2", "baseline", {"weight-decay": 0.5}, use_rslora=True, modules_to_save=["norm"]),
    "mistral": _case(
        "mistral", "relaxed", {"lr-scheduler": "cosine", "max-grad-norm": 0}, use_dora=True,
        target_modules=["embed_tokens", "q_proj", "v_proj", "down_proj"],
    ),
    "qwen3": _case(
        "qwen3", "relaxed", {}, target_modules="all-linear", rank_pattern={"down_proj": 2},
        alpha_pattern={"q_proj": 5}, exclude_modules=["layers.0.mlp.up_proj"],
    ),
    # A random adapter at full strength makes nonsense of a trained model, so sensitive that torch in float32 is twice the
    # allowance away from torch in float64. At an eighth it is still a model.
    "pretrained": _case(PRETRAINED, "baseline", {"steps": 4}, r=8, lora_alpha=2, target_modules="all-linear"),
}  # fmt: skip


# ---- prepare


def write_tokenizer(folder):
    """One token for each visible ASCII character, after three special ones: 97 in all."""
    special = ["<unk>", "<s>", "</s>"]
    vocabulary = {token: i for i, token in enumerate([*special, *map(chr, range(33, 127))])}
    assert len(vocabulary) == VOCAB
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    write_json(folder / "tokenizer_config.json", names)


def random_rows(rng, count=10):
    """Rows of token ids; every third has labels, of which the first two are unlabelled."""
    rows = []
    for i in range(count):
        ids = [rng.randrange(3, VOCAB) for _ in range(rng.randrange(3, 17))]
        labels = [IGNORED, IGNORED, *ids[2:]]
        rows.append({"input_ids": ids, "labels": labels} if i % 3 == 0 else {"input_ids": ids})
    return rows


def prepare_case(name, case, rng, seed, text):
    folder = Path("cases") / name
    folder.mkdir(parents=True)
    save_adapter(adapted(case, seed)[0], folder / "init")
    if case["model"] == PRETRAINED:
        rows, data, texts = text.read_text(encoding="utf-8").splitlines()[:14], {"max-length": 96}, ["", "Once upon"]
    else:
        rows, data = map(json.dumps, random_rows(rng)), {}
        texts = ["".join(chr(rng.randrange(33, 127)) for _ in range(5)) for _ in range(2)]
    (folder / "rows.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    generate = [{"prompt": prompt, "max-new-tokens": 40, "adapter": True} for prompt in texts]
    if case["model"] == PRETRAINED:
        generate.append({"prompt": "", "max-new-tokens": 200, "adapter": False})
    write_json(folder / "case.json", {**case, "data": data, "generate": generate})


def prepare(arguments):
    golden, pretrained, text = (path and path.resolve() for path in (arguments.golden, arguments.pretrained, arguments.text))
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.out)
    rng = random.Random(arguments.seed)
    for name, case in CASES.items():
        model = Path("models") / case["model"]
        if case["model"] == PRETRAINED:
            if pretrained is None:
                continue
            shutil.copytree(pretrained, model)
        else:
            shutil.copytree(golden / model, model)
            write_tokenizer(model)
        prepare_case(name, case, rng, arguments.seed, text)


# ---- what the command line computed, done again


def read_rows(folder, case):
    """The examples of rows.jsonl: {"sequences", "labels"}."""
    tokenizer = AutoTokenizer.from_pretrained(f"models/{case['model']}")
    rows = {"sequences": [], "labels": []}
    for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        ids = row["input_ids"] if "input_ids" in row else [*tokenizer(row["text"])["input_ids"], tokenizer.eos_token_id]
        length = case["data"].get("max-length", len(ids))
        rows["sequences"].append(ids[:length])
        rows["labels"].append(row.get("labels", ids)[:length])
    return rows


def some(rows, start, end):
    return {key: values[start:end] for key, values in rows.items()}


def micro_batches(rows, train):
    """For each optimiser step its batches: rows in order, and no step reaches over the end of an epoch."""
    size, count = train["batch-size"], len(rows["sequences"])
    batches = [some(rows, at, at + size) for at in range(0, count, size)]
    epoch = [batches[at : at + train["grad-accum"]] for at in range(0, len(batches), train["grad-accum"])]
    return [epoch[step % len(epoch)] for step in range(train["steps"])]


def label_count(batch):
    return sum(label != IGNORED for row in batch["labels"] for label in row[1:])


def adapter_on(case, folder, trainable=False):
    return PeftModel.from_pretrained(load_model(f"models/{case['model']}"), folder, is_trainable=trainable).eval()


def train(folder, case, order):
    """(metrics of each step, tensors before, tensors after). `order` is 1, or -1 to add up each batch backwards."""
    options = case["train"]
    model = adapter_on(case, folder / "init", trainable=True)
    named = by_key(model)
    start = {name: p.detach().clone() for name, p in named.items()}
    parameters = list(named.values())
    optimizer = torch.optim.AdamW(parameters, lr=options["learning-rate"], weight_decay=options["weight-decay"])
    schedule = SCHEDULES[options["lr-scheduler"]](optimizer, options["warmup-steps"], options["steps"])
    metrics = []
    for batches in micro_batches(read_rows(folder, case), options):
        labels = torch.tensor(sum(map(label_count, batches)))
        total = 0.0
        for batch in batches:
            batch = {key: values[::order] for key, values in batch.items()}
            loss = model(**padded(batch), num_items_in_batch=labels).loss
            loss.backward()
            total += loss.item()
        limit = options["max-grad-norm"] or torch.inf
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit).item()
        metrics.append({"loss": total, "grad_norm": norm, "learning_rate": schedule.get_last_lr()[0]})
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return metrics, start, {name: p.detach().clone() for name, p in named.items()}


def logit_share(ours, theirs):
    """The largest difference as a share of what is allowed; more than any when shapes differ."""
    if ours.shape != theirs.shape:
        return torch.inf
    return ((ours - theirs).abs() / (ABSOLUTE + RELATIVE * theirs.abs())).max().item()


def check_train(folder, case):
    metrics, start, end = train(folder, case, 1)
    _, _, other = train(folder, case, -1)
    logged = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    ours = [entry for entry in logged if "loss" in entry]
    assert len(ours) == len(metrics), f"{len(ours)} steps were logged, expected {len(metrics)}"
    worst = {key: max(abs(o[key] - t[key]) / (t[key] or 1) for o, t in zip(ours, metrics)) for key in metrics[0]}
    adapter = load_file(folder / "run/adapter/adapter_model.safetensors")
    assert adapter.keys() >= end.keys(), f"not saved: {sorted(end.keys() - adapter.keys())}"
    settled = end.keys() - set(unsettled(start, end, other))
    travel = max(((adapter[n] - end[n]).norm() / (end[n] - start[n]).norm()).item() for n in settled)
    numbers = ", ".join(f"{key} {error:.1e}" for key, error in worst.items())
    return {"travel": travel, "passed": travel <= TRAVEL and max(worst.values()) <= LOSS, "note": numbers}


def check_predict(folder, case):
    model, rows = adapter_on(case, folder / "run/adapter"), read_rows(folder, case)
    theirs = logits_of(model, rows)
    ours = load_file(folder / "logits.safetensors")
    assert ours.keys() == set(map(str, range(len(rows["sequences"])))), f"tensors are {sorted(ours)}"
    share = logit_share(torch.cat([ours[str(row)] for row in range(len(ours))]), theirs)
    return {"logits": share, "passed": share <= 1, "note": f"{len(ours)} rows"}


@torch.no_grad()
def check_eval(folder, case):
    model, rows = adapter_on(case, folder / "run/adapter"), read_rows(folder, case)
    loss, tokens = model(**padded(rows)).loss.item(), label_count(rows)
    ours = json.loads((folder / "eval.json").read_text())
    error = abs(ours["loss"] - loss) / loss
    return {"passed": error <= LOSS and ours["tokens"] == tokens, "note": f"loss {error:.1e}, {tokens} label tokens"}


def check_merge(folder, case):
    rows = read_rows(folder, case)
    merged = load_model(str(folder / "merged"))
    theirs = adapter_on(case, folder / "run/adapter").merge_and_unload()
    share = logit_share(logits_of(merged, rows), logits_of(theirs, rows))
    return {"logits": share, "passed": share <= 1, "note": "against merge_and_unload"}


@torch.no_grad()
def continued(model, tokenizer, prompt, count):
    """transformers' greedy continuation, as token numbers."""
    prompt = tokenizer(prompt)["input_ids"] if prompt else [tokenizer.bos_token_id]
    ids = torch.tensor([prompt])
    end = tokenizer.eos_token_id
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
        eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    return out[0, len(prompt) :].tolist()


def check_generate(folder, case):
    tokenizer = AutoTokenizer.from_pretrained(f"models/{case['model']}")
    ours = json.loads((folder / "generated.json").read_text())
    different, count = [], 0
    for text, made in zip(case["generate"], ours, strict=True):
        model = adapter_on(case, folder / "run/adapter") if text["adapter"] else load_model(f"models/{case['model']}")
        theirs = continued(model, tokenizer, text["prompt"], text["max-new-tokens"])
        count += len(theirs)
        if made["tokens"] != theirs:
            different.append(f"after {text['prompt']!r}: {made['tokens']}, expected {theirs}")
    return {"passed": not different, "note": "; ".join(different) or f"{count} greedy tokens equal"}


CHECKS = {
    "train": check_train, "predict": check_predict, "eval": check_eval, "merge": check_merge, "generate": check_generate,
}  # fmt: skip


def compare(arguments):
    os.chdir(arguments.out)
    for folder in sorted(Path("cases").iterdir()):
        case = json.loads((folder / "case.json").read_text())
        for command, check in CHECKS.items():
            try:
                found = check(folder, case)
            except Exception as error:  # what is wrong with one command says nothing about the next
                found = {"passed": False, "note": f"{type(error).__name__}: {error}"}
            print(json.dumps({"case": f"{command}: {folder.name} ({case['build']})", **found}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("prepare")
    verb.add_argument("golden", type=Path)
    verb.add_argument("out", type=Path)
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--pretrained", type=Path)
    verb.add_argument("--text", type=Path)
    verb.set_defaults(run=prepare)
    verb = verbs.add_parser("compare")
    verb.add_argument("out", type=Path)
    verb.set_defaults(run=compare)
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
