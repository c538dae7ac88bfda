/** Chooses a method by its published `peft_type`: the file name in src/methods/ is the registration. */
import { UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import { files } from "../methods/index.generated.ts";
import type { Method } from "./define-method.ts";

/** The `peft_type`s that this version knows. */
export function knownMethods(): string[] {
  return Object.keys(files).map((name) => name.toUpperCase());
}

/** The method of a config file called `name`. Throws UnsupportedError naming the known ones. */
export async function methodFor(peftType: string, name: string): Promise<Method> {
  const file = peftType.toLowerCase();
  if (!Object.hasOwn(files, file) || peftType !== peftType.toUpperCase()) {
    const known = knownMethods();
    throw new UnsupportedError(
      `${name}: "peft_type" is "${peftType}", this version knows ${known.join(", ")}.${didYouMean(peftType, known)}`,
    );
  }
  const exported: Record<string, unknown> = await files[file as keyof typeof files]();
  return Object.values(exported).find((value) => (value as Method | null)?.peftType === peftType) as Method;
}
