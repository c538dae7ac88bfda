"""Random patterns with the places where Rust's tokenizers (Oniguruma) split some texts; null where Rust refuses one.

    python test/parity/patterns.py SEED COUNT      prints a list of [pattern, [[text, [[start, end], ...]], ...] or null]
"""

import json
import random
import sys

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

ATOMS = "a b \\s \\w \\d [a-c] [^a] . \\p{L} \\p{Lu} (?:ab|c) (?i:k) [\\w&&[^a]] é \\S \\W (?>a|ab) [[:punct:]] (ab?) \\R \\n \\x20".split(" ")
PLACES = ["(?=b)", "(?!a)", "(?<=a)", "(?<!b)", "\\b", "^", "$"]
REPEATS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "++", "*+", "?+", "{2}", "{1,2}", "{,2}", "{2,}"]
TEXTS = ["abcab  aKé1\n", "ABab ab\r\ncc -a_b!", "aaaa bbb\n\nb", "é a\u0301K k12 ", "b", "kab\nab"]


def pattern(depth=0):
    parts = []
    for _ in range(random.randint(1, 3)):
        kind = random.random()
        if kind < 0.2:
            parts.append(random.choice(PLACES))
        elif kind < 0.35 and depth < 2:
            parts.append(f"(?:{pattern(depth + 1)}){random.choice(REPEATS)}")
        else:
            parts.append(random.choice(ATOMS) + random.choice(REPEATS))
    more = f"|{pattern(depth + 1)}" if random.random() < 0.25 and depth < 2 else ""
    return "".join(parts) + more


def splits(source):
    try:
        split = Split(Regex(source), "isolated")
        return [[text, [place for _, place in split.pre_tokenize_str(text)]] for text in TEXTS]
    except BaseException as cause:  # a panic of Rust is no Exception
        if isinstance(cause, KeyboardInterrupt):
            raise
        return None


random.seed(int(sys.argv[1]))
sources = [pattern() for _ in range(int(sys.argv[2]))]
print(json.dumps([[source, splits(source)] for source in sources]))
