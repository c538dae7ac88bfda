/** Changes the header of a safetensors file as JSON, and keeps its length true most of the time. */
import { joined, mutateBytes } from "./bytes.mjs";
import { mutateJson } from "./json.mjs";

export function mutateSafetensors(bytes, random, others = []) {
  if (bytes.length < 8 || random.chance(0.25)) return mutateBytes(bytes, random, others);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const body = bytes.subarray(8 + length);
  const header = mutateJson(bytes.subarray(8, 8 + length), random);
  if (header === null) return mutateBytes(bytes, random, others);
  const size = new Uint8Array(8);
  const told = random.chance(0.9) ? header.length : header.length + random.pick([-8, -1, 1, 8, 1e9]);
  new DataView(size.buffer).setBigUint64(0, BigInt(Math.max(0, told)), true);
  return joined(size, header, random.chance(0.9) ? body : mutateBytes(body, random));
}
