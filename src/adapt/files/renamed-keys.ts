/** Keys of adapter files whose modules are called otherwise in the model at hand. */
import { FormatError } from "../../core/errors.ts";
import type { Base } from "../adaptable-model.ts";
import { KEY_PREFIX, type Warn } from "../adapter.ts";

/** What wraps a language model in models of text and images, and what compiling or distributing a model puts before it. */
const WRAPPERS = /(^|\.)(language_model|text_model|_orig_mod|module)(?=\.)/g;

/** The tensors by the names that `mapping` gives them: the first of its expressions that is found in a key counts. */
export function mapped<T>(
  tensors: ReadonlyMap<string, T>,
  mapping: Readonly<Record<string, string>>,
): ReadonlyMap<string, T> {
  const rules = Object.entries(mapping).map(([pattern, replacement]) => rule(pattern, replacement));
  return renamed(tensors, (name) => {
    const found = rules.find(({ expression }) => name.search(expression) >= 0);
    return found === undefined ? name : name.replace(found.expression, found.replacement);
  });
}

/** An expression as Python's `re.subn` reads it, all of whose matches are replaced. */
function rule(pattern: string, replacement: string): { expression: RegExp; replacement: string } {
  try {
    const expression = new RegExp(pattern.replaceAll("(?P<", "(?<"), "g");
    const groups = replacement.replaceAll("$", "$$$$").replace(/\\g<(\w+)>/g, groupOf);
    return { expression, replacement: groups.replace(/\\(\d+)/g, "$$$1") };
  } catch (cause) {
    throw new FormatError(`keyMapping: ${JSON.stringify(pattern)} is not a regular expression`, { cause });
  }
}

const groupOf = (_: string, name: string) => (/^\d+$/.test(name) ? `$${name}` : `$<${name}>`);

/**
 * The tensors by their names without the wrappers that the model does not have: an adapter of a model for text and images on
 * its language model alone. Says so where that changes anything.
 */
export function unwrapped<T>(
  tensors: ReadonlyMap<string, T>,
  base: Base,
  warn: Warn,
  from: string,
): ReadonlyMap<string, T> {
  const layers = [...base.layers.keys()];
  const fits = (name: string) => layers.some((layer) => name.startsWith(`${layer}.`));
  const example: string[] = [];
  const found = renamed(tensors, (name) => {
    const bare = name.replace(WRAPPERS, "").replace(/^\./, "");
    if (bare === name || fits(name) || !fits(bare)) return name;
    example.push(`"${name}" is "${bare}"`);
    return bare;
  });
  if (example.length > 0)
    warn(`${from}: ${example.length} keys are of a model that wraps this one: ${example[0]} here`);
  return found;
}

function renamed<T>(tensors: ReadonlyMap<string, T>, rename: (name: string) => string): ReadonlyMap<string, T> {
  return new Map(
    Array.from(tensors, ([key, tensor]) => {
      if (!key.startsWith(KEY_PREFIX)) return [key, tensor];
      return [KEY_PREFIX + rename(key.slice(KEY_PREFIX.length)), tensor];
    }),
  );
}
