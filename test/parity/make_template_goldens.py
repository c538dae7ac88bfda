"""Makes test/golden/templates/rendered.json: what transformers makes of each template in that folder for some conversations;
and fills in what it makes of each line of constructs.json there.

    python test/parity/make_template_goldens.py

The templates have generation blocks around what the assistant writes, which transformers' mask follows. The same templates
without these blocks must give the same text, and the same spans by other means. Needs transformers 4.57.6.
"""

import json
import re
from pathlib import Path

from template_reference import rendered

GOLDEN = Path(__file__).parent.parent / "golden" / "templates"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather <now> & later, é",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where"},
                "days": {"type": "integer", "default": 1.0},
                "10": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["city"],
        },
    },
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Paris", "days": 2, "temp": 1.0}}}
RESULT = {"role": "tool", "content": '{"t": 20.0}'}

CONVERSATIONS = [
    {"messages": [user("Who is Ahab?"), assistant("A captain.")]},
    {"messages": [system(" Be brief.\n"), user("Who is Ahab?"), assistant("A captain.")]},
    {"messages": [user("One"), assistant("Two"), user("Three"), assistant("Four"), user("Five")]},
    {"messages": [system("Count."), user("One"), assistant("Two"), user("Three"), assistant("Four")]},
    {"messages": [user(" padded "), assistant("\n\n  indented\n    answer  \n")]},
    {"messages": [user("Same"), assistant("Same"), user("Same"), assistant("Same")]},
    {"messages": [user("Nothing"), assistant(""), user(""), assistant("Something")]},
    {"messages": [user("日本語 🦜 é"), assistant("𝒳 ≠ ü 👩‍👩‍👧 <b>&'\""), user("😀"), assistant("ok")]},
    {"messages": [user("Think"), assistant("<think>\nWell, hm.\n</think>\n\nYes."), user("Again"), assistant("<think>\nOnce.\n</think>\n\nNo.")]},
    {"messages": [user("Think"), assistant("Yes.", reasoning_content="Well.", thinking="Well.")]},
    {"messages": [user("Weather?"), assistant("Sunny.")], "tools": [TOOL]},
    {"messages": [user("Weather?"), assistant(None, tool_calls=[CALL]), RESULT, assistant("20 degrees.")], "tools": [TOOL]},
    {
        "messages": [
            system("Use tools."),
            user("Weather?"),
            assistant("Let me see.", tool_calls=[CALL]),
            RESULT,
            assistant("20."),
            user("Thanks"),
            assistant("Welcome."),
        ],
        "tools": [TOOL, TOOL],
    },
    {"messages": [user("Two"), assistant("", tool_calls=[CALL, CALL]), RESULT, RESULT, assistant("Both.")]},
    {"messages": [user("Go"), assistant("<"), user("<|im_end|>"), assistant("assistant\nassistant")]},
    {"messages": [user("Go"), assistant("One."), assistant("Two."), user("Hm"), assistant("Three.\n")]},
]


def unmarked(template):
    """The template without generation blocks; what their tags cut from the text around them stays cut."""
    return re.sub(r"\{%- (end)?generation -%\}", lambda found: "{%- endif -%}" if found[1] else "{%- if true -%}", template)


def golden(template, conversation):
    variables = {**TOKENS, "tools": None, **conversation}
    marked = rendered(template, variables)
    if "error" in marked:
        return None
    assert rendered(unmarked(template), variables)["text"] == marked["text"]
    prompt = rendered(template, {**variables, "add_generation_prompt": True})
    return {"text": marked["text"], "spans": marked["generations"], "prompt": prompt.get("text", "")}


def fill_constructs():
    path = GOLDEN / "constructs.json"
    held = json.loads(path.read_text("utf-8"))
    cases = []
    for case in held["cases"]:
        found = rendered(case["template"], held["conversations"][case["on"]])
        outcome = {"error": found["error"].split(":")[0]} if "error" in found else found
        if outcome.get("generations") == []:
            del outcome["generations"]
        cases.append({"on": case["on"], "template": case["template"], **outcome})
    parts = {"conversations": held["conversations"], "cases": cases}
    lines = [
        f'"{name}": [\n' + ",\n".join(json.dumps(each, ensure_ascii=False) for each in values) + "\n]"
        for name, values in parts.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    print(len(cases), "constructs,", sum("error" in case for case in cases), "of them errors")


def main():
    fill_constructs()
    styles = {}
    for path in sorted(GOLDEN.glob("*.jinja")):
        template = path.read_text("utf-8")
        styles[path.stem] = [golden(template, conversation) for conversation in CONVERSATIONS]
        print(path.stem, sum(each is not None for each in styles[path.stem]), "of", len(CONVERSATIONS))
    lines = [
        f'"tokens": {json.dumps(TOKENS)}',
        '"conversations": [\n' + ",\n".join(json.dumps(each, ensure_ascii=False) for each in CONVERSATIONS) + "\n]",
        '"styles": {\n' + ",\n".join(f"{json.dumps(name)}: {json.dumps(rows, ensure_ascii=False)}" for name, rows in styles.items()) + "\n}",
    ]
    (GOLDEN / "rendered.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
