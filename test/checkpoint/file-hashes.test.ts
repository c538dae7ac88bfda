import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { compareHashes, readHashes, writeHashed } from "../../src/checkpoint/file-hashes.ts";
import { mapSource, memoryTarget } from "../../src/checkpoint/source.ts";
import { sha256 } from "../../src/runtime/web-sha256.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function folder(): Promise<Map<string, Uint8Array>> {
  const target = memoryTarget();
  await writeHashed(target, async (inside) => {
    await inside.write("state/b.bin", [text("12"), text("34")]);
    await inside.write("a.json", [text("{}")]);
    await inside.write("empty", []);
    await inside.write("SHA256SUMS", [text("of an inner record")]);
  });
  return target.files;
}

test("the record lists every file that was written, and says that all are as they were", async () => {
  const files = await folder();
  expect(new TextDecoder().decode(files.get("SHA256SUMS"))).toBe(
    "# files: 3\n" +
      "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  a.json\n" +
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n" +
      "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4  state/b.bin\n",
  );
  expect(await compareHashes(mapSource(files))).toEqual({ intact: ["a.json", "empty", "state/b.bin"], problems: [] });
});

test.runIf(spawnSync("sha256sum", ["--version"]).status === 0)("sha256sum accepts it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lorikeet-sums-"));
  try {
    for (const [file, bytes] of await folder()) {
      mkdirSync(join(dir, dirname(file)), { recursive: true });
      writeFileSync(join(dir, file), bytes);
    }
    expect(execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: dir, encoding: "utf8" })).toBe(
      "a.json: OK\nempty: OK\nstate/b.bin: OK\n",
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a change of any bit of any file is found, and so is any cut, the record's own included", async () => {
  const files = await folder();
  let tried = 0;
  for (const [file, bytes] of files) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const report = await compareHashes(mapSource(new Map(files).set(file, changed)));
      expect(report?.problems.length, `${file}, bit ${bit}`).toBeGreaterThan(0);
      tried++;
    }
    for (let length = 0; length < bytes.length; length++) {
      const report = await compareHashes(mapSource(new Map(files).set(file, bytes.subarray(0, length))));
      expect(report?.problems.length, `${file} cut to ${length}`).toBeGreaterThan(0);
    }
    const without = new Map(files);
    without.delete(file);
    const report = await compareHashes(mapSource(without));
    if (file === "SHA256SUMS") expect(report).toBe(null);
    else expect(report!.problems).toEqual([`"${file}" is missing`]);
  }
  expect(tried).toBeGreaterThan(1500);
});

test("a record is not written for what was not read to its end, nor where nothing was written", async () => {
  const target = memoryTarget();
  await writeHashed(target, async () => {});
  expect([...target.files.keys()]).toEqual([]);
  expect(await readHashes(mapSource(target.files))).toBe(null);
});

test("the Web's SHA-256 gives the same hash", async () => {
  const hash = await sha256();
  const reused = text("12");
  hash!.update(reused);
  reused.set(text("34"));
  hash!.update(reused);
  expect(await hash!.hex()).toBe("03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4");
});
