/** What one input came to. */
const NAMED = ["FormatError", "ShapeError", "StateError", "UnsupportedError"];

/**
 * Runs a campaign on files. `column` is that of the table where the outcome is a failure, otherwise null; `digest` is what came
 * out, where a reference can compare it.
 */
export async function outcomeOf({ run, refusals = [] }, files) {
  try {
    return { accepted: true, digest: (await run(files)) ?? null, column: null };
  } catch (error) {
    const name = error?.name ?? "";
    if (name === "OtherBits") return { accepted: true, digest: null, column: "otherBits", ...described(error) };
    if (name === "WrongAccept") return { accepted: true, digest: null, column: "wrongAccepts", ...described(error) };
    const isNamed = NAMED.includes(name) || refusals.includes(name);
    return { accepted: false, digest: null, column: isNamed ? null : "crashes", ...described(error) };
  }
}

/** An error that says that something was accepted which is none, or came out otherwise. */
export function failure(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

/** Errors with the same signature are one fault. */
function described(error) {
  const text = `${error?.name}: ${error?.message ?? error}`;
  const place = /^\s+at .*$/m.exec(error?.stack ?? "")?.[0].trim() ?? "";
  return { message: text.slice(0, 600), place, signature: `${error?.name} ${place || text.replace(/\d+/g, "N")}` };
}
