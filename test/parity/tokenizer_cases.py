"""Small tokenizer.json files, one or more for every part of the specification, and what Rust's tokenizers make of texts.

    python test/parity/tokenizer_cases.py goldens    writes test/golden/tokenizers/components.json
    python test/parity/tokenizer_cases.py unusual    asks Rust anew about the tokenizers of test/golden/tokenizers/unusual.json
    python test/parity/tokenizer_cases.py serve      answers test/parity/tokenizers.mjs, one line of JSON for each

Needs tokenizers 0.22.2.
"""

import base64
import json
import struct
import sys
from pathlib import Path

from tokenizers import Tokenizer

GOLDEN = Path(__file__).parent.parent / "golden" / "tokenizers" / "components.json"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-_ "
MERGES = ["t h", "h e", "th e", "i n", "e r", "a n", "an d", "▁ t", "▁t h", "▁th e", "▁ a", "o r", "1 2", "12 3", "▁ ▁", "s t", "l l", "▁ s", "e s"]
BYTE_MERGES = ["t h", "h e", "th e", "i n", "e r", "a n", "an d", "Ġ t", "Ġt h", "Ġth e", "Ġ a", "o r", "1 2", "12 3", "Ġ Ġ", "Ã ©", "ð Ł", "ðŁ ĺ", "s t"]


def byte_letters():
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return [chr(byte) for byte in visible] + [chr(0x100 + i) for i in range(len(hidden))]


def numbered(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def merged(merges):
    return [merge.replace(" ", "") for merge in merges]


def bpe(vocab, merges, **fields):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": [merge.split(" ") for merge in merges], **fields}


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CHARS = [*LETTERS, "▁", "é", "ü", "世", "界", "😀", "ß", "σ", "и", "\u0301", "क"]
# Every text has tokens of its own here, so that ids tell all of it.
FALLBACK = bpe(numbered(["<unk>", *BYTES, *CHARS, *merged(MERGES)]), MERGES, byte_fallback=True, unk_token="<unk>")
BYTE_LEVEL = bpe(numbered(["<unk>", *byte_letters(), *merged(BYTE_MERGES)]), BYTE_MERGES)
UNKNOWN = bpe(numbered(["<unk>", *CHARS, *merged(MERGES)]), MERGES, unk_token="<unk>")
HASHED = [*LETTERS, *("##" + char for char in CHARS)]
PIECES = ["the", "##he", "##in", "un", "##known", "##s", "and", "##ing", "x", "##é", "世", "##界", "12", "##3"]
WORD_PIECE = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": numbered(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *HASHED, *PIECES])}
SCORES = [("▁the", -3.1), ("▁", -2.5), ("the", -4.0), ("th", -4.5), ("in", -4.2), ("ing", -5.1), ("▁a", -3.3), ("and", -4.4), ("▁and", -4.1), ("世界", -6.0), ("é", -6.5), ("😀", -7.0), ("12", -5.0), ("123", -5.5), ("s", -3.0), ("ss", -6.1), ("  ", -6.2)]


def unigram(bytes_too=False, unk=0, known=CHARS):
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0]]
    vocab += [[byte, -10.0] for byte in BYTES] if bytes_too else []
    have = {token for token, _ in SCORES}
    vocab += [[token, score] for token, score in SCORES] + [[char, -6.0 - i / 10] for i, char in enumerate(known) if char not in have]
    return {"type": "Unigram", "unk_id": unk, "vocab": vocab, "byte_fallback": bytes_too}


WORDS = {"type": "WordLevel", "unk_token": "<unk>", "vocab": numbered(["<unk>", "the", "and", "The", "cat", "世界", ".", ",", "12", "é", "don", "t", "'", "\U00020000"])}


