/**
 * The adapters on a model: which there are, which of them act and how, which are merged. Keeps the model's layers in line with
 * that.
 */
import { StateError, UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { Param } from "../tensor/tensor.ts";
import { type Base, baseOf } from "./adaptable-model.ts";
import { Adapter, biasOf, type Replaced, type Warn } from "./adapter.ts";
import { expectAdapterName, quoted } from "./adapter-name.ts";
import { composed, connectionOf } from "./compose/compose.ts";
import { type CompositionNode, expectNestable, namesIn, nodesIn } from "./compose/composition.ts";
import { Fusion, type FusionOptions, fusionOptions } from "./compose/fusion.ts";
import { activeHeads, attachHeads } from "./compose/heads.ts";
import { mergeInto, type Originals, restore } from "./merge/merge.ts";
import { retie, type Untied, untie } from "./merge/untie.ts";
import type { MethodConfig } from "./method/define-method.ts";
import type { StoredShapes } from "./method/tensor-maker.ts";

const nothing: CompositionNode = { type: "Stack", children: [] };

/** What a `PeftModel` holds. `put` is the only way in for an adapter, whatever it is made of. */
export class AdapterSet {
  readonly model: Model;
  /** The model's own layers and weights. */
  layers: Base;
  readonly warn: Warn;
  readonly #adapters = new Map<string, Adapter>();
  readonly #fusions = new Map<string, Fusion>();
  /** Bytes of the weights that are merged into. */
  readonly #originals: Originals = new Map();
  /** Layers that are tied again once nothing is merged. */
  #untied: readonly Untied[] = [];
  #active: readonly string[] = [];
  #composition: CompositionNode = nothing;
  #merged: readonly string[] = [];
  #enabled = true;

  constructor(model: Model, warn: Warn) {
    this.model = model;
    this.layers = baseOf(model);
    this.warn = warn;
  }

  get adapters(): ReadonlyMap<string, Adapter> {
    return this.#adapters;
  }
  get fusions(): ReadonlyMap<string, Fusion> {
    return this.#fusions;
  }
  get active(): readonly string[] {
    return this.#active;
  }
  /** How the active adapters work together where they meet at a residual connection. */
  get composition(): CompositionNode {
    return this.#composition;
  }
  get merged(): readonly string[] {
    return this.#merged;
  }
  get enabled(): boolean {
    return this.#enabled;
  }

  // ---- adapters and fusions by name

  get(name: string): Adapter {
    const adapter = this.#adapters.get(name);
    if (adapter) return adapter;
    const names = [...this.#adapters.keys()];
    throw new StateError(
      `there is no adapter "${name}", there are ${quoted(names) || "none"}.${didYouMean(name, names)}`,
    );
  }

  /**
   * Throws unless an adapter of this name can be made now: FormatError for a name that cannot be used, StateError where it is
   * taken or adapters are merged. To be asked before any work is done for one.
   */
  expectRoom(name: string): void {
    expectAdapterName(name);
    if (this.#adapters.size === 0) this.layers = baseOf(this.model); // it may have been resized
    if (this.#adapters.has(name))
      throw new StateError(`there is an adapter "${name}" already: delete it first, or choose another name`);
    this.#expectUnmerged(`adding "${name}"`);
  }

  #expectUnmerged(doing: string): void {
    if (this.#merged.length > 0)
      throw new StateError(`adapters ${quoted(this.#merged)} are merged: unmerge them before ${doing}`);
  }

  /** Throws a StateError unless an adapter with this config can be one of these. */
  #expectCompanions(name: string, config: MethodConfig, others: readonly Adapter[]): void {
    const biased = others.find((other) => biasOf(other.config) !== "none");
    if (biased && biasOf(config) !== "none") {
      throw new StateError(
        `adapter "${name}" and adapter "${biased.name}" both train biases (bias "${biasOf(config)}"): at most one may`,
      );
    }
    const alike = others.filter((each) => each.config.method === config.method);
    const problem = config.method.beside?.(
      config.values,
      alike.map((each) => each.config.values),
    );
    if (problem) throw new StateError(`adapter "${name}": ${problem}`);
  }

  /** Makes a fresh adapter, not active yet. */
  add(name: string, config: MethodConfig): void {
    this.expectRoom(name);
    this.#expectCompanions(name, config, [...this.#adapters.values()]);
    this.put(new Adapter(name, config, this.layers, { purpose: "fresh" }, this.warn));
  }

  /** Takes an adapter that was made for this model, not active yet. Frees it and throws when it cannot be one of the set. */
  put(adapter: Adapter): void {
    try {
      this.expectRoom(adapter.name);
      this.#expectCompanions(adapter.name, adapter.config, [...this.#adapters.values()]);
    } catch (error) {
      adapter.dispose();
      throw error;
    }
    this.#adapters.set(adapter.name, adapter);
    this.model.adapterCount++;
  }

  /** Throws a StateError unless the adapter of this name can be replaced now. */
  expectReplaceable(name: string): Adapter {
    const adapter = this.get(name);
    this.#expectUnmerged(`swapping "${name}"`);
    return adapter;
  }

  /** Puts an adapter in the place of the one with its name, which is freed. Frees the new one and throws when it cannot be there. */
  replace(adapter: Adapter): void {
    try {
      const before = this.expectReplaceable(adapter.name);
      const others = [...this.#adapters.values()].filter((each) => each !== before);
      this.#expectCompanions(adapter.name, adapter.config, others);
      this.#adapters.set(adapter.name, adapter);
      this.refresh();
      before.dispose();
    } catch (error) {
      adapter.dispose();
      throw error;
    }
  }

  /** If it was active and no other is, the first of the rest by name becomes active, as in PEFT. */
  remove(name: string): void {
    const adapter = this.get(name);
    if (this.#merged.includes(name)) throw new StateError(`adapter "${name}" is merged: unmerge it before deleting it`);
    const fusion = Array.from(this.#fusions.keys()).find((each) => each.split(",").includes(name));
    if (fusion !== undefined)
      throw new StateError(`adapter "${name}" is part of fusion "${fusion}": delete that first`);
    this.#adapters.delete(name);
    this.model.adapterCount--;
    this.#active = this.#active.filter((other) => other !== name);
    const [next] = [...this.#adapters.keys()].sort();
    if (this.#active.length === 0 && next !== undefined) {
      this.warn(`adapter "${name}" was active and is deleted: "${next}" is active now`);
      this.#active = [next];
    }
    if (namesIn(this.#composition).join() !== this.#active.join())
      this.#composition = { type: "Stack", children: this.#active };
    this.refresh();
    adapter.dispose();
  }

  addFusion(name: string, options: Partial<FusionOptions>, seed: number, stored: StoredShapes | null): Fusion {
    if (this.#fusions.has(name)) throw new StateError(`there is a fusion "${name}" already: delete it first`);
    const adapters = name.split(",").map((each) => this.get(each));
    const foreign = adapters.find(({ sites }) => !sites.residual);
    if (foreign) throw new UnsupportedError(`fusion "${name}": "${foreign.name}" is not a bottleneck adapter`);
    const fusion = new Fusion(name, adapters, { ...fusionOptions.dynamic, ...options }, this.layers, { seed, stored });
    this.#fusions.set(name, fusion);
    return fusion;
  }

  removeFusion(name: string): void {
    const fusion = this.#fusions.get(name);
    if (fusion === undefined)
      throw new StateError(`there is no fusion "${name}", there are ${quoted([...this.#fusions.keys()]) || "none"}`);
    if (this.appliedFusions().includes(fusion))
      throw new StateError(`fusion "${name}" is active: activate adapters without it first`);
    this.#fusions.delete(name);
    fusion.dispose();
  }

  // ---- which act

  /** Makes these active and no others. Throws, and changes nothing, when they cannot act together. */
  activate(names: string | readonly string[] | CompositionNode): void {
    const composition = isNode(names) ? names : { type: "Stack" as const, children: [...new Set([names].flat())] };
    const wanted = namesIn(composition);
    for (const name of wanted) this.get(name);
    this.#expectComposable(composition);
    const shared = this.composes(wanted) ? null : this.#sharedLayer(wanted);
    if (shared !== null)
      throw new StateError(
        `adapters ${quoted(wanted)}: more than one has its own copy of "${shared}"; activate one at a time`,
      );
    const prompts = wanted.filter((name) => this.get(name).sites.virtual);
    if (prompts.length > 1)
      throw new StateError(
        `adapters ${quoted(prompts)} all put virtual tokens before the text; activate one at a time`,
      );
    if (this.#merged.length > 0) {
      this.warn(`adapters ${quoted(this.#merged)} are unmerged, since other adapters become active`);
      this.unmerge();
    }
    this.#active = wanted;
    this.#composition = composition;
    this.refresh();
  }

  /** Throws unless a composition is of bottleneck adapters, well nested, and has its fusions. */
  #expectComposable(composition: CompositionNode): void {
    const nodes = nodesIn(composition);
    const names = namesIn(composition);
    expectNestable(composition);
    if ((nodes.length > 1 || composition.type !== "Stack") && !this.composes(names)) {
      const other = names.find((name) => !this.composes([name]));
      throw new UnsupportedError(
        `composition: adapter "${other}" is not a bottleneck adapter; activate it alone or in a list`,
      );
    }
    for (const node of nodes) {
      if (node.type !== "Fuse" || this.#fusions.has(node.name)) continue;
      const call = JSON.stringify(node.name.split(","));
      throw new StateError(
        `there is no fusion "${node.name}": call addAdapterFusion(${call}) or loadAdapterFusion first`,
      );
    }
  }

  /** The name of a layer of which more than one adapter has a copy, or null. */
  #sharedLayer(names: readonly string[]): string | null {
    const seen = new Set<string>();
    for (const name of names) {
      for (const { module } of this.get(name).replaced) {
        if (seen.has(module.name)) return module.name;
        seen.add(module.name);
      }
    }
    return null;
  }

  /** Whether all are bottleneck adapters, so that a composition says everything about them. */
  composes(names: readonly string[]): boolean {
    return names.length > 0 && names.every((name) => this.get(name).sites.residual !== undefined);
  }

  /** Adapters that act now. */
  applied(): Adapter[] {
    const active = this.#enabled ? this.#active.map((name) => this.get(name)) : [];
    return active.filter(({ name }) => !this.#merged.includes(name));
  }

  /** Fusions that act now. */
  appliedFusions(): Fusion[] {
    const fused = this.#enabled ? nodesIn(this.#composition).filter((node) => node.type === "Fuse") : [];
    return [...new Set(fused.flatMap(({ name }) => this.#fusions.get(name) ?? []))];
  }

  /** Heads of active adapters that the head of another replaces. */
  idleHeads(): Set<Param> {
    if (!this.composes(this.#active)) return new Set();
    const paramsOf = (replaced: readonly Replaced[]) => replaced.flatMap(({ weight, bias }) => [weight, bias]);
    const used = new Set(this.#heads().owners.flatMap(({ replaced }) => paramsOf(replaced)));
    const all = this.#active.flatMap((name) => paramsOf(this.get(name).replaced));
    return new Set(all.filter((param) => param !== null && !used.has(param)) as Param[]);
  }

  #heads() {
    return activeHeads(this.#composition, this.#adapters, this.#fusions);
  }

  // ---- merging, for merge-adapters.ts

  /** Folds adapters into the base's weights as they are and keeps what was there. The layers are still to be brought in line. */
  fold(names: readonly string[]): void {
    const adapters = names.map((name) => this.get(name));
    this.#untied = untie(this.layers, adapters, false);
    mergeInto(this.layers, adapters, this.#originals);
    this.#merged = names;
  }

  /** Puts the base's weights back as they were before merging, bit for bit. The layers are still to be brought in line. */
  restore(): void {
    restore(this.layers.engine, this.#originals);
    retie(this.layers, this.#untied);
    this.#untied = [];
    this.#merged = [];
    this.#rebase();
  }

  /** Puts the base's weights back as they were before merging, bit for bit. */
  unmerge(): void {
    this.restore();
    this.refresh();
  }

  /** Has no adapter act, or the active ones again. */
  setEnabled(enabled: boolean): void {
    this.#enabled = enabled;
    this.refresh();
  }

  /** Makes none active. */
  deactivate(): void {
    this.#active = [];
    this.#composition = nothing;
    this.refresh();
  }

  // ---- the model's layers

  /** Tells methods that keep something about the base weights that these have changed. */
  #rebase(): void {
    for (const { linear, embedding } of this.#adapters.values()) {
      for (const part of [...linear.values(), ...embedding.values()]) part.rebase?.();
    }
  }

  /** Brings the layers in line with what is active, merged and enabled. */
  refresh(): void {
    this.#rebase();
    const active = this.#enabled ? this.#active.map((name) => this.get(name)) : [];
    const applied = this.applied();
    for (const module of this.layers.layers.values()) {
      const { weight, bias } = this.layers.weightsOf(module);
      module.weight = weight;
      if (module.kind === "linear") {
        module.bias = bias;
        // The adapter that was activated first acts on the base, the next on its result: the last is outermost.
        module.deltas = applied.flatMap(({ linear }) => linear.get(module) ?? []).reverse();
      } else if (module.kind === "embedding") {
        module.deltas = applied.flatMap(({ embedding }) => embedding.get(module) ?? []);
      } else if (module.bias !== null) module.bias = bias!;
    }
    const composes = this.composes(this.#active);
    for (const { replaced } of composes ? [] : active) {
      for (const { module, weight, bias } of replaced) {
        if (weight) module.weight = weight;
        if (bias && module.bias !== null) module.bias = bias;
      }
    }
    if (this.#enabled && composes) attachHeads(this.#heads());
    for (const site of this.layers.sites) {
      if (site.kind === "residual")
        site.delta = composed(this.#composition, connectionOf(site, applied, this.appliedFusions()));
      else site.deltas = applied.flatMap(({ sites }) => sites.attention?.get(site) ?? []);
    }
    this.model.virtual = applied.flatMap(({ sites }) => sites.virtual ?? []).at(-1) ?? null;
  }

  /** Takes all adapters off the model and frees them. */
  clear(): void {
    if (this.#adapters.size === 0) return;
    this.restore();
    this.deactivate();
    for (const fusion of this.#fusions.values()) fusion.dispose();
    this.#fusions.clear();
    for (const adapter of this.#adapters.values()) adapter.dispose();
    this.model.adapterCount -= this.#adapters.size;
    this.#adapters.clear();
  }
}

export function isNode(names: string | readonly string[] | CompositionNode): names is CompositionNode {
  return typeof names === "object" && !Array.isArray(names);
}
