"""Writes tokenizers.json: what transformers 4.57.6 makes of some texts and conversations.

    python make.py FOLDER_OF_STORIES260K
"""

import json
import sys
from pathlib import Path

from transformers import AutoTokenizer

HERE = Path(__file__).parent
POCKET = HERE.parents[2] / "examples" / "pocket"
TEXTS = [
    "Once upon a time",
    "  two  spaces",
    "Hello \U0001f600 w\u00f6rld \u4e2d\n\nnew <s> line</s> x",
    "",
    " a",
    "na\u00efve caf\u00e9\u2014d\u00e9j\u00e0",
]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
INSTRUCT = """{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + message['content'] | trim + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] | trim + ' ' + eos_token }}
    {%- else %}
        {{- raise_exception('Only user and assistant roles are supported!') }}
    {%- endif %}
{%- endfor %}"""
MESSAGES = [
    {"role": "user", "content": "Hi there"},
    {"role": "assistant", "content": "Well met."},
    {"role": "user", "content": "Who are you?"},
    {"role": "assistant", "content": "A whale, sir."},
]


def encodings(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        rows.append(
            {
                "text": text,
                "ids": ids,
                "plain": tokenizer(text, add_special_tokens=False)["input_ids"],
                "decoded": tokenizer.decode(ids),
                "skipped": tokenizer.decode(ids, skip_special_tokens=True),
            }
        )
    return rows


def chats():
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    rows = []
    for name, template in [("chatml", CHATML), ("instruct", INSTRUCT)]:
        tokenizer.chat_template = template
        render = tokenizer.apply_chat_template
        rows.append(
            {
                "name": name,
                "template": template,
                "messages": MESSAGES,
                "text": render(MESSAGES, tokenize=False),
                "prompt": render(MESSAGES[:3], tokenize=False, add_generation_prompt=True),
                "ids": render(MESSAGES),
            }
        )
    return rows


golden = {"stories260K": encodings(sys.argv[1]), "pocket": encodings(POCKET), "chats": chats()}
(HERE / "tokenizers.json").write_text(json.dumps(golden) + "\n")
