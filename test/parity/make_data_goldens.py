"""Makes the goldens of test/golden/tokenizers, test/golden/images and test/golden/metrics: small tokenizers with what
Hugging Face's tokenizers say of some texts, small images with what transformers' image processors make of them, and
scores by scikit-learn and seqeval.

    python test/parity/make_data_goldens.py tokenizers images metrics

Needs transformers 4.57.6; Pillow for the images; scikit-learn and seqeval for the metrics.
"""

import json
import sys
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent.parent / "golden"

TEXTS = [
    "The white whale swam before him, as the monomaniac incarnation of all those malicious agencies.",
    "Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse.",
    "It was the whiteness of the whale that above all things appalled me; the harpooneers' boats were lowered.",
    "A café in Zürich served naïve coöperation; the sailors paid 42 francs.",
    "Whaling ships sailed southward, unafraid of storms, and the captain was unforgiving.",
]
WORDS = ["Captain", "Ahab", "sailed", "from", "Nantucket", ",", "unafraid", ".", "café", "☃"]
SAMPLES = [
    "Call me Ishmael.",
    "  The   white whale,  unafraid!  ",
    "A café in Zürich: naïve ☃ snow\tman\nfar",
    "cafe\u0301 unafraidness 4242 😀 whales' x😀y",
    "whale",
    "鯨 whale 白鯨",
    "<mask>the [SEP] whale</s>",
    "ﬁne ½ Ⅷ ①",
]
PAIRS = [
    ("Who was white?", "The white whale swam before him."),
    ("The white whale swam before him, as the monomaniac incarnation of all those.", "Yes."),
    ("white whale swam before him", "white whale swam before him again and again"),
]


def trained_tokenizers():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers, decoders

    def special(tokenizer, template_cls, template_sep):
        return [(t, tokenizer.token_to_id(t)) for t in (template_cls, template_sep)]

    word_piece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    word_piece.normalizer = normalizers.BertNormalizer(lowercase=True)
    word_piece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    word_piece.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    word_piece.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=160, special_tokens=specials))
    word_piece.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=special(word_piece, "[CLS]", "[SEP]"),
    )
    yield "word-piece", word_piece, dict(cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]")

    t5 = Tokenizer(models.Unigram())
    t5.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(__import__("tokenizers").Regex(" {2,}"), " ")])
    t5.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t5.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    t5.train_from_iterator(TEXTS, trainer)
    t5.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", t5.token_to_id("</s>"))]
    )
    yield "unigram", t5, dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>")

    xlmr = Tokenizer(models.Unigram())
    xlmr.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(left=False, right=True), normalizers.Replace(__import__("tokenizers").Regex(" {2,}"), "▁")])
    xlmr.pre_tokenizer = pre_tokenizers.Metaspace()
    xlmr.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>")
    xlmr.train_from_iterator(TEXTS, trainer)
    xlmr.add_special_tokens(["<mask>"])
    xlmr.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=special(xlmr, "<s>", "</s>")
    )
    yield "unigram-spaces", xlmr, dict(bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>")

    roberta = Tokenizer(models.BPE())
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    roberta.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    roberta.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=340, special_tokens=specials, initial_alphabet=alphabet)
    )
    from tokenizers import AddedToken

    roberta.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    roberta.post_processor = processors.RobertaProcessing(
        sep=("</s>", 2), cls=("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    yield "byte-level", roberta, dict(cls_token="<s>", sep_token="</s>", bos_token="<s>", eos_token="</s>")


def make_tokenizers():
    from transformers import PreTrainedTokenizerFast

    folder = GOLDEN / "tokenizers"
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokenizer, specials in trained_tokenizers():
        (folder / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False))
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials)
        plain = [fast(text, add_special_tokens=False, return_offsets_mapping=True) for text in SAMPLES]
        cases = {"specials": specials, "samples": [], "pairs": [], "words": []}
        for text, found in zip(SAMPLES, plain):
            cases["samples"].append({"text": text, "ids": found["input_ids"], "offsets": code_units(text, found["offset_mapping"])})
        for first, second in PAIRS:
            for length in (9, 10, 17, 64):
                for strategy in ("longest_first", "only_second"):
                    try:
                        found = fast(first, second, truncation=strategy, max_length=length, return_token_type_ids=True)
                    except Exception:  # the first text alone is too long
                        continue
                    if len(found["input_ids"]) > length:
                        continue
                    case = {"first": first, "second": second, "maxLength": length, "truncation": strategy}
                    case |= {"ids": found["input_ids"], "types": found["token_type_ids"], "sequences": found.sequence_ids()}
                    cases["pairs"].append(case)
            found = fast(first, truncation=True, max_length=8, return_token_type_ids=True)
            case = {"first": first, "second": None, "maxLength": 8, "truncation": "longest_first"}
            case |= {"ids": found["input_ids"], "types": found["token_type_ids"], "sequences": found.sequence_ids()}
            cases["pairs"].append(case)
        if name == "byte-level":  # as the token classification script of transformers loads such a tokenizer
            from tokenizers import pre_tokenizers

            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, add_prefix_space=True, **specials)
        for length in (64, 12):
            found = fast(WORDS, is_split_into_words=True, truncation=True, max_length=length)
            cases["words"].append({"words": WORDS, "maxLength": length, "ids": found["input_ids"], "wordIds": found.word_ids()})
        (folder / f"{name}.expected.json").write_text(json.dumps(cases, ensure_ascii=False))


def code_units(text, offsets):
    """Python counts code points, JavaScript UTF-16 code units."""
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode("utf-16-le")) // 2)
    return [[at[start], at[end]] for start, end in offsets]


if __name__ == "__main__":
    for what in sys.argv[1:]:
        globals()[f"make_{what}"]()