def tokenizer(model=FALLBACK, **parts):
    empty = {"truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}
    return {"version": "1.0", **empty, **parts, "model": model}


def sequence(kind, *parts):
    return {"type": "Sequence", kind: list(parts)}


def charsmap(pairs):
    """A precompiled map as SentencePiece writes it: a double array over the bytes of the keys, and texts."""
    texts, places, root = b"", {}, {}
    for key, value in sorted(pairs.items()):
        places.setdefault(value, len(texts))
        if places[value] == len(texts):
            texts += value.encode() + b"\0"
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = places[value]
    units = {0: 0}
    used = {0}

    def place(node, at):
        labels = [0 if label is None else label for label in node]
        base = next(b for b in range(1, 1 << 20) if all((b ^ label) not in used for label in labels) and (b ^ at) < 1 << 21)
        used.update(base ^ label for label in labels)
        units[at] |= (at ^ base) << 10 | (256 if None in node else 0)
        for label, child in node.items():
            target = base ^ (0 if label is None else label)
            if label is None:
                units[target] = 1 << 31 | child
            else:
                units[target] = label
        for label, child in node.items():
            if label is not None:
                place(child, base ^ label)

    place(root, 0)
    size = (max(units) + 256) // 256 * 256
    blob = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size))
    return base64.b64encode(struct.pack("<I", len(blob)) + blob + texts).decode()


def sentencepiece_charsmap():
    """The map that T5, mT5 and XLM-R have, when sentencepiece is there; else a small one."""
    try:
        import io

        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2 as proto

        model = io.BytesIO()
        lines = iter(["the quick brown fox jumps over the lazy dog"] * 20)
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=model, vocab_size=30, normalization_rule_name="nmt_nfkc_cf", minloglevel=2)
        found = proto.ModelProto()
        found.ParseFromString(model.getvalue())
        return base64.b64encode(found.normalizer_spec.precompiled_charsmap).decode()
    except ImportError:
        return SMALL_MAP


SMALL_MAP = charsmap({"ａ": "a", "Ａ": "a", "é": "e\u0301", "e\u0301": "E", "\u200d": " ", "ﬁ": "fi", "ﷺ": "صلى الله عليه وسلم", "①": "1", "A": "a", "B": "bb", "\u00a0": " ", "\n": " ", "\r\n": "#", "\u00ad": "", "ｶ": "カ", "ｶﾞ": "ガ", "😀": ":)", "ss": "ß", "\ufeff": ""})

NORMALIZERS = {
    **{form: {"type": form} for form in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]},
    **{f"bert-{i:02d}": {"type": "BertNormalizer", "clean_text": bool(i & 1), "handle_chinese_chars": bool(i & 2), "strip_accents": [None, True, False][i // 8], "lowercase": bool(i & 4)} for i in [0, 1, 2, 3, 4, 7, 9, 11, 15, 23]},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "strip-left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "strip-right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "prepend": {"type": "Prepend", "prepend": "▁x"},
    "replace": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "replace-longer": {"type": "Replace", "pattern": {"String": "e"}, "content": "ééé"},
    "replace-nothing": {"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": ""},
    "replace-regex": {"type": "Replace", "pattern": {"Regex": "\\s{2,}|\\p{P}"}, "content": "-"},
    "precompiled": {"type": "Precompiled", "precompiled_charsmap": SMALL_MAP},
    "llama": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}),
    "xlnet": sequence("normalizers", {"type": "Replace", "pattern": {"String": "``"}, "content": '"'}, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
    "clip": sequence("normalizers", {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}),
    "nfkd-bytes": sequence("normalizers", {"type": "NFKD"}, {"type": "ByteLevel"}),
    "map-strip": sequence("normalizers", {"type": "Precompiled", "precompiled_charsmap": SMALL_MAP}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}),
}

GPT4 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
PATTERNS = {
    "gpt4": GPT4,
    "o200k": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "deepseek": "[一-龥\u3040-ゟ゠-ヿ]+",
    "words": "\\w+|[^\\w\\s]+",
    "edges": "\\b",
    "brackets": "[\\w&&[^\\d_]]+|[[:punct:]]|[^[:alnum:][:space:]]",
    "lines": "^.|.$|\\R",
    "digits": "\\d{1,3}(?=(?:\\d{3})*\\b)",
    "behind": "(?<=[a-z])(?=[A-Z])|(?<!\\d)\\d",
    "atomic": "(?>a+|b)b|[a-f]*+g",
    "case": "(?i)[a-ké-]|the|Σ",
    "nested": "(?:[a-c]+x?)+d|(?:a|aa)+",
    "empty": "x*",
    "lazy": "a.+?e|\\S{2,3}?",
    "scripts": "\\p{Han}+|\\p{Hiragana}|\\p{Arabic}+|\\P{Latin}",
    "categories": "\\p{Lu}\\p{Ll}*|\\p{Sc}|\\p{Nl}|\\p{No}|[\\p{M}\\p{Cf}]+|\\p{^L}",
    "hex": "\\h+|\\x{e9}|\\u4e16|\\t|[\\x00-\\x1f]",
    "everything": "(?m:.)(?=.)",
}
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme="always", splits=True, **more):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": splits, **more}


