/** Objects of JSON files. */
import type { Json } from "../../core/python-json.ts";

export type JsonObject = Readonly<Record<string, Json>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
