/**
 * The ONNX Runtime contestant on its WebAssembly backend, one thread: y = x·Wᵀ, forward only, because it no longer
 * supports training.
 *
 *   echo | node bench/peers/ort.js '{"rows": 256, "in": 768, "out": 3072}'
 */
import * as ort from "onnxruntime-web";
import { fillAgreed } from "../agreed.js";
import { takeTurns, task } from "../turns.js";

const { rows, in: width, out, slice } = task();
ort.env.wasm.numThreads = 1;

/** W is part of the model, so that it may be packed once; stored [in, out], as ONNX multiplies. */
function transposed(values) {
  const turned = new Float32Array(values.length);
  for (let j = 0; j < out; j++) for (let p = 0; p < width; p++) turned[p * out + j] = values[j * width + p];
  return turned;
}

const w = transposed(fillAgreed(new Float32Array(out * width), "w", [out, width]));
const session = await ort.InferenceSession.create(matmulModel(w, [width, out]), { executionProviders: ["wasm"] });
const x = new ort.Tensor("float32", fillAgreed(new Float32Array(rows * width), "x", [rows, width]), [rows, width]);

async function step() {
  const { y } = await session.run({ x });
  return y.data[y.data.length - 1];
}

const facts = () => ({ name: "onnxruntime-web", version: `onnxruntime-web ${ort.env.versions.web}`, threads: 1 });
await takeTurns(step, { slice, facts });

/** An ONNX file with one node, y = MatMul(x, w). Numbers are the field numbers of onnx.proto. */
function matmulModel(w, shape) {
  const bytes = new Uint8Array(w.buffer);
  const tensor = [...shape.map((size) => varint(1, size)), varint(2, 1), field(8, "w"), field(9, bytes)];
  const node = [field(1, "x"), field(1, "w"), field(2, "y"), field(4, "MatMul")];
  const value = (name) => [field(1, name), message(2, [message(1, [varint(1, 1)])])]; // f32 of any shape
  const graph = [
    message(1, node),
    field(2, "matmul"),
    message(5, tensor),
    message(11, value("x")),
    message(12, value("y")),
  ];
  return Buffer.concat([varint(1, 8), message(7, graph), message(8, [varint(2, 13)])]);
}

function varint(number, value) {
  return Buffer.concat([encoded(number << 3), encoded(value)]);
}

function message(number, parts) {
  return field(number, Buffer.concat(parts));
}

function field(number, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([encoded((number << 3) | 2), encoded(bytes.length), bytes]);
}

function encoded(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}
