/** A special token as old post-processors write it: `[text, id]`. */
import { checkedId, type Fields, wrong } from "../fields.ts";

export interface SpecialToken {
  readonly token: string;
  readonly id: number;
}

export function readSpecialToken(fields: Fields, key: string): SpecialToken {
  const value = fields.raw(key);
  const path = `${fields.path}.${key}`;
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== "string") {
    throw wrong(path, value, "a token and its number");
  }
  return { token: value[0], id: checkedId(value[1], path) };
}
