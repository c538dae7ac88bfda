/** The post-processor of a tokenizer.json. Rust counterpart: `processors/mod.rs`. */
import { byType, type Fields } from "../fields.ts";
import { readBertProcessing } from "./bert.ts";
import type { PostProcessor } from "./post-processor.ts";
import { readRobertaProcessing } from "./roberta.ts";
import { readTemplate } from "./template.ts";
import { trimOffsets } from "./trim-offsets.ts";

export function readPostProcessor(fields: Fields): PostProcessor {
  return byType(fields, {
    ...{
      BertProcessing: readBertProcessing,
      RobertaProcessing: readRobertaProcessing,
      TemplateProcessing: readTemplate,
    },
    ...{ ByteLevel: readByteLevelProcessing, Sequence: readSequence },
  });
}

/** Rust counterpart: `PostProcessor for ByteLevel` of `pre_tokenizers/byte_level.rs`. */
function readByteLevelProcessing(fields: Fields): PostProcessor {
  fields.only("add_prefix_space", "trim_offsets", "use_regex");
  const [trims, prefixed] = [fields.boolean("trim_offsets"), fields.boolean("add_prefix_space")];
  fields.boolean("use_regex", true); // what the pre-tokenizer of this name does
  return {
    added: () => 0,
    process(encodings) {
      encodings.forEach((encoding, i) => {
        if (trims) trimOffsets(encoding, prefixed);
        encoding.setSequence(i);
      });
      return encodings;
    },
  };
}

/** Rust counterpart: `processors/sequence.rs`. */
function readSequence(fields: Fields): PostProcessor {
  const steps = fields.only("processors").parts("processors").map(readPostProcessor);
  return {
    added: (isPair) => steps.reduce((sum, step) => sum + step.added(isPair), 0),
    process: (encodings, adds) => steps.reduce((found, step) => step.process(found, adds), encodings),
  };
}