def byte_level(prefix=False, trim=True, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


PRE_TOKENIZERS = {
    **{kind: {"type": kind} for kind in ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"]},
    **{f"punctuation-{behavior}": {"type": "Punctuation", "behavior": behavior} for behavior in BEHAVIORS},
    **{f"split-{behavior}": split("\\s+|-", behavior) for behavior in BEHAVIORS},
    **{f"split-inverted-{behavior}": split("[a-z]+", behavior, True) for behavior in BEHAVIORS},
    **{f"split-string-{behavior}": split("e", behavior, kind="String") for behavior in BEHAVIORS},
    **{f"pattern-{name}": split(pattern) for name, pattern in PATTERNS.items()},
    **{f"metaspace-{scheme}-{splits}": metaspace(scheme, splits) for scheme in ["always", "never", "first"] for splits in [True, False]},
    "metaspace-legacy": {"type": "Metaspace", "replacement": "_", "add_prefix_space": True, "str_rep": "_"},
    "punctuation": {"type": "Punctuation"},
    "digits": {"type": "Digits", "individual_digits": False},
    "digits-alone": {"type": "Digits", "individual_digits": True},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "e"},
    "delimiter-astral": {"type": "CharDelimiterSplit", "delimiter": "😀"},
    "fixed": {"type": "FixedLength", "length": 3},
    "fixed-default": {"type": "FixedLength"},
    "t5": sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace()),
    "albert": sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace("first")),
    "bloom-like": sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Contiguous"}),
}

SPECIALS = [("<s>", 0), ("</s>", 2), ("<pad>", 1)]
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 3}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "two", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "B", "type_id": 2}}, {"SpecialToken": {"id": "two", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "two": {"id": "two", "ids": [2, 1], "tokens": ["</s>", "<pad>"]}},
}
BERT = {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}


def roberta(trim=True, prefix=True):
    return {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": trim, "add_prefix_space": prefix}


POST_PROCESSORS = {
    "bert": BERT,
    **{f"roberta-{trim}-{prefix}": roberta(trim, prefix) for trim in [True, False] for prefix in [True, False]},
    "byte-level": byte_level(True, True),
    "byte-level-untrimmed": byte_level(False, False),
    "template": TEMPLATE,
    "byte-level-template": sequence("processors", byte_level(False, True), TEMPLATE),
}


def truncation(length, strategy="LongestFirst", stride=0, direction="Right"):
    return {"direction": direction, "max_length": length, "strategy": strategy, "stride": stride}


PADDING = {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 5, "pad_token": "<pad>"}

DECODERS = {
    "byte-level": byte_level(),
    "word-piece": {"type": "WordPiece", "prefix": "##", "cleanup": True},
    "word-piece-plain": {"type": "WordPiece", "prefix": "##", "cleanup": False},
    "bpe": {"type": "BPEDecoder", "suffix": "e"},
    "metaspace": metaspace(),
    "metaspace-never": metaspace("never"),
    "ctc": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "-", "cleanup": True},
    "ctc-plain": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "-", "cleanup": False},
    "fuse": {"type": "Fuse"},
    "byte-fallback": {"type": "ByteFallback"},
    "replace": {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    "replace-regex": {"type": "Replace", "pattern": {"Regex": "[aeiou]"}, "content": "*"},
    "llama": sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}),
    "strip": sequence("decoders", {"type": "Fuse"}, {"type": "Strip", "content": "t", "start": 2, "stop": 0}),
}


def added(content, id=100000, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}


