#!/usr/bin/env python
"""Loads adapters written by Lorikeet with transformers and PEFT, and compares.

    python check_adapters.py DIR...

Each DIR holds model/ and adapter/ (folders as Hugging Face lays them out), expected.safetensors with our "outputs", one number
after the other, and case.json with the "task", the "method" and the "batch". A folder passes when
  - loading and running it, and saving it again where PEFT saves all it reads, gives no warning from Python, transformers or PEFT,
  - every output is within 1e-4 + 2e-4·|value| of ours,
  - PEFT, saving what it loaded, writes the same tensors of adapter_model.safetensors and an equal adapter_config.json; of LoRA the
    same bytes.
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

from tasks import inputs_of, labels_of, split
from tiny_models import load_model

ABSOLUTE, RELATIVE = 1e-4, 2e-4
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"

# PEFT says these of every adapter of the kind, its own included.
SAID_OF_GOOD_ADAPTERS = (
    "The following rank_pattern keys did not match any targeted module",  # of AdaLoRA, whose keys mean something else
    "Unsupported layer type",  # of LN tuning
    "Specified to not save vera_A and vera_B",
    "Specified to not load vera_A and vera_B",
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


@torch.no_grad()
def outputs_alone(model, task, batch):
    """What a model says of each sequence by itself, rows of virtual tokens included, one number after the other."""
    parts = []
    for one in split(batch):
        tasks = one.pop("task_ids", None)
        given = inputs_of(model, one)
        if task == "SEQ_2_SEQ_LM":
            given |= labels_of(task, one)
            if model.active_peft_config.peft_type == "ADALORA":  # loaded for inference it cannot compute a loss in PEFT
                labels = given.pop("labels")
                given["decoder_input_ids"] = model.get_base_model().prepare_decoder_input_ids_from_labels(labels)
        if tasks is not None:
            given["task_ids"] = torch.tensor(tasks)
        out = model(**given)
        if task == "FEATURE_EXTRACTION":
            parts.append(out.last_hidden_state)
        elif task == "QUESTION_ANS":
            parts.append(torch.stack([out.start_logits, out.end_logits], -1))
        else:
            parts.append(out.logits)
    return torch.cat([part.flatten() for part in parts])


def check_outputs(model, folder, case):
    """Largest difference from our outputs, as a fraction of what is allowed."""
    ours = load_file(folder / "expected.safetensors")["outputs"]
    theirs = outputs_alone(model, case["task"], case["batch"])
    if ours.shape != theirs.shape:
        raise Complaint(f"there are {len(ours)} outputs, expected {len(theirs)}")
    used = (ours - theirs).abs() / (ABSOLUTE + RELATIVE * theirs.abs())
    worst = used.max().item()
    if not worst <= 1:  # also when not a number
        at = int(used.nan_to_num(torch.inf).argmax())
        raise Complaint(f"output {at} is {ours[at].item():.6g}, expected {theirs[at].item():.6g}: {worst:.3g} times the allowance")
    return worst


def comparable(path):
    """The published config, with the lists that PEFT holds as sets sorted; the base's place is no part of it."""
    config = json.loads(path.read_text())
    if not isinstance(config.pop("base_model_name_or_path"), str | None):
        raise Complaint("base_model_name_or_path is neither a string nor null")
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(set(config[key]))
    return config


# Its heads and biases are saved under several names by PEFT, or (AdaLoRA) pruned once more.
NOT_SAVED_AGAIN = ("adalora", "bitfit")


def check_saved_again(model, adapter, case):
    """PEFT writes back what it read."""
    if case["method"] in NOT_SAVED_AGAIN:
        return
    with tempfile.TemporaryDirectory() as again:
        model.save_pretrained(again)
        ours, theirs = load_file(adapter / WEIGHTS), load_file(Path(again) / WEIGHTS)
        equal = ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
        same = (adapter / WEIGHTS).read_bytes() == (Path(again) / WEIGHTS).read_bytes()
        if not equal or (case["method"] == "lora" and not same):
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
    case = json.loads((folder / "case.json").read_text())
    config = PeftConfig.from_pretrained(folder / "adapter")
    config.base_model_name_or_path = str(folder / "model")  # PEFT looks there for the vocabulary size when saving
    config.inference_mode = True
    model_type = json.loads((folder / "model/config.json").read_text())["model_type"]
    base = load_model(folder / "model", case["task"], model_type)
    model = PeftModel.from_pretrained(base, folder / "adapter", config=config).eval()
    worst = check_outputs(model, folder, case)
    check_saved_again(model, folder / "adapter", case)
    return worst


def main(folders):
    if not folders:
        sys.exit(__doc__)
    be_strict()
    failures = 0
    width = max(len(folder) for folder in folders)
    print(f"{'folder':<{width}}  result  share of the allowance, or what is wrong")
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
