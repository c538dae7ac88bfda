/**
 * The adapters of a model: all of them, the active ones and how they act, and the merged ones. Keeps the model's layers
 * consistent with that.
 */
import { StateError, UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { RawConfig } from "../nn/config.ts";
import { labelsOf, withLabels } from "../nn/tasks/label-names.ts";
import type { ActingOnModel, Model } from "../nn/tasks/model.ts";
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

/** Which adapters act, and how. */
interface ActiveAdapters {
  readonly active: readonly string[];
  readonly composition: CompositionNode;
  readonly enabled: boolean;
}

/** Passes with certain adapters. */
export interface Pin {
  run<T>(pass: () => T): T;
  /** Throws StateError unless the adapters are as they were. */
  expectSame(): void;
  /** All that the adapters' effect depends on: the same things, the same effect. */
  readonly acting: readonly unknown[];
}

/** The adapters that a `PeftModel` holds. `put` is the only way to add an adapter, whatever its origin. */
export class AdapterSet implements ActingOnModel {
  readonly model: Model;
  /** The model's own layers and weights. */
  layers: Base;
  readonly warn: Warn;
  readonly #adapters = new Map<string, Adapter>();
  readonly #fusions = new Map<string, Fusion>();
  /** The bytes of the weights that adapters were merged into. */
  readonly #originals: Originals = new Map();
  /** Layers that are tied again once nothing is merged. */
  #untied: readonly Untied[] = [];
  #active: readonly string[] = [];
  #composition: CompositionNode = nothing;
  #merged: readonly string[] = [];
  #enabled = true;
  #ended = false;
  /** Labels that the model has from an active adapter, and those that it had before. */
  #labels: RawConfig | null = null;
  #ownLabels: RawConfig | null = null;

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
  /** How the active adapters combine at a residual connection. */
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
      `there is no adapter "${name}"; the adapters are ${quoted(names) || "none"}.${didYouMean(name, names)}`,
    );
  }

  /**
   * Throws unless an adapter with this name can be created now: FormatError for an invalid name, StateError if the name
   * is taken or adapters are merged. Call it before doing any work for the adapter.
   */
  expectRoom(name: string): void {
    expectAdapterName(name);
    this.expectChangeable(`adding "${name}"`);
    if (this.#adapters.size === 0) this.layers = baseOf(this.model); // it may have been resized
    if (this.#adapters.has(name))
      throw new StateError(`adapter "${name}" already exists: delete it first, or choose another name`);
    this.#expectUnmerged(`adding "${name}"`);
  }

  /** Throws StateError once the set has ended, and while another has adapters on the model. */
  expectOpen(): void {
    if (this.#ended) throw new StateError("this PeftModel was disposed of: use its base, or make another");
    const { adapted } = this.model;
    if (adapted === null || adapted === this) return;
    throw new StateError("the model has the adapters of another PeftModel: use that one, or unload() it first");
  }

  /** Throws StateError if the adapters cannot be changed now; `doing` is the call that wants to. */
  expectChangeable(doing: string): void {
    this.expectOpen();
    this.model.expectLive(doing);
    this.model.uses.expectNone(doing);
  }

  /** Throws StateError if the model's weights have changed since the adapter was made. */
  #expectMadeForThis({ name, weightChanges }: Adapter): void {
    if (weightChanges === this.model.weightChanges) return;
    throw new StateError(`adapter "${name}": the weights of the model changed while it was loaded; load it again`);
  }

  /** Throws StateError if an adapter that is trained is merged: its change is in the base's weights, which get no gradient. */
  expectTrainedApart(): void {
    const merged = this.#active.filter((name) => this.#merged.includes(name) && this.get(name).trainable);
    if (merged.length > 0) throw new StateError(`adapters ${quoted(merged)} are merged: unmerge them before training`);
  }

  #expectUnmerged(doing: string): void {
    if (this.#merged.length > 0)
      throw new StateError(`adapters ${quoted(this.#merged)} are merged: unmerge them before ${doing}`);
  }

  /** Throws StateError unless an adapter with this config is compatible with the others. */
  #expectCompanions(name: string, config: MethodConfig, others: readonly Adapter[]): void {
    const biased = others.find((other) => biasOf(other.config) !== "none");
    if (biased && biasOf(config) !== "none") {
      throw new StateError(
        `adapter "${name}" and adapter "${biased.name}" both train biases (bias "${biasOf(config)}"): at most one adapter can`,
      );
    }
    const alike = others.filter((each) => each.config.method === config.method);
    const problem = config.method.beside?.(
      config.values,
      alike.map((each) => each.config.values),
    );
    if (problem) throw new StateError(`adapter "${name}": ${problem}`);
  }

  /** Creates a fresh adapter, not active yet. */
  add(name: string, config: MethodConfig): void {
    this.expectRoom(name);
    this.#expectCompanions(name, config, [...this.#adapters.values()]);
    this.put(new Adapter(name, config, this.layers, { purpose: "fresh" }, this.warn));
  }

  /** Adds an adapter that was created for this model, not active yet. Frees it and throws if the set cannot hold it. */
  put(adapter: Adapter): void {
    try {
      this.expectRoom(adapter.name);
      this.#expectMadeForThis(adapter);
      this.#expectCompanions(adapter.name, adapter.config, [...this.#adapters.values()]);
    } catch (error) {
      adapter.dispose();
      throw error;
    }
    this.#adapters.set(adapter.name, adapter);
    this.model.adapterCount++;
    this.model.adapted = this;
  }

  /** Throws StateError unless the adapter with this name can be replaced now. */
  expectReplaceable(name: string): Adapter {
    this.expectChangeable(`swapping "${name}"`);
    const adapter = this.get(name);
    this.#expectUnmerged(`swapping "${name}"`);
    return adapter;
  }

  /**
   * Replaces the adapter with the same name, which is freed. Frees the new one and throws if the set cannot hold it.
   */
  replace(adapter: Adapter): void {
    try {
      const before = this.expectReplaceable(adapter.name);
      this.#expectMadeForThis(adapter);
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

  /** If it was the only active one, the first of the rest by name becomes active, as in PEFT. */
  remove(name: string): void {
    const adapter = this.get(name);
    if (this.#merged.includes(name)) throw new StateError(`adapter "${name}" is merged: unmerge it before deleting it`);
    const fusion = Array.from(this.#fusions.keys()).find((each) => each.split(",").includes(name));
    if (fusion !== undefined)
      throw new StateError(`adapter "${name}" is part of fusion "${fusion}": delete the fusion first`);
    this.#adapters.delete(name);
    this.model.adapterCount--;
    if (this.#adapters.size === 0) this.model.adapted = null;
    this.#active = this.#active.filter((other) => other !== name);
    const [next] = [...this.#adapters.keys()].sort();
    if (this.#active.length === 0 && next !== undefined) {
      this.warn(`the active adapter "${name}" was deleted: "${next}" is active now`);
      this.#active = [next];
    }
    if (namesIn(this.#composition).join() !== this.#active.join())
      this.#composition = { type: "Stack", children: this.#active };
    this.#changed();
    adapter.dispose();
  }

  addFusion(name: string, options: Partial<FusionOptions>, seed: number, stored: StoredShapes | null): Fusion {
    if (this.#fusions.has(name)) throw new StateError(`fusion "${name}" already exists: delete it first`);
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
      throw new StateError(
        `there is no fusion "${name}"; the fusions are ${quoted([...this.#fusions.keys()]) || "none"}`,
      );
    if (this.appliedFusions().includes(fusion))
      throw new StateError(`fusion "${name}" is active: activate adapters without it first`);
    this.#fusions.delete(name);
    fusion.dispose();
  }

  // ---- active adapters

  /** Activates exactly these. Throws, and changes nothing, if they cannot be active together. */
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
        `adapters ${quoted(prompts)} each add virtual tokens before the text; activate one at a time`,
      );
    if (this.#merged.length > 0) {
      this.warn(`adapters ${quoted(this.#merged)} are unmerged because other adapters become active`);
      this.unmerge();
    }
    this.#active = wanted;
    this.#composition = composition;
    this.#changed();
  }

  /** Throws unless a composition contains only bottleneck adapters, is nested correctly, and has its fusions. */
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

  /** The name of a layer that more than one adapter copies, or null. */
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

  /** Whether all are bottleneck adapters, so that a composition describes them completely. */
  composes(names: readonly string[]): boolean {
    return names.length > 0 && names.every((name) => this.get(name).sites.residual !== undefined);
  }

  /** The adapters in effect. */
  applied(): Adapter[] {
    const active = this.#enabled ? this.#active.map((name) => this.get(name)) : [];
    return active.filter(({ name }) => !this.#merged.includes(name));
  }

  /** The fusions in effect. */
  appliedFusions(): Fusion[] {
    const fused = this.#enabled ? nodesIn(this.#composition).filter((node) => node.type === "Fuse") : [];
    return [...new Set(fused.flatMap(({ name }) => this.#fusions.get(name) ?? []))];
  }

  /** Heads of active adapters that another adapter's head replaces. */
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

  /** Merges adapters into the base's current weights and keeps the originals. The layers still have to be updated. */
  fold(names: readonly string[]): void {
    const adapters = names.map((name) => this.get(name));
    this.#untied = untie(this.layers, adapters, false);
    mergeInto(this.layers, adapters, this.#originals);
    this.#merged = names;
    this.model.adapterChanges++;
  }

  /** Restores the base's weights bit for bit to their state before merging. The layers still have to be updated. */
  restore(): void {
    restore(this.layers.engine, this.#originals);
    retie(this.layers, this.#untied);
    this.#untied = [];
    this.#merged = [];
    this.#rebase();
  }

  /** Restores the base's weights bit for bit to their state before merging. */
  unmerge(): void {
    this.restore();
    this.refresh();
  }

  /** Disables all adapters, or enables the active ones again. */
  setEnabled(enabled: boolean): void {
    this.#enabled = enabled;
    this.#changed();
  }

  /**
   * Runs passes with the adapters that are active now, or with one by its name (null for none), whatever is active by then. Throws
   * StateError when these adapters are deleted, replaced, merged or trained in between.
   */
  pin(name?: string | null): Pin {
    let own = this.#acting();
    if (name !== undefined) {
      this.#expectUnmerged("giving a text an adapter by name");
      const active = name === null ? [] : [this.get(name).name];
      own = { active, composition: { type: "Stack", children: active }, enabled: true };
    }
    const parts = [...own.active.map((each) => this.get(each)), ...this.appliedFusions()];
    const updatesOf = (adapters: readonly (Adapter | Fusion)[]) => {
      const params = adapters.flatMap((each) => [...each.params.values()]);
      return () => params.reduce((sum, param) => sum + param.updates, 0);
    };
    const updates = updatesOf(parts);
    const before = updates();
    const merged = this.#merged.join();
    const expectSame = () => {
      const gone = parts.find((each) => ![this.#adapters, this.#fusions].some((map) => map.get(each.name) === each));
      const what =
        (gone && `"${gone.name}" was deleted or replaced`) ??
        (this.#merged.join() !== merged ? "adapters were merged or unmerged" : null) ??
        (updates() !== before ? `${quoted(own.active)} were trained` : null);
      if (what !== null) throw new StateError(`adapters: ${what} while the model was generating`);
    };
    const run = <T>(pass: () => T): T => {
      expectSame();
      const now = this.#acting();
      if (now.active === own.active && now.composition === own.composition && now.enabled === own.enabled)
        return pass();
      try {
        this.#act(own);
        return pass();
      } finally {
        this.#act(now);
      }
    };
    const folded = this.#merged.map((each) => this.get(each));
    const acting = [...parts, before, ...folded, updatesOf(folded)(), JSON.stringify(own.composition), own.enabled];
    return { run, expectSame, acting };
  }

  #acting(): ActiveAdapters {
    return { active: this.#active, composition: this.#composition, enabled: this.#enabled };
  }

  #act({ active, composition, enabled }: ActiveAdapters): void {
    this.#active = active;
    this.#composition = composition;
    this.#enabled = enabled;
    this.refresh();
  }

  /** Deactivates all adapters. */
  deactivate(): void {
    this.#active = [];
    this.#composition = nothing;
    this.#changed();
  }

  // ---- the model's layers

  /** Notifies methods that keep data about the base weights that these have changed. */
  #rebase(): void {
    for (const { linear, embedding } of this.#adapters.values()) {
      for (const part of [...linear.values(), ...embedding.values()]) part.rebase?.();
    }
  }

  /** After it was decided anew which adapters act. */
  #changed(): void {
    this.model.adapterChanges++;
    this.refresh();
  }

  /** Updates the layers to what is active, merged and enabled. */
  refresh(): void {
    this.#rebase();
    const active = this.#enabled ? this.#active.map((name) => this.get(name)) : [];
    const applied = this.applied();
    for (const module of this.layers.layers.values()) {
      const { weight, bias } = this.layers.weightsOf(module);
      module.weight = weight;
      if (module.kind === "linear") {
        module.bias = bias;
        // The adapter that was activated first acts on the base, the next on its result; the last is outermost.
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
    this.#relabel(active.findLast(({ labels }) => labels !== null)?.labels ?? null);
  }

  /** Gives the model the labels of the head that acts, or its own. */
  #relabel(labels: RawConfig | null): void {
    if (labels === this.#labels) return;
    const { config } = this.model;
    const own = this.#ownLabels ?? labelsOf(config);
    this.#ownLabels = labels === null ? null : own;
    this.#labels = labels;
    this.model.config = withLabels(config, labels ?? own);
  }

  /** The labels of an adapter's head, as a config has them: its own, or the base's. */
  labelsOf(adapter: Adapter): RawConfig {
    return adapter.labels ?? this.#ownLabels ?? labelsOf(this.model.config);
  }

  /** What the adapters' effect on the model depends on: the same things, the same effect. */
  get effect(): readonly unknown[] {
    const { active, composition, enabled } = this.#acting();
    const parts = [...active.map((name) => this.get(name)), ...this.#fusions.values()];
    const updates = parts.flatMap(({ params }) => Array.from(params.values(), (param) => param.updates));
    return [composition, enabled, ...parts, ...this.#merged, ...updates];
  }

  /** Takes all adapters off for good. Nothing happens the second time. */
  end(): void {
    this.clear();
    this.#ended = true;
  }

  /** Removes all adapters from the model and frees them. */
  clear(): void {
    if (this.#adapters.size === 0) return;
    this.model.uses.expectNone("dispose");
    this.restore();
    this.deactivate();
    for (const fusion of this.#fusions.values()) fusion.dispose();
    this.#fusions.clear();
    for (const adapter of this.#adapters.values()) adapter.dispose();
    this.model.adapterCount -= this.#adapters.size;
    this.model.adapted = null;
    this.#adapters.clear();
  }
}

export function isNode(names: string | readonly string[] | CompositionNode): names is CompositionNode {
  return typeof names === "object" && !Array.isArray(names);
}
