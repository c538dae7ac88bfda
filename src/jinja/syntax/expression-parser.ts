/** Jinja's expressions, by the rank of their operators. */

import { parseInteger } from "../values/numbers.ts";
import type { TokenType } from "./lexer.ts";
import type { Arguments, Expression, Scope } from "./nodes.ts";
import { described, TokenReader } from "./token-reader.ts";

/** Which filters and tests there are. */
export interface Known {
  readonly filters: { has(name: string): boolean };
  readonly tests: { has(name: string): boolean };
}

/** A filter or test without a name in the tables: an error at once, or when it is reached inside a condition. */
interface Unknown {
  readonly what: string;
  readonly at: number;
  /** In a scope inside the condition, where Jinja does not wait. */
  firm: boolean;
}

/** Names that a macro has besides its parameters, where its body reads them. */
const SPECIAL = ["caller", "kwargs", "varargs"];
const NO_ARGUMENTS: Arguments = { args: [], kwargs: [], starArgs: null, starKwargs: null };
export const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

export class ExpressionParser extends TokenReader {
  readonly #known: Known;
  protected scope: Scope = { parent: null, names: new Set(), masked: new Set() };
  /** For each macro around, which special names its body reads. */
  protected readonly macros: Set<string>[] = [];
  protected unknown: Unknown[] = [];

  constructor(text: string, known: Known) {
    super(text);
    this.#known = known;
  }

