"""
Builds tiny tokenizer folders of every kind and writes down what transformers makes of each.

    python test/parity/tokenizer_folders.py OUT [--seed N] [--count N]

Without --count, the folders are the fixed ones of test/golden/tokenizer-folders; with it, N random ones. Each gets an
expected.json: the backend's tokenizer.json and settings, or {"error": ...} where transformers refuses the folder.
"""

import argparse
import json
import random
import shutil
import tempfile
import warnings
from collections import Counter
from functools import lru_cache
from pathlib import Path

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer
from transformers.tokenization_utils_base import SpecialTokensMixin

warnings.simplefilter("ignore")
transformers.logging.set_verbosity(transformers.logging.CRITICAL)

CORPUS = """the whale is white and the sea is wide , call me ishmael 12,000 3, 5,
Äpfel und Öl über älteren Straßen naïve café résumé 日本語 東京 ﬁne ½ ① wide whales
def main(): return "hello" + 'world'  # tabs and   blanks
the hello hello world world the sea the sea is is is and and whale whale""".split("\n")
TEXTS = [
    "the whale is white", " hello  world ", "Äpfel, naïve <mask> sea", "日本語 12,000", "", "<s> the </s>", "the<extra_id_0>sea",
    "call me Ishmael\n\n\tdef main():", "[CLS] the [SEP] [MASK] wide",
]
PAIR = ("the sea", "is wide")
NAMED = [a for a in SpecialTokensMixin.SPECIAL_TOKENS_ATTRIBUTES if a != "additional_special_tokens"]


# ---- vocabulary files


@lru_cache
def words():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<pad>", "<mask>", "<unk>"]
    found = dict.fromkeys(special)
    for line in CORPUS:
        for word in line.split():
            found[word] = found[word.lower()] = None
            found.update({c: None for c in word} | {"##" + c: None for c in word})
    return "\n".join(found) + "\n"


