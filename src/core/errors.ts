/**
 * The four ways a call can fail. A message says five things: the thing by the name the caller gave it, what was found,
 * what was expected, where the expectation came from, and the next step when there is one.
 */

/** Sizes do not fit each other. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** A file, or text or bytes that came from one, is wrong. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** The request is right, but this build, host or version cannot do it. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}

/** The call is right, but this is the wrong moment for it. */
export class StateError extends Error {
  override readonly name = "StateError";
}
