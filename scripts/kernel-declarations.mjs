/**
 * What the kernels' source says of itself: signatures, and the tags in their doc comments.
 *
 *   @split items [of A * B]     start..end can be cut anywhere; an item is about as much work as the product of these arguments
 *   @split columns [of A * B]   colStart..colEnd, each thread one piece: rows of a stored matrix are read along, short ones slowly
 *   @split tiles of A + B       rowStart..rowEnd or colStart..colEnd; an element is about as much work as the sum
 *   @split never [: why]        one thread does all of it
 *   @workspace KERNEL(A, B)     the argument `workspace` has room for KERNEL(A, B) bytes, each thread its own
 *   @host NAME                  of a constant: the host has it too, under that name
 *
 * Names are those of the kernel's arguments. Whatever does not fit the signature is an error that names the kernel.
 */
import ts from "typescript";

/** Types that a kernel's arguments and result can have, as JavaScript sees them. */
const TYPES = { i32: "number", u32: "number", usize: "number", f32: "number", f64: "number", bool: "boolean" };
const RANGES = {
  items: ["start", "end"],
  columns: ["colStart", "colEnd"],
  tiles: ["rowStart", "rowEnd", "colStart", "colEnd"],
};

/**
 * Files that no other file imports: those that kernels are exported from; the others are their parts. `sources` maps names, such as
 * "linear/matmul.ts", to text.
 */
export function kernelFiles(sources) {
  const parts = new Set();
  for (const [file, text] of Object.entries(sources))
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      const part = new URL(`${fileName}.ts`, `file:///${file}`).pathname.slice(1);
      if (!Object.hasOwn(sources, part)) throw new Error(`${file} imports "${fileName}", and there is no ${part}`);
      parts.add(part);
    }
  return Object.keys(sources).filter((file) => !parts.has(file));
}

/** The kernels that these files export: { file, name, parameters: [{ name, type }], result, tags }, by file and place. */
export function declaredKernels(sources) {
  const kernels = kernelFiles(sources).flatMap((file) =>
    parse(file, sources[file])
      .filter(isExportedFunction)
      .map((node) => kernelOf(file, node)),
  );
  const twice = kernels.find(({ name }, i) => kernels.findIndex((other) => other.name === name) < i);
  if (twice) throw new Error(`kernel ${twice.name} (${twice.file}): another file exports a kernel of that name`);
  return kernels;
}

function kernelOf(file, node) {
  const name = node.name.text;
  const typeOf = (written, of) => {
    const type = written?.getText();
    if (of === "its result" && type === "void") return "void";
    if (!Object.hasOwn(TYPES, type))
      throw new Error(`kernel ${name} (${file}): ${of} is ${type}, expected ${Object.keys(TYPES).join(", ")}`);
    return TYPES[type];
  };
  const parameters = node.parameters.map((parameter) => {
    const text = parameter.name.getText();
    return { name: text, type: typeOf(parameter.type, `argument ${text}`) };
  });
  return {
    file,
    name,
    parameters,
    result: typeOf(node.type, "its result"),
    tags: tagsOf(node, `kernel ${name} (${file})`),
  };
}

/** How each kernel that can be split is, by name: `Split` of src/wasm/split.ts. */
export function splitsOf(kernels) {
  const byName = new Map(kernels.map((kernel) => [kernel.name, kernel]));
  const stated = new Set(kernels.flatMap(({ tags }) => tags.workspace?.match(/^\w+/)?.[0] ?? []));
  const splits = kernels.flatMap((kernel) => {
    const { name, file, tags } = kernel;
    if (tags.split === undefined && stated.has(name)) return []; // it states the size of a workspace
    const split = splitOf(kernel, byName, (problem) => {
      throw new Error(`kernel ${name} (${file}): ${problem}`);
    });
    return split === null ? [] : [[name, split]];
  });
  return Object.fromEntries(splits);
}

