/** adapter_config.json: a method's options as PEFT writes and reads them. */
import { compareCodePoints } from "../../core/code-points.ts";
import { FormatError } from "../../core/errors.ts";
import { type PyJson, parsePythonJson, pyFloat, pythonJson, shownJson } from "../../core/python-json.ts";
import { checkedValues, type Method, type MethodConfig, optionsOf, publishedNames } from "../method/define-method.ts";
import { plain, sameJson } from "../method/options.ts";

export const CONFIG_FILE = "adapter_config.json";
export const WEIGHTS_FILE = "adapter_model.safetensors";

/** The version of PEFT whose format is written. A file that is read and saved again keeps its own. */
const FORMAT_VERSION = "0.21.0";

/** Keys that are not options: their values are known when saving. */
const bookkeeping = new Set(["peft_type", "peft_version", "auto_mapping", "inference_mode"]);

/** The parsed keys of the file. Messages call the file `name`. Throws FormatError unless it names its method. */
export function parseConfig(
  content: string,
  name: string,
): { keys: Readonly<Record<string, PyJson>>; peftType: string } {
  const json = parsePythonJson(content, name);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new FormatError(`${name}: found ${content.slice(0, 20)}, expected an object of options`);
  }
  const keys = json as Readonly<Record<string, PyJson>>;
  const { peft_type: peftType } = keys;
  if (typeof peftType === "string") return { keys, peftType };
  const found = peftType === undefined ? "missing" : shownJson(peftType);
  throw new FormatError(`${name}: "peft_type" is ${found}, expected the published name of a method`);
}

/**
 * Options from a file's keys. Keys that are unknown are left out with a warning, as PEFT does: a later version wrote them.
 * `trained` says that the file is that of an adapter with tensors, whose start no longer matters. Throws FormatError for an ill-typed value, UnsupportedError for a known key with a value that is not implemented.
 */
export function readConfig(
  method: Method,
  keys: Readonly<Record<string, PyJson>>,
  name: string,
  onWarning: (message: string) => void,
  trained = false,
): MethodConfig {
  const published = publishedNames(method);
  const camel = new Map(Array.from(published, ([from, to]) => [to, from]));
  const file: Record<string, PyJson> = {};
  const given: Record<string, unknown> = {};
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(keys)) {
    const option = camel.get(key);
    if (option !== undefined) given[option] = plain(value);
    if (option !== undefined || bookkeeping.has(key)) file[key] = value;
    else unknown.push(`"${key}"`);
  }
  if (unknown.length > 0)
    onWarning(`${name}: ignoring unknown ${unknown.join(", ")}; was it written by a newer version?`);
  const spell = (option: string) => published.get(option) ?? option;
  const meant = method.fromFile?.(given, { name, warn: onWarning, trained });
  const { values, inferenceOnly } = meant ?? { values: given, inferenceOnly: [] };
  return {
    method,
    namesTask: true,
    values: checkedValues(method, values, name, spell),
    ...(inferenceOnly.length > 0 && { inferenceOnly: inferenceOnly.map(spell) }),
    file,
  };
}

/** The model that an adapter belongs to, according to its config. */
export interface ModelClass {
  readonly modelType: string;
  readonly architecture: string;
}

/** The text of adapter_config.json: every key of PEFT's own class, sorted, in Python's style. */
export function writeConfig(config: MethodConfig, model: ModelClass): string {
  const { method, values, file } = config;
  const { absent = {}, inert = {} } = method;
  const keys: Record<string, PyJson> = {};
  const specs = optionsOf(method);
  for (const [name, key] of publishedNames(method)) {
    if (Object.hasOwn(absent, name)) keys[key] = absent[name] as PyJson;
    else if (Object.hasOwn(inert, name)) keys[key] = (file?.[key] as PyJson) ?? inert[name]!;
    else
      keys[key] = asWritten(values[name as keyof typeof values], file?.[key] as PyJson | undefined, specs[name]?.float);
  }
  for (const key of ["target_modules", "exclude_modules"]) {
    const list = keys[key]; // sets in PEFT
    if (Array.isArray(list)) keys[key] = [...(list as string[])].sort(compareCodePoints);
  }
  return pythonJson({
    ...keys,
    peft_type: method.peftType,
    peft_version: (file?.peft_version as PyJson) ?? FORMAT_VERSION,
    auto_mapping: values.taskType === null ? autoMapping(model) : null,
    inference_mode: true,
  });
}

/** The file's own spelling of a value if it is equal, so that 16.0 does not become 16. */
function asWritten(value: unknown, read: PyJson | undefined, float = false): PyJson {
  if (read !== undefined && sameJson(plain(read), value)) return read;
  return float && typeof value === "number" ? pyFloat(value) : (value as PyJson);
}

/** The transformers module that contains a model's class: needed only if the file names no task. */
function autoMapping({ modelType, architecture }: ModelClass): PyJson {
  return { base_model_class: architecture, parent_library: `transformers.models.${modelType}.modeling_${modelType}` };
}