ADDED = ["<s>", "the", "é", "The", " and ", "😀", "世界", "[MASK]", "thecat", "cat", "12", "x y"]
FLAGS = {
    "plain": {},
    "special": {"special": True},
    "normalized": {"normalized": True},
    "normalized-special": {"normalized": True, "special": True},
    "single-word": {"single_word": True},
    "lstrip": {"lstrip": True},
    "rstrip": {"rstrip": True},
    "both-strips": {"lstrip": True, "rstrip": True, "special": True},
    "all": {"single_word": True, "lstrip": True, "rstrip": True, "normalized": True, "special": True},
}

MODELS = {
    "bpe-fallback": tokenizer(FALLBACK),
    "bpe-unknown": tokenizer(UNKNOWN),
    "bpe-fused": tokenizer({**UNKNOWN, "fuse_unk": True}),
    "bpe-no-unknown": tokenizer({**UNKNOWN, "unk_token": None}),
    "bpe-some-bytes": tokenizer(bpe(numbered(["<unk>", *BYTES[:128], *BYTES[0xC3:0xC4], *BYTES[0xA0:0xB0], *CHARS, *merged(MERGES)]), MERGES, byte_fallback=True, fuse_unk=True, unk_token="<unk>")),
    "bpe-legacy-merges": tokenizer({**UNKNOWN, "merges": ["#version: 0.2", *MERGES]}),
    "bpe-ignore-merges": tokenizer(bpe(numbered(["<unk>", *CHARS, *merged(MERGES), "cat", "thing", "世界"]), MERGES, ignore_merges=True, unk_token="<unk>"), pre_tokenizer={"type": "WhitespaceSplit"}),
    "bpe-prefix": tokenizer(bpe(numbered(["<unk>", *HASHED, "the", "##in", "##er", "th", "##he"]), ["t ##h", "th ##e", "##i ##n", "##e ##r", "##h ##e"], continuing_subword_prefix="##", unk_token="<unk>"), pre_tokenizer={"type": "BertPreTokenizer"}),
    "bpe-suffix": tokenizer(bpe(numbered(["<unk>", *CHARS, *(char + "</w>" for char in CHARS), "the</w>", "th", "in</w>", "an"]), ["t h", "th e</w>", "i n</w>", "a n"], end_of_word_suffix="</w>", unk_token="<unk>"), pre_tokenizer={"type": "Whitespace"}, decoder={"type": "BPEDecoder", "suffix": "</w>"}),
    "bpe-prefix-bytes": tokenizer(bpe(numbered(["<unk>", *BYTES, *HASHED]), [], continuing_subword_prefix="##", byte_fallback=True, unk_token="<unk>"), pre_tokenizer={"type": "Whitespace"}),
    "gpt2": tokenizer(BYTE_LEVEL, pre_tokenizer=byte_level(), decoder=byte_level(), post_processor=byte_level()),
    "gpt2-prefixed": tokenizer(BYTE_LEVEL, pre_tokenizer=byte_level(True), decoder=byte_level(), post_processor=roberta()),
    "gpt2-no-regex": tokenizer(BYTE_LEVEL, pre_tokenizer=byte_level(regex=False), decoder=byte_level()),
    "llama3": tokenizer(BYTE_LEVEL, pre_tokenizer=sequence("pretokenizers", split(GPT4), byte_level(regex=False)), decoder=byte_level(), post_processor=sequence("processors", byte_level(), TEMPLATE)),
    "llama2": tokenizer(FALLBACK, normalizer=NORMALIZERS["llama"], decoder=DECODERS["llama"], post_processor=TEMPLATE),
    "word-piece": tokenizer(WORD_PIECE, normalizer=NORMALIZERS["bert-15"], pre_tokenizer={"type": "BertPreTokenizer"}, decoder=DECODERS["word-piece"], post_processor=BERT),
    "word-piece-short": tokenizer({**WORD_PIECE, "max_input_chars_per_word": 4}, pre_tokenizer={"type": "Whitespace"}),
    "word-piece-no-split": tokenizer(WORD_PIECE),
    "unigram": tokenizer(unigram(), pre_tokenizer=metaspace(), decoder=metaspace()),
    "unigram-bytes": tokenizer(unigram(True), pre_tokenizer=metaspace(), decoder=sequence("decoders", {"type": "ByteFallback"}, metaspace())),
    "unigram-no-split": tokenizer(unigram()),
    "unigram-map": tokenizer(unigram(), normalizer=NORMALIZERS["precompiled"], pre_tokenizer=metaspace("first"), decoder=metaspace()),
    "unigram-few": tokenizer(unigram(known="abc ▁"), pre_tokenizer=metaspace()),
    "word-level": tokenizer(WORDS, pre_tokenizer={"type": "Whitespace"}),
    "word-level-bert": tokenizer(WORDS, pre_tokenizer={"type": "BertPreTokenizer"}),
}


