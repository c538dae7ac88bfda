/** Which names an adapter may have: it is a folder when the adapter is saved, a key in a file of AdapterHub, a part of a fusion's name. */
import { FormatError } from "../core/errors.ts";

/** The adapter at the root of a folder; others have subfolders by name. */
export const DEFAULT_ADAPTER = "default";

/** Stands for no adapter at all where each sequence of a batch has its own, as in PEFT. */
export const BASE_ROUTE = "__base__";

/** Names of devices that Windows makes no folder of, whatever follows a dot. */
const devices = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/** Throws a FormatError unless the name can be that of an adapter. */
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
  if (name !== name.trim()) return "it begins or ends with a blank";
  if (devices.test(name)) return "Windows reserves it for a device";
  if (name in {}) return "every JavaScript object has a property of this name";
  return name === BASE_ROUTE ? "it stands for the base without an adapter" : null;
}

/** Names in messages: `"a", "b"`. */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
