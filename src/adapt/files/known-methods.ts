/** Chooses a method by its published `peft_type`: the file name in src/methods/ registers it. */
import { UnsupportedError } from "../../core/errors.ts";
import { didYouMean } from "../../core/similar.ts";
import { files } from "../../methods/index.generated.ts";
import { type Method, methodName } from "../method/define-method.ts";

/** The names of the supported methods, which are their file names. */
export function knownMethods(): string[] {
  return Object.keys(files);
}

/** A method by its name, such as "lora" or "bitfit". Throws UnsupportedError that lists the known ones. */
export async function methodNamed(name: string): Promise<Method> {
  if (!Object.hasOwn(files, name)) {
    const known = knownMethods();
    throw new UnsupportedError(
      `method "${name}" is unknown, this version knows ${known.join(", ")}.${didYouMean(name, known)}`,
    );
  }
  const exported: Record<string, unknown> = await files[name as keyof typeof files]();
  const isIt = (value: unknown) =>
    (value as Method | null)?.peftType !== undefined && methodName(value as Method) === name;
  return Object.values(exported).find(isIt) as Method;
}

/** The method whose adapters are stored in this format. */
export async function methodOfFormat(format: NonNullable<Method["format"]>): Promise<Method> {
  const methods = await Promise.all(knownMethods().map(methodNamed));
  return methods.find((method) => method.format === format)!;
}

/** The method of a config file called `name`. Throws UnsupportedError that lists the known ones. */
export async function methodFor(peftType: string, name: string): Promise<Method> {
  const file = peftType.toLowerCase();
  if (Object.hasOwn(files, file) && peftType === peftType.toUpperCase()) {
    const method = await methodNamed(file);
    if (method.peftType === peftType) return method;
  }
  const known = knownMethods().map((each) => each.toUpperCase());
  throw new UnsupportedError(
    `${name}: "peft_type" is "${peftType}", this version knows ${known.join(", ")}.${didYouMean(peftType, known)}`,
  );
}