def cases():
    """Every case by its name: a tokenizer.json as an object."""
    found = {f"model/{name}": json for name, json in MODELS.items()}
    for name, part in NORMALIZERS.items():
        found[f"normalizer/{name}"] = tokenizer(normalizer=part)
    for name, part in PRE_TOKENIZERS.items():
        found[f"pre-tokenizer/{name}"] = tokenizer(pre_tokenizer=part)
    for name, part in POST_PROCESSORS.items():
        pre = byte_level(True) if "roberta" in name or "level" in name else {"type": "Whitespace"}
        found[f"post-processor/{name}"] = tokenizer(BYTE_LEVEL if pre["type"] == "ByteLevel" else FALLBACK, pre_tokenizer=pre, post_processor=part)
    for name, part in DECODERS.items():
        model = BYTE_LEVEL if name == "byte-level" else WORD_PIECE if "piece" in name else FALLBACK
        pre = byte_level() if name == "byte-level" else {"type": "WhitespaceSplit"} if "piece" in name else metaspace() if "space" in name else None
        found[f"decoder/{name}"] = tokenizer(model, pre_tokenizer=pre, decoder=part)
    for name, flags in FLAGS.items():
        tokens = [added(content, **flags) for content in ADDED]
        found[f"added/{name}"] = tokenizer(normalizer={"type": "Lowercase"}, pre_tokenizer=metaspace("first"), added_tokens=tokens)
    mixed = [added(content, **list(FLAGS.values())[i % len(FLAGS)]) for i, content in enumerate(ADDED)]
    found["added/mixed"] = tokenizer(normalizer=NORMALIZERS["llama"], added_tokens=mixed)
    found["added/word-piece"] = tokenizer(WORD_PIECE, normalizer=NORMALIZERS["bert-15"], pre_tokenizer={"type": "BertPreTokenizer"}, added_tokens=mixed)
    for i, (length, strategy, stride, direction) in enumerate([(6, "LongestFirst", 0, "Right"), (7, "LongestFirst", 2, "Left"), (9, "OnlyFirst", 1, "Right"), (9, "OnlySecond", 2, "Right"), (8, "LongestFirst", 3, "Right")]):
        for post in ["template", "bert", "roberta-True-True", None]:
            part = POST_PROCESSORS[post] if post else None
            found[f"truncation/{i}-{post}"] = tokenizer(WORDS, pre_tokenizer={"type": "Whitespace"}, post_processor=part, truncation=truncation(length, strategy, stride, direction), padding=None if i % 2 else PADDING)
    for i, changes in enumerate([{}, {"direction": "Left"}, {"strategy": "BatchLongest", "pad_to_multiple_of": 8}, {"strategy": {"Fixed": 3}, "pad_to_multiple_of": 5, "direction": "Left"}]):
        found[f"padding/{i}"] = tokenizer(WORDS, pre_tokenizer={"type": "Whitespace"}, post_processor=BERT, padding={**PADDING, **changes})
    return found


def described(encoding):
    return {
        "ids": encoding.ids,
        "offsets": encoding.offsets,
        "words": encoding.word_ids,
        "tokens": encoding.tokens,
        "types": encoding.type_ids,
        "special": encoding.special_tokens_mask,
        "attention": encoding.attention_mask,
        "sequences": encoding.sequence_ids,
        "overflowing": [described(each) for each in encoding.overflowing],
    }


