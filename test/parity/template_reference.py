"""What transformers makes of chat templates: reads JSON lines {"template", "variables"} and answers with JSON lines.

An answer has "text" and "generations" (spans of code points that generation blocks wrote), or "error".
"""

import json
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices


def rendered(template, variables):
    variables = dict(variables)
    own = {"messages": [], "tools": None, "documents": None, "add_generation_prompt": False}
    own = {name: variables.pop(name, value) for name, value in own.items()}
    try:
        compiled = _compile_jinja_template(template)
        text, generations = _render_with_assistant_indices(compiled, **own, **variables)
        json.dumps(text).encode()
        return {"text": text, "generations": generations}
    except Exception as error:  # whatever it is, a template that fails here must fail there
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def main():
    sys.setrecursionlimit(2000)
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(rendered(case["template"], case["variables"])), flush=True)


if __name__ == "__main__":
    main()
