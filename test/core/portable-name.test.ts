import { expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { windowsFault } from "../../src/core/portable-name.ts";
import { expectFileName } from "../../src/runtime/disk.ts";

test.each(["con", "CON", "nul.json", "Aux.tar.gz", "com1", "LPT9", "com¹", "prn .txt"])(
  "%s is a device of Windows",
  (name) => {
    expect(windowsFault(name)).toBe("Windows reserves it for a device");
  },
);

test.each(["a<b", "a>b", "a:b", 'a"b', "a|b", "a?b", "a*b", "a\\b", "a\u0001b"])(
  "%j has a character that Windows refuses",
  (name) => {
    expect(windowsFault(name)).toMatch(/^Windows does not allow /);
  },
);

test.each(["a ", "a.", "model.safetensors."])("%j ends as no name on Windows does", (name) => {
  expect(windowsFault(name)).toBe("Windows drops a space or dot at the end of a name");
});

test.each(["config.json", "console", "com10", "con-fig", "model-00001-of-00002.safetensors", ".hidden", "größe"])(
  "%s is a name everywhere",
  (name) => {
    expect(windowsFault(name)).toBe(null);
  },
);

test("files are refused by name on Windows, in any folder, and are files elsewhere", () => {
  expect(expectFileName("the folder", "state/aux.json", false)).toBe("state/aux.json");
  expect(expectFileName("the folder", "state/trainer.json", true)).toBe("state/trainer.json");
  for (const file of ["state/aux.json", "con/x", "what?.txt"]) {
    expect(() => expectFileName("the folder", file, true)).toThrow(FormatError);
    expect(() => expectFileName("the folder", file, true)).toThrow(`file name "${file}" cannot be used here: Windows`);
  }
});
