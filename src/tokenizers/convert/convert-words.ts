/** Conversion of vocab.txt: BERT's words and parts of words (WordPiece). */
import { Backend } from "./backend.ts";
import { bertNormalizer, template } from "./components.ts";
import type { SlowTokenizer } from "./slow-tokenizer.ts";

export function convertWords(slow: SlowTokenizer, vocab: ReadonlyMap<string, number>): Backend {
  const unknown = slow.special.textOf("unk_token");
  const model = {
    type: "WordPiece",
    unk_token: unknown ?? "None", // Python's text of no token
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocab),
  };
  const basic = slow.settings.get("do_basic_tokenize") !== false;
  const setting = (name: string) => (basic ? (slow.settings.get(name) as boolean | null) : false);
  const cls = slow.numbered("cls_token");
  const sep = slow.numbered("sep_token");
  const second = slow.name === "MPNetTokenizer" ? `${sep[0]}:0 $B:1` : "$B:1";
  return new Backend(model, {
    normalizer: bertNormalizer({
      chinese: setting("tokenize_chinese_chars"),
      accents: setting("strip_accents"),
      lower: setting("do_lower_case"),
    }),
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template(`${cls[0]}:0 $A:0 ${sep[0]}:0`, `${cls[0]}:0 $A:0 ${sep[0]}:0 ${second} ${sep[0]}:1`, [
      cls,
      sep,
    ]),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  });
}
