/**
 * AdapterHub's adapter_config.json, the library `adapters` 1.2.0: `config` holds the fields of the method, and the
 * other keys describe the model it was made for. PEFT's file with the same name has `peft_type` instead.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { numberedLabels } from "../../core/labels.ts";
import { type PyJson, pyFloat, pythonJson, shownJson } from "../../core/python-json.ts";
import { labelNames } from "../../nn/tasks/label-names.ts";
import type { Base } from "../adaptable-model.ts";
import type { Warn } from "../adapter.ts";
import { checkedValues, type Method, type MethodConfig } from "../method/define-method.ts";
import { plain, sameJson, snakeCase } from "../method/options.ts";
import type { ModelClass } from "./config-file.ts";

export type Keys = Readonly<Record<string, PyJson>>;

/** The version of the library whose format is written. A file that is read and saved again keeps its own. */
export const HUB_VERSION = "adapters.1.2.0";

/** Fields of unimplemented features, with the only value that each may have. */
const absent: Keys = { phm_layer: false, inv_adapter: null };

/** Fields that configure those features, as AdapterHub writes them. */
const inert: Keys = {
  factorized_phm_W: true,
  factorized_phm_rule: false,
  hypercomplex_nonlinearity: "glorot-uniform",
  inv_adapter_reduction_factor: null,
  learn_phm: true,
  phm_bias: true,
  phm_c_init: "normal",
  phm_dim: 4,
  phm_init_range: 0.0001,
  phm_rank: 1,
  shared_W_phm: false,
  shared_phm_rule: true,
};

/** The meaning of fields that a file omits. */
const missing = { original_ln_before: false, init_weights: "bert", is_parallel: false, scaling: 1 };
const required = ["mh_adapter", "output_adapter", "reduction_factor", "non_linearity"];

/** Whether the keys of an adapter_config.json are AdapterHub's. */
export function isHubConfig(keys: Keys): boolean {
  return keys.peft_type === undefined && keys.config !== undefined && typeof keys.name === "string";
}

/** Options of bottleneck adapters from the keys of a file. Throws UnsupportedError for other methods and unknown features. */
export function readHubConfig(keys: Keys, method: Method, name: string, onWarning: Warn): MethodConfig {
  const fields = fieldsOf(keys, name);
  const given: Record<string, unknown> = { baseModelNameOrPath: keys.model_name || null };
  const camel = new Map(Object.keys(method.options).map((option) => [snakeCase(option), option]));
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    const option = camel.get(key);
    if (option !== undefined) given[option] = plain(value);
    else if (Object.hasOwn(absent, key)) expectAbsent(name, key, value);
    else if (!Object.hasOwn(inert, key) && key !== "architecture") unknown.push(`"${key}"`);
  }
  if (unknown.length > 0)
    onWarning(`${name}: ignoring unknown ${unknown.join(", ")}; was it written by another version?`);
  given.form ??= nearestForm(fields);
  const values = checkedValues(method, given, name, (option) => snakeCase(option));
  return { method, namesTask: true, values, file: keys };
}

function fieldsOf(keys: Keys, name: string): Keys {
  const { config } = keys;
  if (typeof config === "string") return { form: config };
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new FormatError(`${name}: "config" is ${JSON.stringify(plain(config!))}, expected an object of options`);
  }
  const fields = config as Keys;
  const { architecture = null } = fields;
  if (architecture !== null) {
    throw new UnsupportedError(
      `${name}: "architecture" is ${shownJson(architecture)}, but the only AdapterHub method that this version reads is bottleneck adapters`,
    );
  }
  const without = required.filter((key) => fields[key] === undefined);
  if (without.length > 0)
    throw new FormatError(`${name}: "config" has no ${without.map((key) => `"${key}"`).join(", ")}`);
  return { ...missing, ...modernised(fields, keys) };
}

/** The fields in the form of version 1.2, whatever version wrote them. */
function modernised({ invertible_adapter: nested = null, ...fields }: Keys, keys: Keys): Keys {
  const old = keys.version === undefined;
  const renamed =
    old && fields.non_linearity === "gelu" ? "gelu_new" : old && fields.non_linearity === "gelu_orig" ? "gelu" : null;
  const inverse = fields.inv_adapter ?? (nested as Keys | null)?.block_type ?? null;
  // Old task adapters name an invertible part that they do not have.
  return {
    ...fields,
    ...(renamed && { non_linearity: renamed }),
    inv_adapter: keys.type === "text_task" ? null : inverse,
  };
}

function expectAbsent(name: string, key: string, value: PyJson): void {
  if (value === undefined || sameJson(plain(value), plain(absent[key]!))) return;
  throw new UnsupportedError(
    `${name}: "${key}" is ${JSON.stringify(plain(value))}, this version implements only ${JSON.stringify(plain(absent[key]!))}`,
  );
}

/** Only a name: every field is set explicitly. */
function nearestForm({ is_parallel: beside, scaling, mh_adapter: twice }: Keys): string {
  if (beside === true) return scaling === "learned" ? "scaled-parallel" : "parallel";
  return twice === true ? "houlsby" : "pfeiffer";
}

/** Fields that Python holds as floats. */
const floats = new Set(["scaling", "dropout", "stochastic_depth"]);

/** The text of adapter_config.json for an adapter called `name`. */
export function writeHubConfig(config: MethodConfig, name: string, base: Base, model: ModelClass): string {
  const { method, values, file } = config;
  const read = (typeof file?.config === "object" ? file.config : null) as Keys | null;
  const fields: Record<string, PyJson> = { ...inert, ...read, ...absent };
  for (const option of Object.keys(method.options)) {
    if (option === "form") continue;
    const key = snakeCase(option);
    const value = values[option as keyof typeof values] as PyJson;
    const same = read?.[key] !== undefined && sameJson(plain(read[key]), value);
    fields[key] = same ? read[key]! : floats.has(key) && typeof value === "number" ? pyFloat(value) : value;
  }
  delete fields.invertible_adapter;
  return pythonJson({
    ...madeFor(base, model, config),
    ...(file as Keys),
    version: (file?.version as PyJson) ?? HUB_VERSION,
    config: fields,
    name,
  });
}

/** The model description in every AdapterHub config. */
export function madeFor(base: Base, { modelType, architecture }: ModelClass, config?: MethodConfig): Keys {
  const width = base.sites.find((site) => site.kind === "residual")?.width ?? null;
  const name = config?.values.baseModelNameOrPath ?? "";
  return {
    hidden_size: width,
    model_class: architecture,
    model_name: name,
    model_type: modelType,
    version: HUB_VERSION,
  };
}

/** The text of head_config.json for a model with a single head, which its class determines. */
export function writeHeadConfig(base: Base, model: ModelClass, config: MethodConfig): string {
  const count = typeof base.config.num_labels === "number" ? base.config.num_labels : 2; // as in transformers
  const labels = labelNames(base.config) ?? numberedLabels(count);
  const label2id = Object.fromEntries(labels.map((label, i) => [label, i]));
  return pythonJson({ ...madeFor(base, model, config), config: null, name: null, label2id, num_labels: labels.length });
}