/** Null where one thread does all of it. */
function splitOf({ parameters, result, tags }, kernels, fail) {
  const names = parameters.map(({ name }) => name);
  const said = /^(\w+)(?: of (\w+(?: [*+] \w+)*))?(?:: .+)?$/.exec(tags.split ?? "");
  if (!said)
    fail(
      `expected @split items, columns, tiles or never, found ${tags.split === undefined ? "no such tag" : `"${tags.split}"`}`,
    );
  const [, kind, sizes] = said;
  const workspace = workspaceOf(names, tags.workspace, kernels, fail);
  if (kind === "never") {
    if (sizes || workspace) fail(`@split never takes no sizes and no @workspace`);
    return null;
  }
  const range = Object.hasOwn(RANGES, kind)
    ? RANGES[kind]
    : fail(`@split ${kind} is not known: items, columns, tiles or never`);
  if (names.slice(-range.length).join() !== range.join())
    fail(
      `@split ${kind} needs ${range.join(", ")} as its last arguments, which are ${names.slice(-range.length).join(", ")}`,
    );
  if (result !== "void") fail(`@split ${kind}, but it returns a result, which threads cannot share`);
  const sign = kind === "tiles" ? "+" : "*";
  if (sizes?.includes(sign === "+" ? "*" : "+")) fail(`@split ${kind} takes sizes joined by ${sign}, found "${sizes}"`);
  return {
    tile: kind === "tiles",
    ...(kind === "columns" && { whole: true }),
    sizes: (sizes?.split(` ${sign} `) ?? []).map((size) => placeOf(names, size, "@split", fail)),
    ...(workspace && { workspace }),
  };
}

function workspaceOf(names, said, kernels, fail) {
  const at = names.indexOf("workspace");
  if (said === undefined)
    return at < 0 ? null : fail("it takes a workspace; @workspace must name the kernel that states its size");
  if (at < 0) fail(`@workspace ${said}, but it has no argument "workspace"`);
  const [, of, list] =
    /^(\w+)\(((?:\w+(?:, \w+)*)?)\)$/.exec(said) ?? fail(`expected @workspace KERNEL(ARGUMENTS), found "${said}"`);
  const given = list === "" ? [] : list.split(", ");
  const stating = kernels.get(of) ?? fail(`@workspace ${said}: there is no kernel ${of}`);
  const wanted = stating.parameters.map(({ name }) => name);
  if (wanted.join() !== given.join()) fail(`@workspace ${said}: ${of} takes (${wanted.join(", ")})`);
  return { at, of, given: given.map((name) => placeOf(names, name, "@workspace", fail)) };
}

function placeOf(names, name, tag, fail) {
  const place = names.indexOf(name);
  return place < 0 ? fail(`${tag} names "${name}", which is none of its arguments ${names.join(", ")}`) : place;
}

/** Constants that the host shares, by the name they have there. */
export function hostConstants(sources) {
  const found = {};
  for (const [file, text] of Object.entries(sources))
    for (const statement of parse(file, text).filter(ts.isVariableStatement)) {
      const { host } = tagsOf(statement, file);
      if (host === undefined) continue;
      const { initializer } = statement.declarationList.declarations[0];
      if (!/^[A-Z][A-Z0-9_]*$/.test(host)) throw new Error(`${file}: expected @host NAME, found "${host}"`);
      if (Object.hasOwn(found, host)) throw new Error(`${file}: @host ${host} occurs twice`);
      if (!initializer || !ts.isNumericLiteral(initializer))
        throw new Error(`${file}: @host ${host} must be a numeric literal, found ${initializer?.getText()}`);
      found[host] = Number(initializer.text);
    }
  return found;
}

function parse(file, text) {
  return [...ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).statements];
}

function isExportedFunction(node) {
  return ts.isFunctionDeclaration(node) && node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

/** The tags of a doc comment by name; each may occur once. */
function tagsOf(node, what) {
  const tags = {};
  for (const { tagName, comment } of ts.getJSDocTags(node)) {
    const name = tagName.text;
    if (!["split", "workspace", "host"].includes(name)) throw new Error(`${what}: the tag @${name} is not known`);
    if (Object.hasOwn(tags, name)) throw new Error(`${what}: the tag @${name} occurs twice`);
    tags[name] = (ts.getTextOfJSDocComment(comment) ?? "").trim();
  }
  return tags;
}
