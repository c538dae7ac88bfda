"""Makes test/golden/pipelines: tiny random models with their tokenizers, and what transformers' pipelines and tokenizers answer.

    python test/parity/make_pipeline_goldens.py [--output DIR] [--seed N]

Needs torch, transformers 4.57.6 and Pillow.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent.parent / "golden"
TOKENIZERS = HERE / "tokenizers"
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
TEXTS = ["The white whale swam before him.", "A café in Zürich: naïve ☃ 😀 whales!"]
QUESTION = {"question": "Who was white?", "context": "It was the whiteness of the whale 😀 that appalled me; the captain sailed."}
LONG = {"question": "Where?", "context": " ".join(TEXTS * 3)}
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who swam?"}]
PREFILLED = [*CHAT, {"role": "assistant", "content": "The whale"}]
TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant> {% endif %}"


def word_piece(folder, **changes):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZERS / "word-piece.json"), model_max_length=48, **SPECIAL, **changes
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def byte_level(folder):
    known = json.loads((TOKENIZERS / "byte-level.json").read_text())
    added = [token["content"] for token in known["added_tokens"]]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(TOKENIZERS / "byte-level.json"), bos_token=added[0], eos_token=added[-1], pad_token=added[-1]
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer


def save(model, folder):
    """Weights large enough that a mistake shows, and answers that differ."""
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            norm = "norm" in name.lower() and name.endswith("weight")
            tensor.copy_(torch.randn(tensor.shape) * (0.2 if norm else 0.5) + (1 if norm else 0))
    model.eval().save_pretrained(folder)


def bert(folder, cls, **config):
    tokenizer = word_piece(folder)
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    made = transformers.BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=48, pad_token_id=tokenizer.pad_token_id, **small, **config
    )
    save(cls(made), folder)


def named(*names):
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


def make_models(root):
    bert(root / "classes", transformers.BertForSequenceClassification, **named("bad", "fine", "good"))
    several = {"problem_type": "multi_label_classification"}
    bert(root / "several", transformers.BertForSequenceClassification, **named("a", "b", "c"), **several)
    bert(root / "one", transformers.BertForSequenceClassification, **named("value"))
    tags = named("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    bert(root / "tags", transformers.BertForTokenClassification, **tags)
    bert(root / "answers", transformers.BertForQuestionAnswering)
    bert(root / "features", transformers.BertModel)
    tokenizer = byte_level(root / "writes")
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    llama = transformers.LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, tie_word_embeddings=True, **small, **ids)
    save(transformers.LlamaForCausalLM(llama), root / "writes")
    tokenizer = word_piece(root / "translates", eos_token="[SEP]")
    t5 = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2,
        decoder_start_token_id=tokenizer.pad_token_id, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.sep_token_id,
    )
    save(transformers.T5ForConditionalGeneration(t5), root / "translates")
    vit = transformers.ViTConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4,
        **named("cat", "bird", "whale", "fish", "crab", "seal"),
    )
    save(transformers.ViTForImageClassification(vit), root / "sees")
    transformers.ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(root / "sees")
    from PIL import Image

    pixels = np.random.randint(0, 255, (11, 13, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "sees" / "image.png")


GREEDY = {"max_new_tokens": 8, "do_sample": False}
CASES = [
    ("text-classification", "classes", TEXTS[0], {}),
    ("text-classification", "classes", TEXTS, {}),
    ("text-classification", "classes", TEXTS[1], {"top_k": None}),
    ("text-classification", "classes", TEXTS, {"top_k": 2}),
    ("text-classification", "classes", {"text": TEXTS[0], "text_pair": TEXTS[1]}, {"top_k": 1}),
    ("text-classification", "classes", TEXTS[0], {"function_to_apply": "none", "top_k": None}),
    ("text-classification", "classes", TEXTS[0] * 9, {"truncation": True, "max_length": 12}),
    ("sentiment-analysis", "several", TEXTS[0], {"top_k": None}),
    ("text-classification", "one", TEXTS[0], {}),
    *[("ner", "tags", TEXTS, {"aggregation_strategy": how}) for how in ["none", "simple", "first", "average", "max"]],
    ("token-classification", "tags", TEXTS[0] * 12, {"ignore_labels": ["B-PER", "O"]}),
    ("question-answering", "answers", QUESTION, {}),
    ("question-answering", "answers", QUESTION, {"top_k": 3, "align_to_words": False}),
    ("question-answering", "answers", QUESTION, {"top_k": 4, "max_answer_len": 3, "handle_impossible_answer": True}),
    ("question-answering", "answers", LONG, {"max_seq_len": 30, "doc_stride": 7, "top_k": 2}),
    ("question-answering", "answers", LONG, {}),
    ("feature-extraction", "features", TEXTS[0], {}),
    ("text-generation", "writes", "The white whale", GREEDY),
    ("text-generation", "writes", ["The white whale", "A café"], {**GREEDY, "return_full_text": False}),
    ("text-generation", "writes", CHAT, GREEDY),
    ("text-generation", "writes", [CHAT, PREFILLED], GREEDY),
    ("text2text-generation", "translates", TEXTS[0], GREEDY),
    ("text2text-generation", "translates", TEXTS, GREEDY),
    ("image-classification", "sees", "image.png", {}),
    ("image-classification", "sees", ["image.png"], {"top_k": 2}),
]
CALLS = [
    ("classes", TEXTS[0], {}),
    ("classes", TEXTS, {"padding": True}),
    ("classes", TEXTS, {"padding": "max_length", "max_length": 30}),
    ("classes", TEXTS, {"max_length": 9}),
    ("classes", TEXTS[0] * 5, {"text_pair": TEXTS[1], "max_length": 45, "truncation": "only_first"}),
    ("classes", TEXTS, {"text_pair": TEXTS[::-1], "truncation": True, "max_length": 15, "padding": "longest"}),
    ("classes", TEXTS[0] * 12, {"truncation": True}),
    ("classes", TEXTS, {"padding": True, "pad_to_multiple_of": 8, "add_special_tokens": False}),
    ("classes", TEXTS[0], {"return_token_type_ids": False}),
    ("writes", TEXTS, {"padding": "longest"}),
    ("writes", TEXTS[0], {"truncation": True, "max_length": 4}),
]


def answers(root):
    for task, model, given, options in CASES:
        run = transformers.pipeline(task, model=str(root / model), device="cpu")
        inputs = given
        if task == "image-classification":
            inputs = [str(root / model / each) for each in given] if isinstance(given, list) else str(root / model / given)
        if task == "question-answering":
            result = run(**given, **options)
        else:
            result = run(inputs, **options)
        yield {"task": task, "model": model, "input": given, "options": options, "result": result}


def calls(root):
    for model, text, options in CALLS:
        tokenizer = transformers.AutoTokenizer.from_pretrained(root / model)
        yield {"model": model, "input": text, "options": options, "result": dict(tokenizer(text, **options))}


def chats(root):
    tokenizer = transformers.AutoTokenizer.from_pretrained(root / "writes")
    for messages, options in [(CHAT, {"add_generation_prompt": True}), (PREFILLED, {"continue_final_message": True}), (CHAT, {})]:
        ids = tokenizer.apply_chat_template(messages, tokenize=True, **options)
        yield {"messages": messages, "options": options, "result": ids}


def plain(value):
    if isinstance(value, (np.floating, np.integer)):
        return value.item()
    raise TypeError(f"{value!r} is not JSON")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=HERE)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    torch.set_num_threads(1)
    root = options.output / "pipelines"
    shutil.rmtree(root, ignore_errors=True)
    make_models(root)
    found = {"pipelines": list(answers(root)), "calls": list(calls(root)), "chats": list(chats(root))}
    (root / "expected.json").write_text(json.dumps(found, default=plain, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
