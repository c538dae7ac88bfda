import { expectShape } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";

/** Sizes of images and of the patches that they are cut into without overlap. */
export interface PatchGrid {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly patchHeight: number;
  readonly patchWidth: number;
}

/**
 * Cuts images [S, C, H, W] into patches, each a row of its channels, rows and columns: [S · H/p · W/p, C·p·p], row by row of an
 * image. Leftover pixels at the right and the bottom are dropped, as in a convolution. Images get no gradient.
 */
export function patches(tape: Tape, pixels: Float32Array, grid: PatchGrid): Value {
  const { channels, height, width, patchHeight, patchWidth } = grid;
  const [down, across] = [Math.floor(height / patchHeight), Math.floor(width / patchWidth)];
  const count = pixels.length / (channels * height * width);
  expectShape("pixels", [pixels.length], [Math.floor(count) * channels * height * width], "for whole images");
  const size = channels * patchHeight * patchWidth;
  const y = tape.value([count * down * across, size]);
  if (tape.planning) return y;
  const rows = tape.memory.f32(y.ptr, count * down * across * size);
  let at = 0;
  for (let s = 0; s < count; s++) {
    for (let patch = 0; patch < down * across; patch++) {
      const top = Math.floor(patch / across) * patchHeight;
      const left = (patch % across) * patchWidth;
      for (let line = 0; line < channels * patchHeight; line++) {
        const channel = s * channels + Math.floor(line / patchHeight);
        const from = (channel * height + top + (line % patchHeight)) * width + left;
        rows.set(pixels.subarray(from, from + patchWidth), at);
        at += patchWidth;
      }
    }
  }
  return y;
}