@lru_cache
def byte_bpe(suffix=""):
    """A vocabulary and its merges. The tokenizers' own trainer breaks ties by chance."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    found = [list(word) for line in CORPUS for word, _ in split(line)]
    found = [[*word[:-1], word[-1] + suffix] for word in found]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())[:100]
    vocab = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", "<|endoftext|>", "[CLS]", "[SEP]", *letters])
    vocab.update({c: None for word in found for c in word})
    merges = []
    while len(merges) < 60:
        pairs = Counter(pair for word in found for pair in zip(word, word[1:]))
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(f"{left} {right}")
        vocab[left + right] = None
        for word in found:
            for i in range(len(word) - 2, -1, -1):
                if word[i : i + 2] == [left, right]:
                    word[i : i + 2] = [left + right]
    return {token: i for i, token in enumerate(vocab)}, merges


@lru_cache
def pieces(model_type="unigram", style="t5", byte_fallback=False, rules=True, extra=False):
    ids = {
        "t5": dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1),
        "fairseq": dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1),
        "gemma": dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3),
        "albert": dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"]),
        "xlnet": dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1, control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]),
    }[style]
    user = ["<start_of_turn>", "<end_of_turn>", "▁▁", "\n"] if style == "gemma" else ["<tool>", "▁<PRE>"] if extra else []
    if extra and style == "fairseq":
        ids = {**ids, "control_symbols": ["<control>"]}
    with tempfile.TemporaryDirectory() as folder:
        rule = Path(folder, "rules.tsv")
        rule.write_text("FF21\t41\nFB01\t66 69\nBD\t31 2F 32\n2460\t31\n3000\t20\n")
        normalization = {"normalization_rule_tsv": str(rule)} if rules else {"normalization_rule_name": "identity"}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS * 4), model_prefix=f"{folder}/m", model_type=model_type, minloglevel=9,
            vocab_size=380 if byte_fallback else 120, hard_vocab_limit=False, byte_fallback=byte_fallback,
            user_defined_symbols=user, character_coverage=1.0, num_threads=1, **normalization, **ids,
        )  # fmt: skip
        model = proto.ModelProto.FromString(Path(folder, "m.model").read_bytes())
    model.trainer_spec.ClearField("input")
    model.trainer_spec.model_prefix = "m"
    model.trainer_spec.ClearField("pad_piece")
    model.normalizer_spec.normalization_rule_tsv = ""
    return model.SerializeToString()


STYLE = {
    **dict.fromkeys(["T5", "MT5"], "t5"),
    **dict.fromkeys(["Albert", "DebertaV2", "FNet", "RemBert", "BigBird"], "albert"),
    **dict.fromkeys(["XLMRoberta", "Camembert", "Barthez", "Llama", "CodeLlama", "XGLM", "Reformer"], "fairseq"),
    "XLNet": "xlnet",
    "Gemma": "gemma",
}
WORDS = "Bert DistilBert MobileBert Electra ConvBert SqueezeBert LayoutLM Lxmert MPNet".split()
BPE = "GPT2 CodeGen Roberta Bart Longformer LED Mvp Deberta Qwen2 CLIP OpenAIGPT Blenderbot".split()
PIECES = list(STYLE)
FAST_ONLY = ["PreTrained", "GPTNeoX", "Bloom", "Cohere", "Herbert"]


def vocabulary(name, **options):
    """The files of a slow tokenizer of this class."""
    if name in WORDS:
        return {"vocab.txt": words()}
    if name in BPE:
        vocab, merges = byte_bpe("</w>" if name in ("CLIP", "OpenAIGPT") else "")
        text = "#version: 0.2\n" + "\n".join(merges) + "\n"
        return {"vocab.json": json.dumps(vocab, ensure_ascii=False), "merges.txt": text}
    kind = {"Llama": "bpe", "CodeLlama": "bpe", "Gemma": "bpe"}.get(name, "unigram")
    given = {"model_type": kind, "byte_fallback": kind == "bpe", "style": STYLE[name], **options}
    cls = getattr(transformers, f"{name}TokenizerFast")
    return {cls.vocab_files_names["vocab_file"]: pieces(**given)}


# ---- folders


def write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            (folder / name).write_text(text, encoding="utf-8")


def expected(folder):
    for cls in (transformers.CodeGenTokenizer, transformers.CodeGenTokenizerFast):
        cls.model_input_names = ["input_ids", "attention_mask"]  # the constructor appends to the class's own list
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # whatever it is, transformers does not read the folder
        return {"error": f"{type(error).__name__}: {error}"[:200].replace(str(folder), "FOLDER")}
    if not getattr(tokenizer, "is_fast", False):
        return {"error": "not a fast tokenizer"}
    length = tokenizer.model_max_length
    tokens = {a: str(t) for a in NAMED if (t := tokenizer._special_tokens_map[a]) is not None}
    return {
        "tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()),
        "tokenizerClass": type(tokenizer).__name__,
        "specialTokens": tokens,
        "specialIds": {a: tokenizer.convert_tokens_to_ids(t) for a, t in tokens.items()},
        "additionalSpecialTokens": [str(t) for t in tokenizer.additional_special_tokens],
        "modelInputNames": list(tokenizer.model_input_names),
        "paddingSide": tokenizer.padding_side,
        "truncationSide": tokenizer.truncation_side,
        "modelMaxLength": length if length < 1e20 else None,
        "cleanUpTokenizationSpaces": tokenizer.clean_up_tokenization_spaces,
        "splitSpecialTokens": tokenizer.split_special_tokens,
        "encoded": None if renormalized(folder, tokenizer) else encoded(tokenizer),
    }


def renormalized(folder, tokenizer):
    """Whether added tokens may be looked for as a normalizer had them that is no longer there: see docs/differences.md."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    lower = config.get("do_lower_case", True)
    plain = config.get("do_basic_tokenize") is False
    case = not lower if (folder / "tokenizer.json").exists() else plain and lower
    accents = case or plain or "strip_accents" in config
    words = type(tokenizer).__name__.removesuffix("TokenizerFast") in WORDS
    tokens = [t.content for t in tokenizer.added_tokens_decoder.values() if t.normalized]
    return words and any(case and t.lower() != t or accents and not t.isascii() for t in tokens)


def encoded(tokenizer):
    """Tokens of each text and of a pair; null where the backend cannot encode at all."""
    try:
        texts = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TEXTS]
        made = tokenizer(*PAIR)
        pair = {"texts": PAIR, "ids": made["input_ids"]}
        if "token_type_ids" in made:
            pair["types"] = made["token_type_ids"]
        everything = [i for row in texts for i in row["ids"]]
        return {"texts": texts, "pair": pair, "decoded": tokenizer.decode(everything, skip_special_tokens=True)}
    except Exception:
        return None


