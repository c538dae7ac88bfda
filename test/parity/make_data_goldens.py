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
QUESTIONS = [
    ("  Who was white?", "It was the whiteness of the whale 😀 that appalled me.", "whale"),
    ("Where?", "A café in Zürich served coöperation.", "Zürich"),
    ("What was it?", "Whale ships sailed", "sailed"),
    ("Who?", "Ahab, the captain, sailed from Nantucket with his unforgiving and unafraid men.", "unafraid men"),
]
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

    yield "sentence-piece", llama_tokenizer(), dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def llama_tokenizer():
    """Blanks as marks put in by the normalizer, and bytes for unknown characters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers

    llama = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    specials = ["<unk>", "<s>", "</s>"]
    as_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    texts = [word for text in TEXTS for word in text.split()]
    llama.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, special_tokens=specials + as_bytes))
    llama.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    llama.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made = json.loads(llama.to_str())
    made["added_tokens"] = [token for token in made["added_tokens"] if token["content"] in specials]
    return Tokenizer.from_str(json.dumps(made))


def answer_places(found, start, end, cls):
    """The rule of transformers' run_qa.py: the last token that begins by the start, the first that ends by the end."""
    own = [i for i, sequence in enumerate(found.sequence_ids()) if sequence == 1]
    offsets = found["offset_mapping"]
    if offsets[own[0]][0] > start or offsets[own[-1]][1] < end:
        return [found["input_ids"].index(cls) if cls is not None else 0] * 2
    return [max(i for i in own if offsets[i][0] <= start), min(i for i in own if offsets[i][1] >= end)]


def make_tokenizers():
    from transformers import PreTrainedTokenizerFast

    folder = GOLDEN / "tokenizers"
    folder.mkdir(parents=True, exist_ok=True)
    for name, tokenizer, specials in trained_tokenizers():
        if (folder / f"{name}.json").exists():  # training does not give the same vocabulary each time
            tokenizer = type(tokenizer).from_file(str(folder / f"{name}.json"))
        else:
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
        cases["answers"] = []
        for question, context, answer in QUESTIONS:
            start = context.index(answer)
            for length in (64, 30):
                found = fast(
                    *(question.lstrip(), context), truncation="only_second", max_length=length, return_offsets_mapping=True
                )
                places = answer_places(found, start, start + len(answer), fast.cls_token_id)
                case = {"question": question, "context": context, "answer": answer, "start": start, "maxLength": length}
                cases["answers"].append(case | {"ids": found["input_ids"], "places": places})
        if name == "byte-level":  # as the token classification script of transformers loads such a tokenizer
            from tokenizers import pre_tokenizers

            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
            fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, add_prefix_space=True, **specials)
        for length in (64, 12):
            found = fast(WORDS, is_split_into_words=True, truncation=True, max_length=length)
            cases["words"].append({"words": WORDS, "maxLength": length, "ids": found["input_ids"], "wordIds": found.word_ids()})
        (folder / f"{name}.expected.json").write_text(json.dumps(cases, ensure_ascii=False))


