/** What the package is made of: licenses, hashes and the bill of materials. */
import { readFileSync } from "node:fs";
import { join } from "node:path/posix";
import { expect, test } from "vitest";
import { read, root } from "./source.ts";

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
}
const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, Locked> };
const locked = Object.entries(packages).filter(([path]) => path !== "");
const manifest = JSON.parse(read("package.json")) as { name: string; version: string; dependencies: object };

const ALLOWED = ["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD"];
/** Biome's program for other platforms: optional, never published with the package, and without hashes in the lock file. */
const WITHOUT_HASH = /^node_modules\/@biomejs\/cli-/;

test("what users install has a license that allows everything", () => {
  const shipped = locked.filter(([, { dev }]) => dev !== true);
  expect(shipped.map(([path]) => path.slice("node_modules/".length)).sort()).toEqual(
    Object.keys(manifest.dependencies).sort(),
  );
  expect(shipped.filter(([, { license }]) => !ALLOWED.includes(license ?? ""))).toEqual([]);
});

test("every locked package has the hash of its contents, and no address", () => {
  const open = locked.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? "")).map(([path]) => path);
  expect(open.filter((path) => !WITHOUT_HASH.test(path))).toEqual([]);
  expect(locked.filter(([, { resolved }]) => resolved !== undefined && /:\/\//.test(resolved))).toEqual([]);
});

test("the bill of materials names each dependency with version, license and hash, and nothing of the machine", async () => {
  const { sbom } = (await import(new URL("../../scripts/sbom.mjs", import.meta.url).href)) as { sbom(): unknown };
  const text = readFileSync(join(root, "dist/sbom.cdx.json"), "utf8");
  expect(JSON.parse(text)).toEqual(sbom());
  const { bomFormat, metadata, components } = JSON.parse(text) as {
    bomFormat: string;
    metadata: { component: { name: string; version: string } };
    components: { name: string; version: string; licenses: unknown[]; hashes: { alg: string; content: string }[] }[];
  };
  expect(bomFormat).toBe("CycloneDX");
  expect(metadata.component).toMatchObject({ name: manifest.name, version: manifest.version });
  const found = components.map(({ name, version }) => [name, version]);
  expect(Object.fromEntries(found)).toEqual(manifest.dependencies);
  for (const { name, licenses, hashes } of components) {
    expect(licenses, name).toHaveLength(1);
    expect(hashes, name).toMatchObject([{ alg: "SHA-512", content: expect.stringMatching(/^[0-9a-f]{128}$/) }]);
  }
  expect(text).not.toMatch(/timestamp|serialNumber|\/(home|work|tmp|Users)\//);
  expect(text.match(/https?:\/\/[^/"]+/g)).toEqual(["http://cyclonedx.org"]);
});
