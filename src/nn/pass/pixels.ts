import type { Input, InputKind } from "./inputs.ts";

/** The images that a model accepts, and their form for its layers. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** The number of activation rows per image. */
  readonly rows: number;
}

/** An image in a model's format: [channels · height · width], normalized. */
export function pixelInput(values: Float32Array): Input {
  return { kind: "pixels", values };
}

/** Images of one size that replace tokens. */
export function pixels({ channels, height, width, rows }: ImageShape): InputKind {
  return {
    kind: "pixels",
    shape: [channels, height, width],
    rows: () => rows,
    largest: () => new Float32Array(channels * height * width),
    problem(values) {
      if (values === undefined) return 'no pixels: this model needs images, with rows such as {"image", "label"}';
      if (values.length === channels * height * width) return null;
      const side = Math.sqrt(values.length / channels);
      const found = Number.isInteger(side) ? `${side} x ${side}` : `${values.length} numbers`;
      return `an image of ${found}, but the model's position embeddings are for ${height} x ${width} in ${channels} channels: resize it`;
    },
  };
}