def picture(width, height, seed):
    """Waves, a ramp, edges and noise, so that a filter that is slightly off shows."""
    y, x = np.mgrid[0:height, 0:width]
    checks = 255 * ((x // 5 + y // 5) % 2)
    image = np.stack([127 + 120 * np.sin(x / 4) * np.cos(y / 3), x * 255 // max(1, width - 1), checks], -1)
    image = image + np.random.default_rng(seed).normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def photo(width, height):
    """Smooth, as photographs mostly are."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + c) * np.cos(y / 13 - c) for c in range(3)]
    return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


IMAGE_CONFIGS = {
    "vit": ("ViTImageProcessor", {"size": {"height": 12, "width": 12}}),
    "vit-bicubic-larger": ("ViTImageProcessor", {"size": {"height": 26, "width": 20}, "resample": 3}),
    "vit-plain": ("ViTImageProcessor", {"do_resize": False, "do_rescale": False, "do_normalize": False}),
    "vit-lanczos": ("ViTImageProcessor", {"size": 9, "resample": 1, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}),
    "deit": ("DeiTImageProcessor", {"size": {"height": 16, "width": 16}, "crop_size": {"height": 13, "width": 12}}),
    "deit-padded": ("DeiTImageProcessor", {"do_resize": False, "crop_size": {"height": 24, "width": 15}}),
    "clip": ("CLIPImageProcessor", {"size": {"shortest_edge": 14}, "crop_size": {"height": 14, "width": 14}}),
    "dinov2": ("BitImageProcessor", {"size": 15, "crop_size": 11}),
}


def make_images():
    import transformers
    from PIL import Image
    from safetensors.numpy import save_file

    folder = GOLDEN / "images"
    folder.mkdir(parents=True, exist_ok=True)
    rgb = Image.fromarray(picture(25, 19, 0))
    with_alpha = Image.fromarray(np.dstack([picture(19, 13, 1), np.arange(19 * 13, dtype=np.uint8).reshape(13, 19)]))
    files = {
        "rgb.png": (rgb, {}),
        "rgba.png": (with_alpha, {}),
        "grey.png": (rgb.convert("L"), {}),
        "grey-alpha.png": (with_alpha.convert("LA"), {}),
        "palette.png": (rgb.quantize(16), {"bits": 4}),
        "one-bit.png": (rgb.convert("1"), {}),
        "chroma-444.jpg": (rgb, {"quality": 90, "subsampling": 0}),
        "chroma-420.jpg": (Image.fromarray(photo(32, 24)), {"quality": 90}),
        "progressive.jpg": (rgb, {"quality": 80, "subsampling": 0, "progressive": True}),
        "grey.jpg": (rgb.convert("L"), {"quality": 85}),
    }
    expected = {}
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
        expected[name] = np.asarray(Image.open(folder / name).convert("RGB"))
    for name, (processor, config) in IMAGE_CONFIGS.items():
        made = getattr(transformers, processor)(**config)
        saved = {k: v for k, v in made.to_dict().items() if v is not None}
        if isinstance(config.get("size"), int):  # as old files have it
            saved |= {k: v for k, v in config.items() if k in ("size", "crop_size")}
        (folder / f"{name}.json").write_text(json.dumps(saved, indent=2) + "\n")
        expected[name] = made(Image.open(folder / "rgb.png"), return_tensors="np")["pixel_values"][0].astype(np.float32)
    rows = [{"image": "rgb.png", "label": "checks"}, {"image": "chroma-444.jpg", "label": "blocks"}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"image": "none.png", "label": "a"}, {"image": "vit.json", "label": "a"}]
    (folder / "bad-rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save_file({k: np.ascontiguousarray(v) for k, v in expected.items()}, folder / "expected.safetensors")


def make_metrics():
    import warnings

    from scipy.stats import pearsonr
    from seqeval.metrics import f1_score as span_f1
    from seqeval.metrics import precision_score, recall_score
    from sklearn.metrics import accuracy_score, f1_score

    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    cases = {"classes": [], "multiLabel": [], "regression": [], "spans": []}
    for classes in (2, 3, 7):
        labels = rng.integers(0, min(classes, 6), 40)
        predicted = np.where(rng.random(40) < 0.6, labels, rng.integers(0, classes, 40))
        scores = {"accuracy": accuracy_score(labels, predicted), "f1_macro": f1_score(labels, predicted, average="macro")}
        if classes == 2:
            scores["f1"] = f1_score(labels, predicted)
        cases["classes"].append({"classes": classes, "labels": labels.tolist(), "predicted": predicted.tolist(), "scores": scores})
    labels, predicted = (rng.random((2, 25, 4)) < 0.4).astype(int)
    predicted[::2] = labels[::2]
    scores = {"f1_micro": f1_score(labels, predicted, average="micro"), "exact_match": accuracy_score(labels, predicted)}
    cases["multiLabel"].append({"labels": labels.tolist(), "predicted": predicted.tolist(), "scores": scores})
    labels = rng.normal(0, 2, 30)
    predicted = labels * 0.7 + rng.normal(0.5, 1, 30)
    scores = {"mse": float(np.mean((labels - predicted) ** 2)), "pearson": float(pearsonr(predicted, labels)[0])}
    cases["regression"].append({"labels": labels.tolist(), "predicted": predicted.tolist(), "scores": scores})
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    for more in ([], ["E-PER", "S-LOC"]):
        labels = [[(names + more)[i] for i in rng.integers(0, 5 + len(more), n)] for n in (9, 1, 14, 6)]
        predicted = [[t if rng.random() < 0.8 else (names + more)[rng.integers(0, 5)] for t in row] for row in labels]
        scores = {
            "precision": precision_score(labels, predicted),
            "recall": recall_score(labels, predicted),
            "f1": span_f1(labels, predicted),
        }
        cases["spans"].append({"labels": labels, "predicted": predicted, "scores": scores})
    folder = GOLDEN / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(cases, default=float) + "\n")


def code_units(text, offsets):
    """Python counts code points, JavaScript UTF-16 code units."""
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode("utf-16-le")) // 2)
    return [[at[start], at[end]] for start, end in offsets]


if __name__ == "__main__":
    for what in sys.argv[1:]:
        globals()[f"make_{what}"]()
