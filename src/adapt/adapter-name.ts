/**
 * Valid adapter names: a name becomes a folder when the adapter is saved, a key in AdapterHub's files, and part of a
 * fusion's name.
 */
import { FormatError } from "../core/errors.ts";
import { windowsFault } from "../core/portable-name.ts";

/** The adapter at the root of a folder; others have subfolders with their names. */
export const DEFAULT_ADAPTER = "default";

/** Means no adapter when each sequence of a batch has its own, as in PEFT. */
export const BASE_ROUTE = "__base__";

/** Throws FormatError unless the name is valid for an adapter. */
export function expectAdapterName(name: string): void {
  const fault = faultOf(name);
  if (fault === null) return;
  throw new FormatError(
    `adapter name ${JSON.stringify(name)} cannot be used: ${fault}. ` +
      'The adapter is saved in a folder of this name: use letters, digits, "-" and "_"',
  );
}

function faultOf(name: string): string | null {
  if (name === "") return "it is empty";
  const character = /[./\\:*?"<>|,\p{Cc}\p{Cs}]/u.exec(name)?.[0];
  if (character !== undefined) return `it contains ${JSON.stringify(character)}`;
  if (name !== name.trim()) return "it starts or ends with a space";
  const fault = windowsFault(name);
  if (fault !== null) return fault;
  if (name in {}) return "every JavaScript object has a property of this name";
  return name === BASE_ROUTE ? "it means the base without an adapter" : null;
}

/** Names in messages: `"a", "b"`. */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
