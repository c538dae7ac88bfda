/** Objects of JSON files. */
import type { Json } from "../../core/python-json.ts";

export type JsonFields = Readonly<Record<string, Json>>;

export function isObject(value: unknown): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
