/**
 * The four ways a call can fail. A message states five things: the subject by the name the caller gave it, what was
 * found, what was expected, where the expectation came from, and the next step when there is one.
 */

/** Sizes do not match. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** A file is invalid, or text or bytes read from one are. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** The request is valid, but this build, host or version does not support it. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}

/** The call is valid, but not in the current state. */
export class StateError extends Error {
  override readonly name = "StateError";
}
