/**
 * The bill of materials of the published package, as CycloneDX 1.5: what a user installs, from package-lock.json, the same in
 * every build. `npm sbom` leaves out packages that tools for development ask for too.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { at } from "./paths.mjs";

/** Writes it to `file`. */
export function writeSbom(file) {
  writeFileSync(file, `${JSON.stringify(sbom(), null, 2)}\n`);
}

/** The package, and what it needs, with versions, licenses and hashes. */
export function sbom() {
  const { packages } = JSON.parse(readFileSync(at("package-lock.json"), "utf8"));
  const { description } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const [own, ...needed] = [...closure(packages)].map((path) => ({ path, ...packages[path] }));
  const all = [{ ...own, path: `/node_modules/${own.name}`, description }, ...needed];
  const [component, ...components] = all.map(componentOf);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    ...{ bomFormat: "CycloneDX", specVersion: "1.5", version: 1 },
    metadata: { component },
    components: components.sort((a, b) => (a["bom-ref"] < b["bom-ref"] ? -1 : 1)),
    dependencies: all.map((each) => ({
      ref: refOf(each),
      dependsOn: Object.keys(each.dependencies ?? {}).map((name) =>
        refOf({ path: within(name), ...packages[within(name)] }),
      ),
    })),
  };
}

/** Places in the lock file: the package itself, and all that it needs. */
function closure(packages) {
  const found = new Set([""]);
  for (const path of found) {
    for (const name of Object.keys(packages[path].dependencies ?? {})) {
      if (packages[within(name)] === undefined) throw new Error(`package-lock.json has no ${within(name)}`);
      found.add(within(name));
    }
  }
  return found;
}

const within = (name) => `node_modules/${name}`;
const nameOf = ({ path }) => path.split("node_modules/").at(-1);
const refOf = (each) => `${nameOf(each)}@${each.version}`;

function componentOf({ path, version, license, integrity, description }) {
  const name = nameOf({ path });
  const [algorithm, hash] = integrity?.split("-") ?? [];
  return {
    ...{ "bom-ref": refOf({ path, version }), type: "library", name, version },
    ...(description && { description }),
    ...(hash && {
      hashes: [{ alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(hash, "base64").toString("hex") }],
    }),
    licenses: [{ license: { id: license } }],
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  };
}
