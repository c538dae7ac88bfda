"""Prints, for the tables of src/tokenizers/unicode/tables.ts, what Rust's tokenizers 0.22.2 say of every code point.

    python test/parity/unicode_tables.py > tables.json && node test/parity/unicode_tables.mjs tables.json

unicode_tables.mjs compares them with the engine's Unicode and prints the tables in their own form.
"""

import json

from tokenizers import Regex
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

POINTS = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
IOTA = "\u0345"


def ranges(points):
    found = []
    for point in points:
        if found and found[-1][1] == point - 1:
            found[-1][1] = point
        else:
            found.append([point, point])
    return found


def probe(holds):
    return ranges(point for point in POINTS if holds(chr(point)))


def changed(normalizer):
    return {point: normalizer.normalize_str(chr(point)) for point in POINTS if normalizer.normalize_str(chr(point)) != chr(point)}


def bert(strips):
    return N.BertNormalizer(clean_text=not strips, handle_chinese_chars=False, strip_accents=strips, lowercase=False)


def moves(char, nfd=N.NFD()):
    """Whether a mark comes before U+0345, whose combining class is 240."""
    ordered = nfd.normalize_str(IOTA + char)
    return len(ordered) == 2 and not ordered.startswith(IOTA)


punctuation = P.Punctuation("removed")
unassigned = P.Split(Regex("\\p{Cn}"), "removed")
cleaning, stripping, accents = bert(False), bert(True), N.StripAccents()
print(
    json.dumps(
        {
            "AFTER_16": probe(lambda char: not unassigned.pre_tokenize_str(char)),
            "NOT_PUNCTUATION": probe(lambda char: not punctuation.pre_tokenize_str(char)),
            "NOT_NONSPACING": probe(lambda char: stripping.normalize_str(char) == ""),
            "NOT_COMBINING": probe(lambda char: accents.normalize_str(char) == ""),
            "OTHER": probe(lambda char: cleaning.normalize_str(char) == ""),
            "MOVES": probe(moves),
            "NFD": changed(N.NFD()),
            "NFKD": changed(N.NFKD()),
        }
    )
)
