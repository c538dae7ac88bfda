/** Names that Windows does not take for files and folders. */

/** Device names, with any extension. */
const DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/** Why Windows does not take a name, or null: one part of a path, without "/". */
export function windowsFault(name: string): string | null {
  const character = /[<>:"|?*\\]|\p{Cc}/u.exec(name)?.[0];
  if (character !== undefined) return `Windows does not allow ${JSON.stringify(character)} in names`;
  if (/[. ]$/.test(name)) return "Windows drops a space or dot at the end of a name";
  if (DEVICES.test(name.split(".")[0]!.trimEnd())) return "Windows reserves it for a device";
  return null;
}
