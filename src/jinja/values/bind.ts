/** Arguments of calls, put in the order of the parameters. */
import { typeError } from "./errors.ts";
import { type Kwargs, type PyValue, plain, typeName, Undefined } from "./values.ts";

/** A parameter, with what it is when it is not given; without, it must be. */
export type CallParameter = readonly [name: string, fallback?: PyValue];

/** The arguments of a call to `name`, one for each parameter. Throws TypeError as Python does. */
export function bind(
  name: string,
  parameters: readonly CallParameter[],
  args: readonly PyValue[],
  kwargs: Kwargs,
): PyValue[] {
  if (args.length > parameters.length) {
    throw typeError(`${name}() takes ${parameters.length} arguments but ${args.length} were given`);
  }
  const names = parameters.map(([parameter]) => parameter);
  for (const key of kwargs.keys()) {
    const index = names.indexOf(key);
    if (index < 0) throw typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (index < args.length) throw typeError(`${name}() got multiple values for argument '${key}'`);
  }
  return parameters.map((parameter, i) => {
    const given = i < args.length ? args[i] : kwargs.get(parameter[0]);
    if (given !== undefined) return given;
    if (parameter.length === 1) throw typeError(`${name}() missing required argument: '${parameter[0]}'`);
    return parameter[1]!;
  });
}

/** The same for functions that take no names: between `least` and `most` arguments. */
export function positional(
  name: string,
  args: readonly PyValue[],
  kwargs: Kwargs,
  least: number,
  most = least,
): readonly PyValue[] {
  if (kwargs.size > 0) throw typeError(`${name}() takes no keyword arguments`);
  if (args.length >= least && args.length <= most) return args;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  throw typeError(`${name}() takes ${wanted} arguments (${args.length} given)`);
}

/** A string argument. */
export function text(name: string, value: PyValue | undefined): string {
  if (typeof plain(value) === "string") return value as string;
  if (value instanceof Undefined) throw typeError(`${name}() argument must be str, not Undefined`);
  throw typeError(`${name}() argument must be str, not ${typeName(value ?? null)}`);
}
