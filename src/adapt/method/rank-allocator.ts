/**
 * Which ranks AdaLoRA keeps (Zhang et al. 2023, section 3.2 and 3.3).
 *
 * After each step t, for every number p of gradient g (with the new Ī in Ū; eq. 8 to 11):
 *
 *   I = |p·g|     Ī ← β₁·Ī + (1 − β₁)·I     Ū ← β₂·Ū + (1 − β₂)·|I − Ī|     s(p) = Ī·Ū
 *   S = s(E) + mean of s(A) over its row + mean of s(B) over its column, for each triplet
 *   b(t) = ⌊(b₀ − b₁)·(1 − (t − tinit) / (totalStep − tfinal − tinit))³ + b₁⌋,   b₀ all ranks, b₁ = targetR for each layer
 *
 * Every deltaT steps from tinit on, E becomes 0 in all triplets except the b(t) with the largest S. At step totalStep −
 * tfinal the choice is final.
 */
import type { Param } from "../../tensor/tensor.ts";

/** `rank_pattern` of a file: which ranks of a layer's lora_E exist. */
export type RankPattern = Readonly<Record<string, readonly boolean[]>>;

/** The schedule and number of triplets to keep. Steps count from 1. */
export interface RankSchedule {
  readonly totalStep: number;
  readonly tinit: number;
  readonly tfinal: number;
  readonly deltaT: number;
  readonly targetR: number;
  readonly beta1: number;
  readonly beta2: number;
}

/** The decomposition of one layer's change. */
export interface Triplets {
  readonly layer: string;
  readonly a: Param; // [r, in]
  readonly b: Param; // [out, r]
  readonly e: Param; // [r, 1]
  /** Which of the initR triplets exist: those that a file still contains. */
  readonly present: readonly boolean[];
  /** For these, 1 if a triplet is kept and 0 if it is pruned. */
  readonly kept: Float32Array;
}

/** The smoothed importance Ī and its uncertainty Ū of every value of a tensor. */
interface Statistics {
  readonly param: Param;
  readonly importance: Float32Array;
  readonly uncertainty: Float32Array;
}

/** Decides at each step which triplets to keep. */
export class RankAllocator {
  /** The state for a resumed run: the live arrays. */
  readonly state = new Map<string, Float32Array>();
  readonly #layers: readonly Triplets[];
  readonly #schedule: RankSchedule;
  readonly #statistics = new Map<Param, Statistics>();
  /** 1 as soon as triplets have been chosen. */
  readonly #hasChosen = new Float32Array(1);

  constructor(layers: readonly Triplets[], schedule: RankSchedule) {
    this.#layers = layers;
    this.#schedule = schedule;
    this.state.set("hasChosen", this.#hasChosen);
    for (const { layer, a, b, e, kept } of layers) {
      this.state.set(`${layer}.kept`, kept);
      for (const [name, param] of Object.entries({ lora_A: a, lora_B: b, lora_E: e })) {
        const own = { importance: new Float32Array(param.size), uncertainty: new Float32Array(param.size) };
        this.#statistics.set(param, { param, ...own });
        for (const [kind, numbers] of Object.entries(own)) this.state.set(`${layer}.${name}.${kind}`, numbers);
      }
    }
  }

  /** Steps count from 1; the gradients are those of the step, multiplied by `gradScale`. */
  afterStep(step: number, gradScale: number): void {
    const { totalStep, tinit, tfinal, deltaT } = this.#schedule;
    const last = totalStep - tfinal;
    if (step < last) this.#measure(gradScale);
    if (step === last || (step > tinit && step < last && step % deltaT === 0)) this.#choose(this.#budget(step));
    if (step === last)
      for (const { importance, uncertainty } of this.#statistics.values()) clear(importance, uncertainty);
    if (step > last && this.#hasChosen[0] === 1) this.#prune();
  }

  /** `rank_pattern` of the remaining triplets, or null before any choice. */
  get rankPattern(): RankPattern | null {
    if (this.#hasChosen[0] === 0) return null;
    return Object.fromEntries(
      this.#layers.map(({ layer, present, kept }) => {
        let at = 0;
        return [`${layer}.lora_E`, present.map((there) => there && kept[at++] === 1)];
      }),
    );
  }

  #measure(gradScale: number): void {
    const { beta1, beta2 } = this.#schedule;
    for (const { param, importance, uncertainty } of this.#statistics.values()) {
      const [values, gradient] = [param.values(), param.gradient()];
      for (let i = 0; i < values.length; i++) {
        const now = Math.abs(values[i]! * gradient[i]! * gradScale);
        importance[i] = beta1 * importance[i]! + (1 - beta1) * now;
        uncertainty[i] = beta2 * uncertainty[i]! + (1 - beta2) * Math.abs(now - importance[i]!);
      }
    }
  }

  /** The number of triplets to keep. */
  #budget(step: number): number {
    const { totalStep, tinit, tfinal, targetR } = this.#schedule;
    const [start, end] = [this.#ranks, targetR * this.#layers.length];
    const left = 1 - (step - tinit) / (totalStep - tfinal - tinit);
    return Math.trunc((start - end) * left ** 3 + end);
  }

  get #ranks(): number {
    return this.#layers.reduce((sum, { kept }) => sum + kept.length, 0);
  }

  /**
   * Keeps the triplets whose score is above that of the last one to prune; triplets with an equal score are all pruned.
   */
  #choose(budget: number): void {
    const scores = this.#layers.map((triplets) => this.#scores(triplets));
    const ascending = scores.flatMap((each) => [...each]).sort((x, y) => x - y);
    const excess = Math.min(this.#ranks - budget, ascending.length);
    if (excess <= 0) return;
    const threshold = ascending[excess - 1]!;
    this.#layers.forEach(({ kept }, l) => {
      scores[l]!.forEach((score, i) => {
        kept[i] = score > threshold ? 1 : 0;
      });
    });
    this.#hasChosen[0] = 1;
    this.#prune();
  }

  #prune(): void {
    for (const { e, kept } of this.#layers) {
      const values = e.values();
      kept.forEach((stays, i) => {
        if (stays === 0) values[i] = 0;
      });
    }
  }

  /** S of each triplet of a layer. */
  #scores({ a, b, e }: Triplets): Float32Array {
    const [r, inFeatures] = a.shape as [number, number];
    const outFeatures = b.shape[0]!;
    const scores = new Float32Array(r);
    const gather = (param: Param, rankOf: (i: number) => number, count: number) => {
      const { importance, uncertainty } = this.#statistics.get(param)!;
      const sums = new Float64Array(r);
      importance.forEach((each, i) => {
        sums[rankOf(i)]! += each * uncertainty[i]!;
      });
      sums.forEach((sum, i) => {
        scores[i]! += sum / count;
      });
    };
    gather(e, (i) => i, 1);
    gather(a, (i) => Math.floor(i / inFeatures), inFeatures);
    gather(b, (i) => i % r, outFeatures);
    return scores;
  }
}

function clear(...arrays: readonly Float32Array[]): void {
  for (const array of arrays) array.fill(0);
}