def answer(known, text, pair, decodes=True):
    """What Rust makes of a text (or a list of words) and a pair; None when it fails."""
    try:
        words = isinstance(text, list)
        encoding = known.encode(text, pair, is_pretokenized=words)
        found = described(encoding)
        ids = encoding.ids
        if decodes:
            found["decoded"] = known.decode(ids, skip_special_tokens=False)
            found["skipped"] = known.decode(ids, skip_special_tokens=True)
        return found
    except BaseException as cause:  # a panic of Rust is no Exception
        if isinstance(cause, KeyboardInterrupt):
            raise
        return None


TEXTS = [
    "",
    " ",
    "The cat and the hat.",
    "  don't  stop,\tthere\r\nand  HERE!! ",
    "café cafe\u0301 Å A\u030a ẛ\u0323 ﬁne ①②",
    "👩‍👩‍👧 😀 🇩🇪🏳️‍🌈 x",
    "世界 こんにちは ｶﾞ 𠀀𠀁 한국어",
    "שלום עליכם مرحبا ﷺ क्षि हिन्दी",
    "a\u0000b\u0007c\u200bd\ufeffe\u00ad",
    "<s>thecat[MASK] x y the</s>12345",
    "ΣΊΣΥΦΟΣ İstanbul ß ẞ ǅ",
    "HTTPServer12,345.67 $5 a-b_c",
]


def write_goldens():
    found = {}
    for name, json_object in cases().items():
        known = Tokenizer.from_str(json.dumps(json_object))
        pairs = name.split("/")[0] in ("post-processor", "truncation", "padding") or name in ("model/word-piece", "added/mixed")
        rows = []
        for i, text in enumerate(TEXTS):
            got = answer(known, text, TEXTS[(i + 5) % len(TEXTS)] if pairs and i % 2 else None)
            if got is None:
                continue
            rows.append(pack(i, got))
        found[name] = rows
    models = []
    files = {}
    for name, json_object in cases().items():
        model = json_object["model"]
        if model not in models:
            models.append(model)
        files[name] = {key: value for key, value in json_object.items() if value not in (None, []) and key not in ("version", "model")}
        files[name]["model"] = models.index(model)
    lines = ",\n".join(f"{json.dumps(name)}: {dumps({'tokenizer': files[name], 'rows': rows})}" for name, rows in found.items())
    head = dumps({"models": models, "texts": TEXTS})[:-1]
    GOLDEN.write_text(head + ', "cases": {\n' + lines + "\n}}\n", encoding="utf-8")
    print(f"{GOLDEN.name}: {GOLDEN.stat().st_size} bytes, {len(found)} cases, {sum(map(len, found.values()))} rows")


def write_unusual():
    path = GOLDEN.with_name("unusual.json")
    old = json.loads(path.read_text("utf-8"))
    lines = []
    for name, case in old["cases"].items():
        whole = {"version": "1.0", **case["tokenizer"], "model": old["models"][case["tokenizer"]["model"]]}
        known = Tokenizer.from_str(json.dumps(whole))
        rows = [pack(row[0], answer(known, old["texts"][row[0]], None)) for row in case["rows"]]
        lines.append(f"{json.dumps(name)}: {dumps({'tokenizer': case['tokenizer'], 'rows': rows})}")
    head = dumps({"models": old["models"], "texts": old["texts"]})[:-1]
    path.write_text(head + ', "cases": {\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def pack(text, got):
    """Only what cannot be told from the rest."""
    row = [text, got["ids"], [place for pair in got["offsets"] for place in pair], got["decoded"]]
    if got["skipped"] != got["decoded"]:
        row.append(got["skipped"])
    return row


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def serve():
    known = cases()
    heavy = {**known["model/unigram-map"], "normalizer": {"type": "Precompiled", "precompiled_charsmap": sentencepiece_charsmap()}}
    known["model/unigram-sentencepiece"] = heavy
    print(json.dumps(known), flush=True)
    made = {}
    for line in sys.stdin:
        name, texts = json.loads(line)
        made[name] = made.get(name) or Tokenizer.from_str(json.dumps(known[name]))
        print(json.dumps([answer(made[name], text, pair) for text, pair in texts]), flush=True)


if __name__ == "__main__":
    {"goldens": write_goldens, "unusual": write_unusual, "serve": serve}[sys.argv[1]]()
