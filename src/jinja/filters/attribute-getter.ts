/** Jinja's `attribute=` arguments: a key, or several with dots between them, looked up one after the other. */
import type { Run } from "../values/run.ts";
import { type PyValue, Undefined } from "../values/values.ts";

/** What gets such an attribute of an item; with a fallback (not None) for each key that is not there. */
export function attributeGetter(run: Run, attribute: PyValue, fallback: PyValue = null): (item: PyValue) => PyValue {
  const keys = attributeKeys(attribute);
  return (item) => {
    let found = item;
    for (const key of keys) {
      found = run.item(found, key);
      if (fallback !== null && found instanceof Undefined) found = fallback;
    }
    return found;
  };
}

function attributeKeys(attribute: PyValue): readonly PyValue[] {
  if (attribute === null) return [];
  if (typeof attribute !== "string") return [attribute];
  return attribute.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part));
}

/** Strings in lower case, so that they are compared without it. */
export function ignoreCase(value: PyValue): PyValue {
  return typeof value === "string" ? value.toLowerCase() : value;
}
