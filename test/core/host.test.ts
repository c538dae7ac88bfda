import { expect, test } from "vitest";
import { UnsupportedError } from "../../src/core/errors.ts";
import * as browser from "../../src/runtime/browser.ts";
import * as node from "../../src/runtime/node.ts";

test("every host exports the same names, and `host` holds the same functions", () => {
  expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
  for (const { host, ...functions } of [browser, node])
    expect(functions).toEqual({ ...host, name: undefined, ...functions });
});

test("a browser refuses a folder path and says what to pass instead", () => {
  const says = (what: string) =>
    new UnsupportedError(`folder "out": a browser cannot open folders by path; pass ${what} instead`);
  expect(() => browser.openFolder("out")).toThrow(says("a URL, or a map of file names to bytes or Blobs,"));
  expect(() => browser.folderTarget("out")).toThrow(says("a map to fill"));
  expect(() => browser.openRun("out")).toThrow(says("memoryRun()"));
});

test.each([
  ["browser", browser],
  ["node", node],
])("%s compiles both builds of the kernels", async (_, host) => {
  for (const build of ["baseline", "relaxed"] as const) {
    const names = WebAssembly.Module.exports(await host.compileBuild(build)).map((each) => each.name);
    expect(names).toContain("add_f32");
  }
});
