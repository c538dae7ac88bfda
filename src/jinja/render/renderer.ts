/** Runs a parsed template. */

import { FILTERS } from "../filters/filters.ts";
import { attributeOf } from "../objects/attributes.ts";
import { globalsOf } from "../objects/globals.ts";
import { TESTS } from "../objects/tests.ts";
import type { Arguments, BlockNode, Expression, MacroParts, Place, Statement } from "../syntax/nodes.ts";
import { TemplateError, typeError, unsupported, valueError } from "../values/errors.ts";
import { Budget, type TemplateLimits } from "../values/limits.ts";
import type { Operator } from "../values/numbers.ts";
import { binary, callValue, isIn, itemOf, slice, unary } from "../values/operators.ts";
import { str } from "../values/print.ts";
import type { Run } from "../values/run.ts";
import {
  Dict,
  Iter,
  isEqual,
  isOrdered,
  isTrue,
  iterate,
  type Kwargs,
  listOf,
  Markup,
  Namespace,
  type Ordering,
  type PyValue,
  plain,
  Tuple,
  typeName,
  Undefined,
} from "../values/values.ts";
import { Frame } from "./frame.ts";
import { Loop } from "./loop.ts";
import { Macro } from "./macro.ts";
import { Buffer, Result } from "./output.ts";

/** What surrounds a rendering. */
export interface Surroundings {
  readonly limits: TemplateLimits;
  readonly now: () => Date;
  /** Values of which the numbers are wanted, where loops are over them. */
  readonly messages: readonly PyValue[];
}

type For = Extract<Statement, { kind: "for" }>;
type Signal = "break" | "continue" | null;

export class Renderer implements Run {
  readonly budget: Budget;
  readonly now: () => Date;
  readonly result: Result;
  /** Where the template is, for errors. */
  at = 0;
  readonly #variables: ReadonlyMap<string, PyValue>;
  readonly #globals: ReadonlyMap<string, PyValue>;
  readonly #messages = new Map<PyValue, number>();

  constructor(variables: ReadonlyMap<string, PyValue>, { limits, now, messages }: Surroundings) {
    this.budget = new Budget(limits);
    this.now = now;
    this.result = new Result(this.budget);
    this.#variables = variables;
    this.#globals = globalsOf(this);
    messages.forEach((message, i) => {
      this.#messages.set(message, i);
    });
  }

  render({ body, scope }: BlockNode): Result {
    this.#run(body, new Frame(null, scope), this.result);
    return this.result;
  }

  // What filters and methods ask for

  attribute(value: PyValue, name: string): PyValue {
    plain(value);
    const attribute = attributeOf(this, value, name);
    const found = attribute === undefined && value instanceof Dict ? value.get(name) : attribute;
    return found === undefined ? missing(value, name) : found;
  }

  hasAttribute(value: PyValue, name: string): boolean {
    return attributeOf(this, value, name) !== undefined;
  }

  item(value: PyValue, key: PyValue): PyValue {
    const found = itemOf(plain(value), plain(key));
    if (found !== undefined) return found;
    const attribute = typeof key === "string" ? attributeOf(this, value, key) : undefined;
    return attribute === undefined ? missing(value, key) : attribute;
  }

  filter(name: string, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): PyValue {
    const filter = FILTERS.get(name);
    if (filter === undefined) throw new TemplateError("TemplateRuntimeError", `No filter named '${name}'.`);
    if (!TAKES_ESCAPED.has(name)) for (const given of [value, ...args, ...kwargs.values()]) plain(given);
    this.budget.text(typeof value === "string" ? value.length : 0);
    return filter(this, value, args, kwargs);
  }

  test(name: string, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): boolean {
    const test = TESTS.get(name);
    if (test === undefined) throw new TemplateError("TemplateRuntimeError", `No test named '${name}'.`);
    if (kwargs.size > 0) throw typeError(`test ${name} takes no keyword arguments here`);
    this.budget.step();
    return test(this, value, args);
  }

  hasFilter(name: PyValue): boolean {
    return typeof name === "string" && FILTERS.has(name);
  }

  hasTest(name: PyValue): boolean {
    return typeof name === "string" && TESTS.has(name);
  }

  // Statements

