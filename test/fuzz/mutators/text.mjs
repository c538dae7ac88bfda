/** Changes text by its words and lines. */
const MOST = 50_000;
const encoder = new TextEncoder();

/** `words` are what the format knows: they are put in, and pieces of the text are taken out, doubled and moved. */
export function mutateText(bytes, random, others = [], words = []) {
  let text = new TextDecoder().decode(bytes);
  for (let left = 1 + random.below(4); left > 0; left--) {
    text = changed(text, random, others, words).slice(0, MOST);
  }
  return encoder.encode(text);
}

function changed(text, random, others, words) {
  const parts = text.split(random.chance(0.3) ? /(\n)/ : /(\s+|[^\w\s])/);
  const at = random.below(parts.length);
  const end = at + 1 + random.below(6);
  const piece = parts.slice(at, end);
  switch (random.below(8)) {
    case 0:
      parts.splice(at, end - at);
      break;
    case 1:
      parts.splice(at, 0, ...piece);
      break;
    case 2:
      parts.splice(random.below(parts.length), 0, ...piece);
      break;
    case 3:
      return text + piece.join("").repeat(random.pick([2, 20, 500]));
    case 4: {
      const other = others.length > 0 ? new TextDecoder().decode(random.pick(others)) : text;
      const from = random.below(other.length + 1);
      parts.splice(at, 0, other.slice(from, from + 1 + random.below(60)));
      break;
    }
    case 5:
      parts[at] = random.pick([
        "0",
        "-1",
        "1e999",
        "9".repeat(40),
        "NaN",
        "\u0000",
        "\ufeff",
        "\ud83d",
        "é",
        "\r",
        "\t",
      ]);
      break;
    default:
      if (words.length > 0) parts.splice(at, random.below(2), random.pick(words));
      else parts.splice(at, 1, "");
  }
  return parts.join("");
}
