/** Vectors of texts. */
import { callOptions, camelKeys, expectArgument } from "../core/call-options.ts";
import { flag, type Options, oneOf } from "../core/options.ts";
import { forEach, outputsOf, type PipelineModel } from "./loaded.ts";
import type { FeatureExtractionOptions, FeatureTensor } from "./results.ts";
import { cutOf, cutting, inputOf } from "./text-classification.ts";

const options = {
  ...cutting,
  pooling: oneOf(["none", "mean", "cls"], "none"),
  normalize: flag(false),
} satisfies Options;

export function featureExtraction(loaded: PipelineModel) {
  return async (texts: string | readonly string[], given: FeatureExtractionOptions = {}): Promise<FeatureTensor> => {
    const asked = camelKeys(given) as FeatureExtractionOptions;
    const { pooling, normalize } = callOptions("feature-extraction", options, asked);
    const found = await forEach(texts, !Array.isArray(texts), (text: string) => {
      expectArgument("feature-extraction", "a text", text, typeof text === "string", "a text or a list of texts");
      const rows = outputsOf(loaded, inputOf(loaded.tokenizer(text, cutOf(asked))));
      const pooled = pooling === "none" ? rows : [pooling === "mean" ? meanOf(rows) : rows[0]!];
      return normalize ? pooled.map(unit) : pooled;
    });
    return tensorOf(found, pooling !== "none");
  };
}

function meanOf(rows: readonly Float32Array[]): Float32Array {
  return rows[0]!.map((_, d) => rows.reduce((sum, row) => sum + row[d]!, 0) / rows.length);
}

function unit(row: Float32Array): Float32Array {
  const norm = Math.max(1e-12, Math.hypot(...row));
  return row.map((x) => x / norm);
}

/** The rows of texts as one block of numbers; texts with fewer rows end in zeros. */
function tensorOf(texts: readonly (readonly Float32Array[])[], isPooled: boolean): FeatureTensor {
  const width = texts[0]?.[0]?.length ?? 0;
  const most = Math.max(0, ...texts.map((rows) => rows.length));
  const data = new Float32Array(texts.length * most * width);
  for (const [t, rows] of texts.entries()) for (const [r, row] of rows.entries()) data.set(row, (t * most + r) * width);
  const dims = isPooled ? [texts.length, width] : [texts.length, most, width];
  return { dims, data, tolist: () => nested(data, dims) };
}

function nested(data: Float32Array, [count = 0, ...rest]: readonly number[]): unknown[] {
  if (rest.length === 0) return Array.from(data);
  const size = data.length / Math.max(1, count);
  return Array.from({ length: count }, (_, i) => nested(data.subarray(i * size, (i + 1) * size), rest));
}