  #run(body: readonly Statement[], frame: Frame, out: Buffer): Signal {
    for (const statement of body) {
      const signal = this.#statement(statement, frame, out);
      if (signal !== null) return signal;
    }
    return null;
  }

  #statement(statement: Statement, frame: Frame, out: Buffer): Signal {
    this.budget.step();
    this.at = statement.at;
    switch (statement.kind) {
      case "data":
        out.write(statement.text, frame.currentMessage());
        return null;
      case "output":
        this.#write(this.#value(statement.of, frame), frame, out);
        return null;
      case "if": {
        const branch = statement.branches.find(({ test }) => isTrue(this.#value(test, frame)));
        return this.#run(branch?.body ?? statement.otherwise, frame, out);
      }
      case "for":
        this.#for(statement, frame, out);
        return null;
      case "set":
        this.#assign(statement.target, this.#value(statement.value, frame), frame);
        return null;
      case "set-block": {
        const { text, signal } = this.#buffered(statement.block, frame);
        if (signal !== null) return signal;
        this.#assign(
          statement.target,
          statement.filter === null ? text : this.#filtered(statement.filter, text, frame),
          frame,
        );
        return null;
      }
      case "filter-block": {
        const { text, signal } = this.#buffered(statement.block, frame);
        if (signal === null) this.#writeText(this.#filtered(statement.filter, text, frame), frame, out);
        return signal;
      }
      case "with":
        return this.#with(statement, frame, out);
      case "macro":
        frame.set(statement.macro.name!, this.#macro(statement.macro, frame));
        return null;
      case "call-block":
        this.#callBlock(statement.call, this.#macro(statement.caller, frame), frame, out);
        return null;
      case "generation":
        this.#generation(statement.caller, frame, out);
        return null;
      case "block": {
        const around = statement.scoped ? frame : frame.root();
        this.#run(statement.block.body, new Frame(around, statement.block.scope), out);
        return null;
      }
      case "loads":
        throw new TemplateError(
          "TypeError",
          `'${statement.tag}' needs other templates, and there is no loader for any`,
        );
      default:
        return statement.kind;
    }
  }

  #write(value: PyValue, frame: Frame, out: Buffer): void {
    out.write(str(this.budget, value), frame.currentMessage());
  }

  /** Jinja does not make text of what a filtered block or a call gives. */
  #writeText(value: PyValue, frame: Frame, out: Buffer): void {
    if (typeof value !== "string" && !(value instanceof Markup)) {
      throw typeError(`expected str instance, ${typeName(value)} found`);
    }
    this.#write(value, frame, out);
  }

  /** A block's text, which is dropped where the block leaves the loop around it. */
  #buffered({ body, scope }: BlockNode, around: Frame): { text: string; signal: Signal } {
    const buffer = new Buffer(this.budget);
    const signal = this.#run(body, new Frame(around, scope), buffer);
    return { text: buffer.text(), signal };
  }

  #with({ targets, block }: Extract<Statement, { kind: "with" }>, frame: Frame, out: Buffer): Signal {
    const inner = new Frame(frame, block.scope);
    for (const [place, value] of targets) this.#assign(place, this.#value(value, frame), inner);
    return this.#run(block.body, inner, out);
  }

  #generation(caller: MacroParts, frame: Frame, out: Buffer): void {
    const text = str(this.budget, this.#macro(caller, frame).call([], new Map()));
    this.result.generated(text);
    out.write(text, frame.currentMessage());
  }

  #callBlock(call: Expression, caller: Macro, frame: Frame, out: Buffer): void {
    if (call.kind !== "call") throw typeError("expected call");
    const of = this.#value(call.of, frame);
    const { args, kwargs } = this.#arguments(call.with, frame);
    kwargs.set("caller", caller);
    this.at = call.at;
    this.#writeText(callValue(of, args, kwargs), frame, out);
  }

  #macro(parts: MacroParts, frame: Frame): Macro {
    return new Macro(parts, (bound) =>
      this.budget.inside(() => {
        const inner = new Frame(frame, parts.scope);
        for (const [name, value] of bound.values) inner.set(name, value);
        for (const { name, fallback } of parts.parameters) {
          if (bound.values.has(name)) continue;
          const absent = new Undefined(`parameter '${name}' was not provided`);
          inner.set(name, fallback === null ? absent : this.#value(fallback, inner));
        }
        const buffer = new Buffer(this.budget);
        this.#run(parts.body, inner, buffer);
        return buffer.text();
      }),
    );
  }

  #for(statement: For, frame: Frame, out: Buffer): void {
    const items = this.#value(statement.items, frame);
    this.at = statement.at;
    if (!statement.recursive) {
      this.#turns(statement, items, frame, out, null, 0);
      return;
    }
    const recurse = (inner: PyValue, depth: number): string =>
      this.budget.inside(() => {
        const buffer = new Buffer(this.budget);
        this.#turns(statement, inner, frame, buffer, recurse, depth);
        return buffer.text();
      });
    out.write(recurse(items, 0), frame.currentMessage());
  }

  #turns(
    statement: For,
    items: PyValue,
    frame: Frame,
    out: Buffer,
    recurse: ((items: PyValue, depth: number) => string) | null,
    depth: number,
  ): void {
    const chosen = statement.test === null ? items : new Iter(this.#chosen(statement, iterate(items), frame));
    const loop = new Loop(this.budget, chosen, recurse, depth);
    let completed = false; // Jinja's else is for loops of which no turn came to its end
    for (let item = loop.next(); item !== undefined; item = loop.next()) {
      const turn = new Frame(frame, statement.body.scope, true);
      turn.set("loop", loop);
      this.#assign(statement.target, item, turn);
      const signal = this.#run(statement.body.body, turn, out);
      if (signal === "break") break;
      if (signal === null) completed = true;
    }
    if (completed || statement.otherwise === null) return;
    this.#run(statement.otherwise.body, new Frame(frame, statement.otherwise.scope), out);
  }

  *#chosen({ target, test }: For, items: Iterator<PyValue>, frame: Frame): Generator<PyValue> {
    for (let next = items.next(); next.done !== true; next = items.next()) {
      const inner = new Frame(frame, test!.scope);
      this.#assign(target, next.value, inner);
      if (isTrue(this.#value(test!.of, inner))) yield next.value;
    }
  }

  #assign(place: Place, value: PyValue, frame: Frame): void {
    if (place.kind === "name") {
      frame.set(place.name, value);
      if (frame.isTurn && frame.message === null) frame.message = this.#messages.get(value) ?? null;
    } else if (place.kind === "tuple") {
      const items = listOf(this.budget, value);
      const { length } = place.items;
      if (items.length > length) throw valueError(`too many values to unpack (expected ${length})`);
      if (items.length < length)
        throw valueError(`not enough values to unpack (expected ${length}, got ${items.length})`);
      place.items.forEach((each, i) => {
        this.#assign(each, items[i]!, frame);
      });
    } else {
      const namespace = this.#name(place.namespace, frame);
      if (!(namespace instanceof Namespace)) {
        this.at = place.at;
        throw new TemplateError("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
      }
      namespace.attributes.set(place.name, value);
    }
  }

  // Expressions

  #name(name: string, frame: Frame): PyValue {
    const found = frame.get(name);
    if (found) return found.value;
    const source = this.#variables.has(name) ? this.#variables : this.#globals;
    const value = found === null ? undefined : source.get(name);
    if (value === undefined && name === "self") throw unsupported('the variable "self"');
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  }

  #value(node: Expression, frame: Frame): PyValue {
    this.budget.step();
    switch (node.kind) {
      case "const":
        return node.value;
      case "name":
        return this.#name(node.name, frame);
      case "attribute": {
        const of = this.#value(node.of, frame);
        this.at = node.at;
        return this.attribute(of, node.name);
      }
      case "item": {
        const of = this.#value(node.of, frame);
        const key = this.#value(node.key, frame);
        this.at = node.at;
        return this.item(of, key);
      }
      case "slice": {
        const of = this.#value(node.of, frame);
        const [start, stop, step] = node.parts.map((part) => (part === null ? null : this.#value(part, frame)));
        this.at = node.at;
        return slice(this.budget, plain(of), start!, stop!, step!);
      }
      case "call": {
        const of = this.#value(node.of, frame);
        const { args, kwargs } = this.#arguments(node.with, frame);
        this.at = node.at;
        return callValue(of, args, kwargs);
      }
      case "filter":
        return this.#filtered(node, null, frame);
      case "test": {
        const of = this.#value(node.of, frame);
        const { args, kwargs } = this.#arguments(node.with, frame);
        this.at = node.at;
        return this.test(node.name, of, args, kwargs);
      }
      case "list":
        return node.items.map((item) => this.#value(item, frame));
      case "tuple":
        return new Tuple(node.items.map((item) => this.#value(item, frame)));
      case "dict":
        return this.#dict(node.entries, frame);
      case "concat":
        return this.#concat(node.items, frame);
      case "binary":
        return this.#binary(node, frame);
      case "unary": {
        const of = this.#value(node.of, frame);
        this.at = node.at;
        return node.operator === "not" ? !isTrue(of) : unary(node.operator, of);
      }
      case "compare":
        return this.#compare(node, frame);
      case "condition":
        if (isTrue(this.#value(node.test, frame))) return this.#value(node.value, frame);
        if (node.otherwise !== null) return this.#value(node.otherwise, frame);
        return new Undefined("the inline if-expression evaluated to false and no else section was defined.");
    }
  }

  /** Applies a filter to the expression before it or to a block's text. */
  #filtered(node: Expression, text: string | null, frame: Frame): PyValue {
    if (node.kind !== "filter") return this.#value(node, frame);
    const of =
      node.of === null
        ? text!
        : node.of.kind === "filter"
          ? this.#filtered(node.of, text, frame)
          : this.#value(node.of, frame);
    const { args, kwargs } = this.#arguments(node.with, frame);
    this.at = node.at;
    return this.filter(node.name, of, args, kwargs);
  }

  #arguments({ args, kwargs, starArgs, starKwargs }: Arguments, frame: Frame): { args: PyValue[]; kwargs: Kwargs } {
    const values = args.map((arg) => this.#value(arg, frame));
    const named: Kwargs = new Map(kwargs.map(([name, arg]) => [name, this.#value(arg, frame)]));
    if (starArgs !== null) values.push(...listOf(this.budget, this.#value(starArgs, frame)));
    if (starKwargs === null) return { args: values, kwargs: named };
    const more = this.#value(starKwargs, frame);
    if (more instanceof Undefined || !(more instanceof Dict)) {
      throw typeError(`argument after ** must be a mapping, not ${typeName(more)}`);
    }
    for (const [key, value] of more.entries()) {
      if (typeof key !== "string") throw typeError("keywords must be strings");
      if (named.has(key)) throw typeError(`got multiple values for keyword argument '${key}'`);
      named.set(key, value);
    }
    return { args: values, kwargs: named };
  }

  /** A dict that a loop over messages makes is about the same message. */
  #dict(entries: readonly (readonly [Expression, Expression])[], frame: Frame): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(this.#value(key, frame), this.#value(value, frame));
    const message = this.#messages.size === 0 ? null : frame.currentMessage();
    if (message !== null) this.#messages.set(dict, message);
    return dict;
  }

  #concat(items: readonly Expression[], frame: Frame): string {
    const parts = items.map((item) => str(this.budget, this.#value(item, frame)));
    this.budget.text(parts.reduce((sum, part) => sum + part.length, 0));
    return parts.join("");
  }

  #binary(node: Extract<Expression, { kind: "binary" }>, frame: Frame): PyValue {
    const left = this.#value(node.left, frame);
    if (node.operator === "and" && !isTrue(left)) return left;
    if (node.operator === "or" && isTrue(left)) return left;
    const right = this.#value(node.right, frame);
    if (node.operator === "and" || node.operator === "or") return right;
    this.at = node.at;
    return binary(this.budget, node.operator as Operator, plain(left), plain(right));
  }

  /** `a < b < c` asks for a < b and b < c. */
  #compare({ first, rest, at }: Extract<Expression, { kind: "compare" }>, frame: Frame): PyValue {
    let left = this.#value(first, frame);
    for (const [operator, operand] of rest) {
      const right = this.#value(operand, frame);
      this.at = at;
      if (!this.#holds(operator, left, right)) return false;
      left = right;
    }
    return true;
  }

  #holds(operator: string, left: PyValue, right: PyValue): boolean {
    if (operator !== "==" && operator !== "!=") for (const side of [left, right]) plain(side);
    if (operator === "==") return isEqual(this.budget, left, right);
    if (operator === "!=") return !isEqual(this.budget, left, right);
    if (operator === "in") return isIn(this.budget, left, right);
    if (operator === "not in") return !isIn(this.budget, left, right);
    return isOrdered(this.budget, left, operator as Ordering, right);
  }
}

/** Filters to which escaped text is as any other. */
const TAKES_ESCAPED = new Set([
  "e",
  "escape",
  "forceescape",
  "safe",
  "string",
  "default",
  "d",
  "join",
  "replace",
  "list",
]);

function missing(value: PyValue, name: PyValue): Undefined {
  const type = value === null ? "None" : `${typeName(value)} object`;
  if (typeof name === "string") return new Undefined(`'${type}' has no attribute '${name}'`);
  return new Undefined(`${type} has no element of that key`);
}
