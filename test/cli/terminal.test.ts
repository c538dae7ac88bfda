/** How a command speaks to the terminal. */
import { expect, test } from "vitest";
import { finish, start } from "./bed.ts";
import { work } from "./commands/golden-models.ts";

test("a reader that goes away ends a command quietly", async () => {
  const child = start(work, ["inspect", "llama"]);
  const done = finish(child);
  child.stdout!.destroy();
  expect(await done).toEqual({ code: 0, stdout: "", stderr: "" });
});
