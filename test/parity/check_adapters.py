#!/usr/bin/env python
"""Loads adapters written by Lorikeet with transformers and PEFT, and compares.

    python check_adapters.py DIR...

Each DIR holds model/ and adapter/ (folders as Hugging Face lays them out), expected.safetensors with our "logits"
[tokens, vocabulary], and case.json with "sequences". A folder passes when
  - loading, running and saving it again gives no warning from Python, transformers or PEFT,
  - every logit is within 1e-4 + 2e-4·|value| of ours,
  - PEFT, saving what it loaded, writes the same bytes of adapter_model.safetensors and an equal adapter_config.json.
Prints one row a folder and exits with 1 if any fails.
"""

import json
import logging
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file

from tiny_models import load_model
from training import logits_of

ABSOLUTE, RELATIVE = 1e-4, 2e-4
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"

# PEFT says these of every adapter of the kind, its own included.
SAID_OF_GOOD_ADAPTERS = (
    "Setting `save_embedding_layers` to `True` as embedding layers found in `target_modules`",
    "Model has `tie_word_embeddings=True` and a tied layer is part of the adapter",
)


class Complaint(Exception):
    """Something that must not happen to an adapter of ours."""


class RaiseOnWarning(logging.Handler):
    """Turns a logged warning into an exception."""

    def emit(self, record):
        raise Complaint(f"{record.name} warned: {record.getMessage()}")


def be_strict():
    """From here on every warning is an error."""
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("error")
    for message in SAID_OF_GOOD_ADAPTERS:
        warnings.filterwarnings("ignore", message=message)
    handler = RaiseOnWarning(level=logging.WARNING)
    for name in (None, "transformers", "peft"):
        logging.getLogger(name).addHandler(handler)


def check_logits(model, folder):
    """Largest difference from our logits, as a fraction of what is allowed."""
    ours = load_file(folder / "expected.safetensors")["logits"]
    sequences = json.loads((folder / "case.json").read_text())["sequences"]
    # One sequence at a time: without padding, whatever the order and lengths.
    theirs = torch.cat([logits_of(model, {"sequences": [ids], "labels": [ids]}) for ids in sequences])
    if ours.shape != theirs.shape:
        raise Complaint(f"logits have shape {list(ours.shape)}, expected {list(theirs.shape)}")
    used = (ours - theirs).abs() / (ABSOLUTE + RELATIVE * theirs.abs())
    worst = used.max().item()
    if not worst <= 1:  # also when not a number
        row, column = divmod(int(used.nan_to_num(torch.inf).argmax()), used.shape[1])
        pair = f"{ours[row, column].item():.6g}, expected {theirs[row, column].item():.6g}"
        raise Complaint(f"logit [{row}, {column}] is {pair}: {worst:.3g} times the allowance")
    return worst


def comparable(path):
    """The published config, with the lists that PEFT holds as sets sorted; the base's place is no part of it."""
    config = json.loads(path.read_text())
    if not isinstance(config.pop("base_model_name_or_path"), str | None):
        raise Complaint("base_model_name_or_path is neither a string nor null")
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    return config


def check_saved_again(model, adapter):
    """PEFT writes back what it read."""
    with tempfile.TemporaryDirectory() as again:
        model.save_pretrained(again)
        if (adapter / WEIGHTS).read_bytes() != (Path(again) / WEIGHTS).read_bytes():
            ours, theirs = load_file(adapter / WEIGHTS), load_file(Path(again) / WEIGHTS)
            raise Complaint(f"{WEIGHTS} differs when saved again; {describe(ours, theirs)}")
        ours, theirs = comparable(adapter / CONFIG), comparable(Path(again) / CONFIG)
        differing = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k, ...) != theirs.get(k, ...))
        if differing:
            pairs = (f"{k}: {ours.get(k, 'absent')!r}, PEFT writes {theirs.get(k, 'nothing')!r}" for k in differing)
            raise Complaint(f"{CONFIG} differs when saved again: {'; '.join(pairs)}")


def describe(ours, theirs):
    """In what two sets of tensors differ."""
    if ours.keys() != theirs.keys():
        return f"only ours: {sorted(ours.keys() - theirs.keys())}, only PEFT's: {sorted(theirs.keys() - ours.keys())}"
    unequal = [k for k in ours if ours[k].dtype != theirs[k].dtype or not torch.equal(ours[k], theirs[k])]
    return f"tensors that differ: {unequal}" if unequal else "the tensors are equal, so the header or the order is not"


def check(folder):
    """One folder: the share of the allowance used, or a Complaint."""
    config = PeftConfig.from_pretrained(folder / "adapter")
    config.base_model_name_or_path = str(folder / "model")  # PEFT looks there for the vocabulary size when saving
    config.inference_mode = True
    model = PeftModel.from_pretrained(load_model(folder / "model"), folder / "adapter", config=config).eval()
    worst = check_logits(model, folder)
    check_saved_again(model, folder / "adapter")
    return worst


def main(folders):
    if not folders:
        sys.exit(__doc__)
    be_strict()
    failures = 0
    width = max(len(folder) for folder in folders)
    print(f"{'folder':<{width}}  result  share of the logit allowance, or what is wrong")
    for folder in folders:
        try:
            print(f"{folder:<{width}}  ok      {check(Path(folder)):.4f}")
        except Exception as error:  # whatever stops PEFT from using the folder is a failure of that folder alone
            failures += 1
            reason = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}")
            print(f"{folder:<{width}}  FAILED  {reason}")
    print(f"{len(folders) - failures} of {len(folders)} adapters agree with PEFT")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