  /** Runs work in which unknown filters wait until they are reached. */
  protected soft<T>(from: number, work: () => T): T {
    const result = work();
    this.unknown = this.unknown.filter(({ firm }, i) => i < from || firm);
    return result;
  }
  /** One expression, or several with commas between them. */
  protected tuple({ conditions = true, ends = [] as readonly string[], parenthesized = false } = {}): Expression {
    const { at } = this.token;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.expect("operator", ",");
      if (this.is("}}") || this.is("%}") || this.isOperator(")")) break;
      if (ends.length > 0 && this.isName(...ends)) break;
      items.push(this.expression(conditions));
      if (!this.isOperator(",")) break;
      isTuple = true;
    }
    if (isTuple) return { kind: "tuple", items, at };
    if (items[0] !== undefined) return items[0];
    if (parenthesized) return { kind: "tuple", items, at };
    throw this.error(`Expected an expression, got ${described(this.token)}`, at);
  }

  protected expression(conditions = true): Expression {
    return this.nested(() => (conditions ? this.condition() : this.or()));
  }

  protected condition(): Expression {
    const from = this.unknown.length;
    const { at } = this.token;
    let found = this.or();
    while (this.skip("name", "if")) {
      const value = found;
      found = this.soft(from, () => {
        const test = this.or();
        const otherwise = this.skip("name", "else") ? this.nested(() => this.condition()) : null;
        return { kind: "condition", test, value, otherwise, at };
      });
    }
    return found;
  }

  /** Operators of one rank, from the left. */
  protected chain(operand: () => Expression, type: TokenType, ...operators: readonly string[]): Expression {
    const { at } = this.token;
    let left = operand();
    while (this.is(type, ...operators)) {
      const { value: operator } = this.next();
      left = { kind: "binary", operator, left, right: operand(), at };
    }
    return left;
  }

  protected or(): Expression {
    return this.chain(() => this.and(), "name", "or");
  }
  protected and(): Expression {
    return this.chain(() => this.not(), "name", "and");
  }
  protected not(): Expression {
    const { at } = this.token;
    if (!this.skip("name", "not")) return this.compare();
    return this.nested(() => ({ kind: "unary", operator: "not", of: this.not(), at }));
  }

  protected compare(): Expression {
    const { at } = this.token;
    const first = this.sum();
    const rest: [string, Expression][] = [];
    for (;;) {
      if (this.isOperator("==", "!=", "<", "<=", ">", ">=")) rest.push([this.next().value, this.sum()]);
      else if (this.skip("name", "in")) rest.push(["in", this.sum()]);
      else if (this.isName("not") && this.followedByIn()) {
        this.index += 2;
        rest.push(["not in", this.sum()]);
      } else return rest.length === 0 ? first : { kind: "compare", first, rest, at };
    }
  }

  protected followedByIn(): boolean {
    const after = this.tokens[this.index + 1];
    return after?.type === "name" && after.value === "in";
  }

  protected sum(): Expression {
    return this.chain(() => this.concat(), "operator", "+", "-");
  }

  protected concat(): Expression {
    const { at } = this.token;
    const items = [this.product()];
    while (this.skip("operator", "~")) items.push(this.product());
    return items.length === 1 ? items[0]! : { kind: "concat", items, at };
  }

  protected product(): Expression {
    const power = () => this.chain(() => this.unary(), "operator", "**");
    return this.chain(power, "operator", "*", "/", "//", "%");
  }

  protected unary(filtered = true): Expression {
    const { at } = this.token;
    let of: Expression;
    if (this.isOperator("-", "+")) {
      const operator = this.next().value as "-" | "+";
      of = this.nested(() => ({ kind: "unary", operator, of: this.unary(false), at }));
    } else of = this.primary();
    of = this.postfix(of);
    return filtered ? this.filtersAndTests(of) : of;
  }

  protected primary(): Expression {
    const { type, value, at } = this.next();
    if (type === "name") return this.name(value, at);
    if (type === "string") {
      let text = value;
      while (this.is("string")) text += this.next().value;
      return { kind: "const", value: text, at };
    }
    if (type === "int") return { kind: "const", value: parseInteger(value, 0), at };
    if (type === "float") return { kind: "const", value: Number(value.replaceAll("_", "")), at };
    if (type === "operator" && value === "(") {
      const inner = this.nested(() => this.tuple({ parenthesized: true }));
      this.expect("operator", ")");
      return inner;
    }
    if (type === "operator" && value === "[") return { kind: "list", items: this.listItems(), at };
    if (type === "operator" && value === "{") return { kind: "dict", entries: this.dictEntries(), at };
    throw this.error(`unexpected ${described({ type, value, at })}`, at);
  }

  protected name(name: string, at: number): Expression {
    const constant = CONSTANTS.get(name);
    if (constant !== undefined) return { kind: "const", value: constant, at };
    this.scope.names.add(name);
    if (SPECIAL.includes(name)) for (const reads of this.macros) reads.add(name);
    return { kind: "name", name, at };
  }

  protected listItems(): Expression[] {
    const items: Expression[] = [];
    while (!this.isOperator("]")) {
      if (items.length > 0) this.expect("operator", ",");
      if (this.isOperator("]")) break;
      items.push(this.expression());
    }
    this.next();
    return items;
  }

  protected dictEntries(): [Expression, Expression][] {
    const entries: [Expression, Expression][] = [];
    while (!this.isOperator("}")) {
      if (entries.length > 0) this.expect("operator", ",");
      if (this.isOperator("}")) break;
      const key = this.expression();
      this.expect("operator", ":");
      entries.push([key, this.expression()]);
    }
    this.next();
    return entries;
  }

  protected postfix(start: Expression): Expression {
    let of = start;
    for (;;) {
      const { at } = this.token;
      if (this.skip("operator", ".")) of = this.attribute(of, at);
      else if (this.skip("operator", "[")) of = this.subscript(of, at);
      else if (this.isOperator("(")) of = { kind: "call", of, with: this.arguments(), at };
      else return of;
    }
  }

  protected attribute(of: Expression, at: number): Expression {
    const { type, value, at: nameAt } = this.next();
    if (type === "name") return { kind: "attribute", of, name: value, at };
    if (type !== "int") throw this.error("expected name or number", nameAt);
    return { kind: "item", of, key: { kind: "const", value: parseInteger(value, 0), at: nameAt }, at };
  }

  protected subscript(of: Expression, at: number): Expression {
    const keys: (Expression | (Expression | null)[])[] = [];
    while (!this.isOperator("]")) {
      if (keys.length > 0) this.expect("operator", ",");
      keys.push(this.subscriptPart());
    }
    this.next();
    const [key] = keys;
    if (keys.length === 1 && Array.isArray(key)) return { kind: "slice", of, parts: key, at };
    const items = keys.filter((each): each is Expression => !Array.isArray(each));
    if (items.length < keys.length) throw this.error("slices in a tuple are not supported in templates", at);
    return { kind: "item", of, key: items.length === 1 ? items[0]! : { kind: "tuple", items, at }, at };
  }

  protected subscriptPart(): Expression | (Expression | null)[] {
    const part = () => (this.isOperator(":", "]", ",") ? null : this.expression());
    const first = part();
    if (!this.skip("operator", ":")) {
      return first ?? this.expression(); // which says what is wrong
    }
    const second = part();
    return [first, second, this.skip("operator", ":") ? part() : null];
  }

  protected arguments(): Arguments {
    const { at } = this.expect("operator", "(");
    const args: Expression[] = [];
    const kwargs: (readonly [string, Expression])[] = [];
    let starArgs: Expression | null = null;
    let starKwargs: Expression | null = null;
    const ensure = (right: boolean) => {
      if (!right) throw this.error("invalid syntax for function call expression", at);
    };
    for (let comma = false; !this.isOperator(")"); comma = true) {
      if (comma) this.expect("operator", ",");
      if (comma && this.isOperator(")")) break;
      if (this.skip("operator", "*")) {
        ensure(starArgs === null && starKwargs === null);
        starArgs = this.expression();
      } else if (this.skip("operator", "**")) {
        ensure(starKwargs === null);
        starKwargs = this.expression();
      } else if (
        this.isName() &&
        this.tokens[this.index + 1]?.type === "operator" &&
        this.tokens[this.index + 1]!.value === "="
      ) {
        ensure(starKwargs === null);
        const name = this.next().value;
        this.next();
        if (kwargs.some(([other]) => other === name)) throw this.error(`keyword argument repeated: ${name}`, at);
        kwargs.push([name, this.expression()]);
      } else {
        ensure(starArgs === null && starKwargs === null && kwargs.length === 0);
        args.push(this.expression());
      }
    }
    this.next();
    return { args, kwargs, starArgs, starKwargs };
  }

  protected filtersAndTests(start: Expression): Expression {
    let of = start;
    for (;;) {
      const { at } = this.token;
      if (this.isOperator("|")) of = this.filters(of)!;
      else if (this.skip("name", "is")) of = this.test(of, at);
      else if (this.isOperator("(")) of = { kind: "call", of, with: this.arguments(), at };
      else return of;
    }
  }

  protected filters(start: Expression | null, inline = false): Expression | null {
    let of = start;
    let first = inline;
    while (first || this.skip("operator", "|")) {
      first = false;
      const { at } = this.token;
      const name = this.dottedName();
      if (!this.#known.filters.has(name)) this.unknown.push({ what: `no filter named '${name}'`, at, firm: false });
      of = { kind: "filter", of, name, with: this.isOperator("(") ? this.arguments() : NO_ARGUMENTS, at };
    }
    return of;
  }

  protected dottedName(): string {
    let name = this.expect("name").value;
    while (this.skip("operator", ".")) name += `.${this.expect("name").value}`;
    return name;
  }

  protected test(of: Expression, at: number): Expression {
    const negated = this.skip("name", "not");
    const { at: nameAt } = this.token;
    const name = this.dottedName();
    if (!this.#known.tests.has(name)) this.unknown.push({ what: `no test named '${name}'`, at: nameAt, firm: false });
    const test: Expression = { kind: "test", of, name, with: this.testArguments(), at };
    return negated ? { kind: "unary", operator: "not", of: test, at } : test;
  }

  protected testArguments(): Arguments {
    if (this.isOperator("(")) return this.arguments();
    const begins =
      this.isName() || this.is("string") || this.is("int") || this.is("float") || this.isOperator("[", "{");
    if (!begins || this.isName("else", "or", "and")) return NO_ARGUMENTS;
    if (this.isName("is")) throw this.error("You cannot chain multiple tests with is", this.token.at);
    return { ...NO_ARGUMENTS, args: [this.postfix(this.primary())] };
  }
}
