/**
 * Activations on planes: of each image, row y·width + x holds the channels of one place, [Σ height·width, channels]. Images of a
 * batch lie end to end and may differ in size, as sequences do.
 */
import { ShapeError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Tape, Value } from "../tape/tape.ts";
import { gatherRows } from "./embed/embedding.ts";
import { reshape } from "./layout/reshape.ts";
import { concatenateRows } from "./layout/rows.ts";

/** The size of one image, in places. */
export interface Plane {
  readonly height: number;
  readonly width: number;
}

export interface Grid {
  /** [Σ height·width, channels] */
  readonly value: Value;
  readonly planes: readonly Plane[];
}

/** Windows that a convolution looks through. */
export interface WindowOptions extends Plane {
  /** Places from one window to the next, 1 by default. */
  readonly stride?: number;
  /** Zeros around each image, 0 by default. */
  readonly padding?: number;
}

/** Rows as a grid. Throws ShapeError unless the planes have as many places as there are rows. */
export function gridOf(value: Value, planes: readonly Plane[]): Grid {
  const places = planes.reduce((sum, { height, width }) => sum + height * width, 0);
  expectShape("rows of a grid", [value.shape[0]!], [places], "the places of its planes");
  return { value, planes };
}

/** Where the rows of each image begin, and the last end. */
export function startsOf({ planes }: Pick<Grid, "planes">): Int32Array {
  const starts = new Int32Array(planes.length + 1);
  for (const [s, { height, width }] of planes.entries()) starts[s + 1] = starts[s]! + height * width;
  return starts;
}

/**
 * The window around each place of the result as its channels, [Σ H·W, height·width·channels]: by rows of the window, then columns,
 * then channels. A linear layer of it is a convolution. Throws ShapeError where an image is smaller than the window.
 */
export function windows(grid: Grid, { height, width, stride = 1, padding = 0 }: WindowOptions): Grid {
  const { value, planes } = grid;
  const { tape } = value;
  const channels = value.shape[1]!;
  const zeros = value.shape[0]!; // the row after all others
  const starts = startsOf(grid);
  const rows: number[] = [];
  const made = planes.map((plane, s): Plane => {
    const down = Math.floor((plane.height + 2 * padding - height) / stride) + 1;
    const across = Math.floor((plane.width + 2 * padding - width) / stride) + 1;
    if (down < 1 || across < 1) {
      throw new ShapeError(
        `an image of ${plane.height} x ${plane.width} with padding ${padding} is smaller than a window of ${height} x ${width}`,
      );
    }
    for (let at = 0; at < down * across * height * width; at++) {
      const place = Math.floor(at / (height * width));
      const y = Math.floor(place / across) * stride - padding + (Math.floor(at / width) % height);
      const x = (place % across) * stride - padding + (at % width);
      const inside = y >= 0 && y < plane.height && x >= 0 && x < plane.width;
      rows.push(inside ? starts[s]! + y * plane.width + x : zeros);
    }
    return { height: down, width: across };
  });
  const padded = padding > 0 ? concatenateRows([value, zeroRow(tape, channels)]) : value;
  const picked = gatherRows(padded, tape.ids(Int32Array.from(rows)));
  const size = height * width;
  return { value: reshape(picked, [rows.length / size, size * channels]), planes: made };
}

function zeroRow(tape: Tape, channels: number): Value {
  const row = tape.value([1, channels]);
  tape.fill(row.ptr, channels, 0);
  return row;
}
