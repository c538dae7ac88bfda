/** Holds a written model against the one that it was made from, by what both say of the same few sequences. */
import { StateError } from "../core/errors.ts";
import { Philox } from "../core/random/philox.ts";
import type { Input } from "../nn/pass/inputs.ts";
import { concatenateLabelled, type LabelledSequences } from "../nn/pass/sequences.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { DenseDtype } from "../tensor/tensor.ts";

/** How far outputs may be apart, relative to their size: what rounding a merged weight once comes to. */
const rounding: Record<DenseDtype, number> = { f32: 2e-3, f16: 2e-2, bf16: 0.1 };
const LENGTH = 12;

/** Two sequences that any model of this kind takes, whatever its task. */
export function probeFor(model: Model): LabelledSequences {
  return concatenateLabelled(
    [1, 2].map((stream) => {
      const random = new Philox(0, stream);
      const inputs = model.inputKinds.flatMap((kind): Input[] => {
        const values = kind.largest(0);
        return values instanceof Float32Array ? [{ kind: kind.kind, values: values.map(() => random.normal()) }] : [];
      });
      const inputIds = inputs.length > 0 ? [] : idsFor(model, random);
      return { inputIds, labels: inputIds, ...(inputs.length > 0 && { inputs }) };
    }),
  );
}

/** Random tokens, of which the last ends a text where the config says how. */
function idsFor({ vocabSize, contextLength, config }: Model, random: Philox): number[] {
  const ids = Array.from({ length: Math.min(LENGTH, contextLength) }, () => Math.floor(random.uniform() * vocabSize));
  const end = [config.eos_token_id].flat()[0];
  return typeof end === "number" && end < vocabSize ? [...ids.slice(0, -1), end] : ids;
}

/** Throws a StateError unless a folder's model says what was `expected` of the probe, as nearly as its dtypes allow. */
export function expectSameOutputs(
  folder: string,
  model: Model,
  probe: LabelledSequences,
  expected: Float32Array,
): void {
  const found = model.forward(probe).data;
  const apart = norm(found.map((x, i) => x - expected[i]!)) / (norm(expected) + 1e-6);
  const allowed = Math.max(...Array.from(model.namedWeights().values(), ({ dtype }) => rounding[dtype as DenseDtype]));
  if (found.length === expected.length && apart <= allowed) return;
  throw new StateError(
    `the model in ${folder} is not base and adapter: opened again, its outputs differ by ${(100 * apart).toPrecision(2)} %, ` +
      `where rounding explains ${100 * allowed} %. Do not use it; is the adapter finite (--safe), and the disk sound?`,
  );
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
