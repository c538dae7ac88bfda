"""
Writes src/tokenizers/convert/class-facts.ts: what transformers' tokenizer classes assume where a folder says nothing.

    python test/parity/make_tokenizer_classes.py [--check]

--check compares instead of writing, and fails when the file is not what this transformers says.
"""

import ast
import inspect
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from transformers import PreTrainedTokenizerFast
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "src/tokenizers/convert/class-facts.ts"

# Classes whose construction is carried out in src/tokenizers/convert; every other class is refused by name.
SUPPORTED = """
    Albert Bart Barthez Bert BigBird Blenderbot Bloom CLIP Camembert CodeGen CodeLlama Cohere ConvBert Deberta DebertaV2
    DistilBert Electra FNet GPT2 GPTNeoX Gemma Herbert LED LayoutLM Llama Longformer Lxmert MPNet MT5 MobileBert Mvp
    OpenAIGPT Qwen2 Reformer RemBert Roberta SqueezeBert T5 XGLM XLMRoberta XLNet
""".split()
# Arguments that name files or objects, or have no part in how text becomes tokens.
IGNORED = {
    *("vocab_file", "merges_file", "tokenizer_file", "errors", "sp_model_kwargs", "lang2id", "id2lang"),
    *("use_default_system_prompt", "fill_token", "suffix_first", "spaces_between_special_tokens", "remove_space"),
    *("do_lowercase_and_remove_accent", "add_bos_token_id", "clean_text", "wordpieces_prefix"),
}


def flags_of(init):
    """Flags that a constructor gives to a special token which is only a text: {"mask_token": {"lstrip": true}}."""
    flags = {}
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(init)))):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp)):
            continue
        call = node.value.body
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "AddedToken":
            given = {k.arg: k.value.value for k in call.keywords}
            given = {k: v for k, v in given.items() if v or k == "normalized"}
            flags.setdefault(node.targets[0].id, given)
    return flags


def facts_of(cls):
    parameters = inspect.signature(cls.__init__).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty and p.name not in IGNORED}
    facts = {"defaults": defaults}
    flags = flags_of(cls.__init__)
    if flags:
        facts["flags"] = flags
    return facts


def all_facts():
    found = {}
    for name in SUPPORTED:
        fast = tokenizer_class_from_name(f"{name}TokenizerFast")
        slow = fast.slow_tokenizer_class
        files = {k: v for k, v in fast.vocab_files_names.items() if k in ("vocab_file", "merges_file")}
        types = [t for t, pair in TOKENIZER_MAPPING_NAMES.items() if pair[1] == fast.__name__]
        facts = facts_of(fast)
        facts["inputNames"] = fast.model_input_names
        if fast.padding_side != "right":
            facts["paddingSide"] = fast.padding_side
        if types:
            facts["modelTypes"] = types
        if slow is not None:
            facts["slow"] = slow.__name__
            facts["files"] = files
            found[slow.__name__] = facts_of(slow)
        found[fast.__name__] = facts
    plain = PreTrainedTokenizerFast
    types = [t for t, pair in TOKENIZER_MAPPING_NAMES.items() if pair[1] == plain.__name__]
    found[plain.__name__] = {"defaults": {}, "inputNames": plain.model_input_names, "modelTypes": types}
    return dict(sorted(found.items()))


HEADER = '''/**
 * What transformers' tokenizer classes assume where a folder says nothing. Written by
 * test/parity/make_tokenizer_classes.py from transformers 4.57.6; a change by hand is lost.
 */
import type { Json } from "../../core/python-json.ts";
import type { TokenFlags } from "./added-token.ts";

/** One class: a slow one has `defaults` and `flags` only. */
export interface ClassFacts {
  /** Values of arguments that are not given. */
  readonly defaults: Readonly<Record<string, Json>>;
  /** Flags of a special token that is given as a text only. */
  readonly flags?: Readonly<Record<string, TokenFlags>>;
  /** What the model is given: `token_type_ids` only where it is named. */
  readonly inputNames?: readonly string[];
  readonly paddingSide?: "left";
  /** Types of models, as in config.json, that use this class when no file names one. */
  readonly modelTypes?: readonly string[];
  /** The class whose files are converted when there is no tokenizer.json, and their names. */
  readonly slow?: string;
  readonly files?: Readonly<Record<string, string>>;
}

export const classFacts: Readonly<Record<string, ClassFacts>> = '''


def main():
    text = HEADER + json.dumps(all_facts(), ensure_ascii=False) + ";\n"
    formatted = subprocess.run(
        ["npx", "biome", "format", f"--stdin-file-path={TARGET}"],
        input=text, capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout
    if "--check" not in sys.argv:
        TARGET.write_text(formatted, encoding="utf-8")
    elif re.sub(r"\s", "", TARGET.read_text(encoding="utf-8")) != re.sub(r"\s", "", formatted):
        sys.exit(f"{TARGET} differs from what this transformers says: run {Path(__file__).name}")


main()
