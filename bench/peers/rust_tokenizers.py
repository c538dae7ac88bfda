"""Trains tokenizers for bench/tokenizers.bench.js on the texts it is given, and encodes them in turns, on one thread.

    python bench/peers/rust_tokenizers.py FOLDER      FOLDER has prose.json, chats.json and code.json, each a list of texts

Writes FOLDER/<name>.json for each kind of tokenizer, then answers lines of "<name> <texts>" with seconds and tokens.
Needs tokenizers 0.22.2.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers  # noqa: E402

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"


def byte_level(texts, pre):
    known = Tokenizer(models.BPE())
    known.pre_tokenizer = pre
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    known.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=16000, initial_alphabet=alphabet, special_tokens=specials, show_progress=False))
    return json.loads(known.to_str())


def gpt2(texts):
    return byte_level(texts, pre_tokenizers.ByteLevel(add_prefix_space=False))


def llama3(texts):
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    return byte_level(texts, pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))


def llama2(texts):
    known = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    known.pre_tokenizer = pre_tokenizers.Metaspace()
    known.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=16000, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False))
    found = json.loads(known.to_str())
    prepend = {"type": "Prepend", "prepend": "▁"}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    return {**found, "pre_tokenizer": None, "normalizer": {"type": "Sequence", "normalizers": [prepend, replace]}}


def word_piece(texts):
    known = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    known.normalizer = normalizers.BertNormalizer()
    known.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    known.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=16000, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    return json.loads(known.to_str())


def unigram(texts):
    known = Tokenizer(models.Unigram())
    known.normalizer = normalizers.NFKC()
    known.pre_tokenizer = pre_tokenizers.Metaspace()
    known.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=8000, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    return json.loads(known.to_str())


folder = Path(sys.argv[1])
texts = {name: json.loads((folder / f"{name}.json").read_text("utf8")) for name in ("prose", "chats", "code")}
known = {}
for make in (gpt2, llama3, llama2, word_piece, unigram):
    found = json.dumps(make(line for each in texts.values() for text in each for line in text.splitlines()), ensure_ascii=False)
    (folder / f"{make.__name__}.json").write_text(found, "utf8")
    known[make.__name__] = Tokenizer.from_str(found)
print(json.dumps(list(known)), flush=True)
for line in sys.stdin:
    name, kind = line.split()
    began = time.perf_counter()
    count = sum(len(known[name].encode(text).ids) for text in texts[kind])
    print(json.dumps([time.perf_counter() - began, count]), flush=True)