@lru_cache
def tokenizer_json(name, **options):
    """A tokenizer.json of this class, in the form in which the tokenizers write it."""
    source = {"PreTrained": "Qwen2", "GPTNeoX": "GPT2", "Bloom": "GPT2", "Cohere": "GPT2", "Herbert": "Roberta"}
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "x")
        base = source.get(name, name)
        write(folder, {**vocabulary(base, **options), "tokenizer_config.json": {"tokenizer_class": f"{base}Tokenizer"}})
        return AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str()


def token(content, **flags):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, **flags}


def typed(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


def fixed_cases():
    """Name of a folder, its files."""

    def config(name, **more):
        return {"tokenizer_config.json": {"tokenizer_class": f"{name}Tokenizer", **more}}

    for name in "Bert DistilBert MPNet GPT2 Roberta Bart Deberta Qwen2 CLIP OpenAIGPT Blenderbot".split():
        yield f"slow-{name}", {**vocabulary(name), **config(name)}
    for name in "T5 MT5 Albert DebertaV2 RemBert XLMRoberta Camembert XGLM XLNet Llama CodeLlama Gemma".split():
        more = {"extra_ids": 2} if name == "MT5" else {}
        yield f"slow-{name}", {**vocabulary(name), **config(name, **more)}
    yield "slow-no-config", {**vocabulary("Bert"), "config.json": {"model_type": "bert"}}
    yield "slow-Bert-cased", {**vocabulary("Bert"), **config("Bert", do_lower_case=False, tokenize_chinese_chars=False)}
    yield "slow-Bert-older", {
        **vocabulary("Bert"), **config("Bert", strip_accents=True, do_lower_case=False, do_basic_tokenize=False),
        "special_tokens_map.json": {"unk_token": "[UNK]", "mask_token": token("[MASK]", lstrip=True), "additional_special_tokens": ["<a>", token("<b>")]},
        "added_tokens.json": {"<a>": 400, "new": 401, "<b>": 402},
    }  # fmt: skip
    yield "slow-GPT2-bos", {**vocabulary("GPT2"), **config("GPT2", add_bos_token=True, add_prefix_space=True, pad_token="<fill>")}
    yield "slow-Qwen2-chat", {
        **vocabulary("Qwen2"),
        **config(
            "Qwen2", eos_token="<|im_end|>", bos_token=None, additional_special_tokens=["<|im_start|>", "<|im_end|>"],
            added_tokens_decoder={"4": token("<|endoftext|>", special=True, normalized=False), "193": token("<|im_start|>", special=True, normalized=False), "194": token("<|im_end|>", special=True, normalized=False), "195": token("<tool>", special=False)},
        ),
    }  # fmt: skip
    yield "slow-Llama-new", {**vocabulary("Llama", extra=True), **config("Llama", legacy=False, add_eos_token=True, pad_token="<pad>")}
    yield "slow-Llama-no-prefix", {**vocabulary("Llama", rules=False), **config("Llama", legacy=False, add_prefix_space=False, add_bos_token=False)}
    yield "slow-Llama-unigram", {**vocabulary("Llama", model_type="unigram"), **config("Llama")}
    yield "slow-T5-extra", {**vocabulary("T5", extra=True), **config("T5", extra_ids=3, legacy=False, additional_special_tokens=["<own>"])}
    yield "slow-T5-renamed", {"tokenizer.model": pieces(), **config("T5", extra_ids=2)}
    yield "slow-T5-words", {"spiece.model": pieces(model_type="word"), **config("T5")}
    yield "slow-Albert-accents", {**vocabulary("Albert"), **config("Albert", keep_accents=True, do_lower_case=False)}
    yield "slow-DebertaV2-split", {**vocabulary("DebertaV2"), **config("DebertaV2", split_by_punct=True, do_lower_case=True)}
    yield "slow-Camembert-added", {**vocabulary("Camembert"), **config("Camembert", mask_token=typed("<mask>", lstrip=True, normalized=False)), "added_tokens.json": {"<x>": 130}}

    def fast(name, options=None, files=None, **more):
        parts = {"tokenizer.json": tokenizer_json(name, **(options or {})), **config(name, **more)}
        return {**parts, **(files or {})}

    for name in [*FAST_ONLY, "Bert", "Roberta", "Albert", "Llama", "Gemma"]:
        yield f"fast-{name}", fast(name)
    yield "fast-no-config", {"tokenizer.json": tokenizer_json("Qwen2"), "config.json": {"model_type": "qwen3"}}
    yield "fast-config-class", {"tokenizer.json": tokenizer_json("GPT2"), "config.json": {"model_type": "gpt2", "tokenizer_class": "GPTNeoXTokenizer"}}
    yield "fast-Bert-cased", fast("Bert", do_lower_case=False, strip_accents=False, tokenize_chinese_chars=False)
    yield "fast-Roberta-prefix", fast("Roberta", add_prefix_space=True, trim_offsets=False)
    yield "fast-Bloom-prefix", fast("Bloom", add_prefix_space=True)
    yield "fast-GPT2-pad", fast("GPT2", pad_token="<fill>", add_bos_token=True, additional_special_tokens=["<a>", "the"])
    yield "fast-Llama-eos", fast("Llama", add_bos_token=False, add_eos_token=True, model_max_length=77, padding_side="right")
    yield "fast-Llama-prefix", fast("Llama", {}, vocabulary("Llama"), add_prefix_space=False, legacy=False)
    yield "fast-Llama-prefix-missing", fast("Llama", add_prefix_space=True)
    yield "fast-PreTrained-bos", fast("PreTrained", add_bos_token=True, bos_token="<s>", eos_token=typed("</s>", rstrip=True), split_special_tokens=True, truncation_side="left", model_input_names=["input_ids"])
    yield "fast-older-files", fast("GPT2", files={"special_tokens_map.json": {"eos_token": token("<|endoftext|>", lstrip=True), "pad_token": "</s>"}, "added_tokens.json": {"zzz": 250}})
    yield "fast-unknown-class", fast("Bert", files=config("Whatever"))
    yield "fast-wrong-token", fast("Bert", mask_token=token("[MASK]"))
    yield "fast-extra-special", fast("Qwen2", extra_special_tokens={"image_token": "<image>"})


def random_case(rng):
    """Files of a random folder."""
    name = rng.choice([*WORDS, *BPE, *PIECES, *PIECES, *FAST_ONLY, *FAST_ONLY])
    options = {}
    if name in PIECES:
        options = {"rules": rng.random() < 0.7, "extra": rng.random() < 0.4}
        if rng.random() < 0.2:
            options["model_type"] = rng.choice(["unigram", "bpe"])
    has_json = name in FAST_ONLY or rng.random() < 0.5
    files = {}
    if not has_json or rng.random() < 0.3:
        files.update(vocabulary({"PreTrained": "GPT2"}.get(name, "GPT2") if name in FAST_ONLY else name, **options))
    if has_json:
        text = json.loads(tokenizer_json(name, **options))
        if rng.random() < 0.2:
            text["pre_tokenizer"] = rng.choice([None, text["pre_tokenizer"], json.loads(tokenizer_json("GPT2"))["pre_tokenizer"]])
        if rng.random() < 0.2:
            text["added_tokens"].append({"id": 700, **token(rng.choice(["<late>", "the"]), special=rng.random() < 0.5)})
        if rng.random() < 0.1:
            text["normalizer"] = rng.choice([None, {"type": "Lowercase"}, json.loads(tokenizer_json("Bert"))["normalizer"]])
        if rng.random() < 0.1:
            processors = [json.loads(tokenizer_json(n))["post_processor"] for n in ("GPT2", "Roberta", "Bert")]
            text["post_processor"] = rng.choice([None, *processors])
        if rng.random() < 0.1:
            rng.shuffle(text["added_tokens"])
        if rng.random() < 0.15:
            text["truncation"] = {"direction": rng.choice(["Left", "Right"]), "max_length": 9, "strategy": "LongestFirst", "stride": 0}
        if rng.random() < 0.15:
            text["padding"] = {"strategy": "BatchLongest", "direction": rng.choice(["Left", "Right"]), "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "<filler>"}
        files["tokenizer.json"] = text
    damage_lines(rng, files)
    files["tokenizer_config.json"] = config = random_config(rng, name)
    if rng.random() < 0.05:
        config["from_slow"] = rng.random() < 0.7
    if rng.random() < 0.05:
        config["extra_special_tokens"] = {"image_token": "<image>", "own_token": rng.choice(["the", "<s>"])}
    if rng.random() < 0.3:
        files["special_tokens_map.json"] = random_tokens(rng, lambda c: token(c, lstrip=rng.random() < 0.3))
    if rng.random() < 0.3:
        files["added_tokens.json"] = {c: 400 + i for i, c in enumerate(rng.sample(["<a>", "new", "<mask>", "the", "Über", "[SEP]"], 3))}
    if rng.random() < 0.2:
        kinds = {"Bert": "bert", "Llama": "llama", "T5": "t5", "GPT2": "gpt2", "Qwen2": "qwen2", "XLMRoberta": "xlm-roberta"}
        if name in kinds:
            del config["tokenizer_class"]
            files["config.json"] = {"model_type": kinds[name]}
            if rng.random() < 0.2:
                del files["tokenizer_config.json"]
    return name, files


def damage_lines(rng, files):
    """Other line ends, repeated lines and a last line without an end, which are read all the same."""
    for name in ("vocab.txt", "merges.txt"):
        if name not in files or rng.random() < 0.6:
            continue
        lines = files[name].splitlines()
        if rng.random() < 0.5:
            lines.insert(rng.randrange(1, len(lines)), rng.choice(lines[1:]))
        end = rng.choice(["\n", "\r\n"])
        text = end.join(lines) + rng.choice(["", end])
        files[name] = text.encode()


def random_tokens(rng, wrap):
    pool = ["<s>", "</s>", "<pad>", "[MASK]", "<new>", "the", "Ö", "<mask>", "<unk>"]
    found = {}
    for which in NAMED:
        if rng.random() < 0.25:
            content = rng.choice(pool)
            found[which] = rng.choice([content, content, wrap(content)])
    if rng.random() < 0.3:
        found["additional_special_tokens"] = [rng.choice([c, wrap(c)]) for c in rng.sample(["<a>", "<b>", "sea", "<mask>", "<extra_id_0>"], 2)]
    return found


def random_config(rng, name):
    config = {"tokenizer_class": rng.choice([f"{name}Tokenizer", f"{name}TokenizerFast"])}
    config.update(random_tokens(rng, lambda c: typed(c, lstrip=rng.random() < 0.3, special=rng.random() < 0.5, normalized=rng.random() < 0.5)))
    switches = "do_lower_case strip_accents tokenize_chinese_chars do_basic_tokenize add_prefix_space trim_offsets add_bos_token add_eos_token legacy keep_accents split_by_punct clean_up_tokenization_spaces split_special_tokens return_token_type_ids".split()
    for switch in switches:
        if rng.random() < 0.2:
            config[switch] = rng.random() < 0.5
    for key, values in {"padding_side": ["left", "right"], "truncation_side": ["left", "right"], "model_max_length": [512, int(1e30)], "extra_ids": [0, 2, 100], "strip_accents": [None]}.items():
        if rng.random() < 0.15:
            config[key] = rng.choice(values)
    if rng.random() < 0.15:
        config[rng.choice(NAMED)] = None
    if rng.random() < 0.4:
        contents = rng.sample(["<s>", "<mask>", "[CLS]", "<added>", "sea", "Über", "<b>"], 3)
        config["added_tokens_decoder"] = {
            str(rng.choice([i, 300 + i])): token(c, special=rng.random() < 0.5, normalized=rng.random() < 0.5, rstrip=rng.random() < 0.2)
            for i, c in enumerate(contents)
        }
    return config


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    shutil.rmtree(options.out, ignore_errors=True)
    cases = fixed_cases()
    if options.count is not None:
        cases = ((f"{i:04}-{name}", files) for i in range(options.count) for name, files in [random_case(rng)])
    for name, files in cases:
        write(options.out / name, files)
        text = json.dumps(expected(options.out / name), ensure_ascii=False, separators=(",", ":"))
        (options.out / name / "expected.json").write_text(text + "\n", encoding="utf-8")


main()
