/** Classes of images: a file beside the data file, or numbers as the model takes them. PEFT has no such task. */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { sameShape, sizeOf } from "../core/shape.ts";
import type { ImageConfig } from "../image/preprocess.ts";
import { pixelInput } from "../nn/pass/pixels.ts";
import { defineRow, kindOf, type Label, type RowOf, withLabel } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";
import type { EncodeContext, Example } from "./kit/example.ts";
import { countOne, longestLabels, presentLabels } from "./kit/sequence-labels.ts";
import { labelsOf } from "./rows/encode-labelled.ts";

export interface ImageContent {
  readonly kind: "image";
  readonly file: string;
  readonly label?: Label;
}

/** A PNG or JPEG file, by its path from the data file. */
const imageRow = defineRow<ImageContent>({
  kind: "image",
  title: "an image",
  required: ["image"],
  optional: ["label"],
  texts: ["image"],
  shapes: ['{"image": path, "label"}'],
  isText: false,
  read(row) {
    const { image } = row;
    if (typeof image !== "string" || image === "") return `"image" should be a path, found ${kindOf(image)}`;
    return withLabel({ kind: "image", file: image }, row);
  },
  files: {
    prepare: async (config, name) => (await import("../image/preprocess.ts")).readImageConfig(config, name),
    async load({ file, ...row }, { read, preparation, maxPixels }): Promise<PixelsContent | string> {
      const { preprocess } = await import("../image/preprocess.ts");
      const { loadImage } = await import("../image/load-image.ts");
      try {
        const image = await loadImage(
          await read(file),
          `image "${file}"`,
          maxPixels === undefined ? {} : { maxPixels },
        );
        const pixels = preprocess(image, preparation as ImageConfig);
        return { ...row, kind: "pixels", pixels, shape: [pixels.length] };
      } catch (error) {
        if (error instanceof FormatError || error instanceof UnsupportedError) return error.message;
        throw error;
      }
    },
  },
});

export interface PixelsContent {
  readonly kind: "pixels";
  readonly pixels: Float32Array;
  readonly shape: readonly number[];
  readonly label?: Label;
}

/** Numbers as the model takes them, [C][H][W] or flat. */
const pixelsRow = defineRow<PixelsContent>({
  kind: "pixels",
  title: "pixels",
  required: ["pixel_values"],
  optional: ["label"],
  shapes: ['{"pixel_values", "label"}'],
  isText: false,
  read(row) {
    const shape: number[] = [];
    for (let part: unknown = row.pixel_values; Array.isArray(part); part = part[0]) shape.push(part.length);
    const flat = Array.isArray(row.pixel_values) ? (row.pixel_values.flat(2) as unknown[]) : [];
    const count = shape.reduce((a, b) => a * b, 1);
    const even = (shape.length === 1 || shape.length === 3) && flat.length === count && count > 0;
    if (!even || !flat.every((v) => typeof v === "number")) {
      return '"pixel_values" should be numbers in equally long lists, [channels][height][width] or one flat list';
    }
    return withLabel({ kind: "pixels", pixels: Float32Array.from(flat as number[]), shape }, row);
  },
});

export const task = defineTask({
  name: "IMAGE_CLS",
  taskType: null,
  head: "imageLabels",
  headModules: ["classifier"],
  headOutsideAllLinear: false,
  stacks: ["encoder"],
  auto: "AutoModelForImageClassification",
  model: async () => (await import("../nn/tasks/classifier.ts")).ImageClassifier,
  rows: [imageRow, pixelsRow],
  needs: '{"image": path, "label"} or {"pixel_values", "label"}',
  suggestedBy: () => true,
  classes: "one",
  encode,
  countLabels: countOne,
  longest: (model) => ({
    inputIds: new Int32Array(),
    labels: longestLabels(model),
    inputs: model.inputKinds.map(({ kind, largest }) => ({ kind, values: largest(0) })),
  }),
  metrics: async (options) => (await import("../metrics/sequence-metrics.ts")).sequenceMetrics(options),
  present: presentLabels,
});

function encode(row: RowOf<typeof imageRow | typeof pixelsRow>, context: EncodeContext): Example | string {
  if (row.kind === "image") return `is the image "${row.file}", which loadDataset decodes first`;
  const input = pixelInput(row.pixels);
  const wanted = context.inputKinds?.find(({ kind }) => kind === input.kind)?.shape;
  if (wanted) {
    const fits = row.shape.length === 1 ? row.pixels.length === sizeOf(wanted) : sameShape(row.shape, wanted);
    if (!fits) return `"pixel_values" is [${row.shape.join("][")}], the model takes [${wanted.join("][")}]`;
  }
  const labels = labelsOf(row.label, context);
  return typeof labels === "string" ? labels : { inputIds: new Int32Array(), labels, inputs: [input] };
}
