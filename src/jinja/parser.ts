/** Tokens as a tree: Jinja's grammar with transformers' extensions (loop controls, generation blocks). */
import { TemplateError } from "./errors.ts";
import { type Token, type TokenType, tokenize } from "./lexer.ts";
import type { Arguments, Block, Expression, MacroParts, Place, Scope, Statement } from "./nodes.ts";
import { parseInteger } from "./numbers.ts";

/** Which filters and tests there are. */
export interface Known {
  readonly filters: { has(name: string): boolean };
  readonly tests: { has(name: string): boolean };
}

/** Tags and parentheses inside one another. */
const MAX_NESTING = 200;
const SPECIAL = ["caller", "kwargs", "varargs"];

/** Parses a normalized text. Throws TemplateSyntaxError with the place. */
export function parseTemplate(text: string, known: Known): Parsed {
  return new Parser(text, known).template();
}

export interface Parsed extends Block {
  /** Whether there is a generation block. */
  readonly marksGenerations: boolean;
}

/** A filter or test without a name in the tables: an error at once, or when it is reached inside a condition. */
interface Unknown {
  readonly what: string;
  readonly at: number;
  /** In a scope inside the condition, where Jinja does not wait. */
  firm: boolean;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #known: Known;
  #index = 0;
  #depth = 0;
  #scope: Scope = { parent: null, names: new Set(), masked: new Set() };
  readonly #scopes: Scope[] = [this.#scope];
  /** How many conditions surround a statement inside its scope. */
  #conditions = 0;
  /** Loops around a statement that `break` may leave. */
  #loops = 0;
  readonly #macros: Set<string>[] = [];
  #unknown: Unknown[] = [];
  #marksGenerations = false;
  readonly #blocks = new Set<string>();

  constructor(text: string, known: Known) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#known = known;
  }

  template(): Parsed {
    const body = this.#statements([]);
    const [unknown] = this.#unknown;
    if (unknown !== undefined) throw this.#error(unknown.what, unknown.at);
    for (const scope of this.#scopes) {
      const outer = (name: string): boolean => {
        for (let above = scope.parent; above !== null; above = above.parent) if (above.names.has(name)) return true;
        return false;
      };
      scope.masked = new Set([...scope.masked].filter((name) => !outer(name)));
    }
    return { body, scope: this.#scope, marksGenerations: this.#marksGenerations };
  }

  // Tokens

  get #token(): Token {
    return this.#tokens[this.#index]!;
  }
  #next(): Token {
    const token = this.#token;
    if (token.type !== "end") this.#index++;
    return token;
  }
  #is(type: TokenType, ...values: readonly string[]): boolean {
    return this.#token.type === type && (values.length === 0 || values.includes(this.#token.value));
  }
  #isOperator(...values: readonly string[]): boolean {
    return this.#is("operator", ...values);
  }
  #isName(...values: readonly string[]): boolean {
    return this.#is("name", ...values);
  }
  #skip(type: TokenType, value: string): boolean {
    const found = this.#is(type, value);
    if (found) this.#index++;
    return found;
  }
  #expect(type: TokenType, value?: string): Token {
    const token = this.#token;
    if (token.type === type && (value === undefined || token.value === value)) return this.#next();
    throw this.#error(`expected ${value === undefined ? type : `'${value}'`}, got ${described(token)}`, token.at);
  }
  #error(reason: string, at: number): TemplateError {
    return new TemplateError("TemplateSyntaxError", reason).locate(this.#text, at);
  }

  #nested<T>(work: () => T): T {
    if (this.#depth >= MAX_NESTING) {
      const error = new TemplateError("LimitError", `more than ${MAX_NESTING} tags or parentheses inside one another`);
      throw error.locate(this.#text, this.#token.at);
    }
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  // Scopes

  #scoped<T>(work: (scope: Scope) => T): T {
    const scope: Scope = { parent: this.#scope, names: new Set(), masked: new Set() };
    const [outer, conditions, unknown] = [this.#scope, this.#conditions, this.#unknown.length];
    this.#scopes.push(scope);
    this.#scope = scope;
    this.#conditions = 0;
    try {
      return work(scope);
    } finally {
      this.#scope = outer;
      this.#conditions = conditions;
      for (const each of this.#unknown.slice(unknown)) each.firm = true;
    }
  }

  /** Jinja decides when a scope is entered what its names stand for: one that is set first starts undefined. */
  #stored(name: string): void {
    if (this.#scope.names.has(name)) return;
    this.#scope.names.add(name);
    if (this.#conditions === 0) this.#scope.masked.add(name);
  }
  #storedIn(place: Place): void {
    if (place.kind === "name") this.#stored(place.name);
    else if (place.kind === "attribute") this.#scope.names.add(place.namespace);
    else for (const item of place.items) this.#storedIn(item);
  }
  #declaredIn(place: Place): void {
    if (place.kind === "name") this.#scope.names.add(place.name);
    else if (place.kind === "tuple") for (const item of place.items) this.#declaredIn(item);
  }

  /** Runs work in which unknown filters wait until they are reached. */
  #soft<T>(from: number, work: () => T): T {
    const result = work();
    this.#unknown = this.#unknown.filter(({ firm }, i) => i < from || firm);
    return result;
  }

  // Statements

  /** Statements up to one of the end tags, of which the name is the next token then. */
  #statements(ends: readonly string[]): Statement[] {
    return this.#nested(() => {
      const found: Statement[] = [];
      while (!this.#is("end")) {
        const { type, value, at } = this.#next();
        if (type === "data") found.push({ kind: "data", text: value, at });
        else if (type === "{{") {
          found.push({ kind: "output", of: this.#tuple(), at });
          this.#expect("}}");
        } else {
          if (this.#isName(...ends) && ends.length > 0) return found;
          found.push(...this.#statement());
          this.#expect("%}");
        }
      }
      if (ends.length > 0) {
        const wanted = ends.map((end) => `'${end}'`).join(" or ");
        throw this.#error(`unexpected end of template, a tag that is open needs ${wanted}`, this.#token.at);
      }
      return found;
    });
  }

  /** The body of a tag, from its end on. */
  #body(ends: readonly string[]): Statement[] {
    this.#skip("operator", ":");
    this.#expect("%}");
    return this.#statements(ends);
  }
  #wholeBody(end: string): Statement[] {
    const body = this.#body([end]);
    this.#next();
    return body;
  }

  #statement(): Statement[] {
    const { type, value, at } = this.#token;
    if (type !== "name") throw this.#error("tag name expected", at);
    this.#next();
    switch (value) {
      case "for":
        return [this.#for(at)];
      case "if":
        return [this.#if(at)];
      case "set":
        return [this.#set(at)];
      case "macro":
        return [this.#macro(at)];
      case "call":
        return [this.#callBlock(at)];
      case "filter":
        return [this.#filterBlock(at)];
      case "with":
        return [this.#with(at)];
      case "block":
        return [this.#block(at)];
      case "print":
        return this.#print(at);
      case "generation":
        this.#marksGenerations = true;
        return [{ kind: "generation", caller: this.#macroParts(null, [], "endgeneration"), at }];
      case "break":
      case "continue":
        if (this.#loops === 0) throw this.#error(`'${value}' outside loop`, at);
        return [{ kind: value, at }];
      case "include":
      case "import":
      case "from":
      case "extends":
        while (!this.#is("%}") && !this.#is("end")) this.#next();
        return [{ kind: "loads", tag: value, at }];
      default:
        throw this.#error(`encountered unknown tag '${value}'`, at);
    }
  }

  #for(at: number): Statement {
    const target = this.#place(false);
    if (placeNames(target).includes("loop"))
      throw this.#error("can't assign to special loop variable in for-loop target", at);
    this.#expect("name", "in");
    const items = this.#tuple({ conditions: false, ends: ["recursive"] });
    const test = this.#skip("name", "if")
      ? this.#scoped((scope) => {
          this.#declaredIn(target);
          return { of: this.#expression(), scope };
        })
      : null;
    const recursive = this.#skip("name", "recursive");
    this.#loops++;
    const body = this.#scoped((scope): Block => {
      scope.names.add("loop");
      this.#declaredIn(target);
      return { body: this.#body(["endfor", "else"]), scope };
    });
    this.#loops--;
    const otherwise =
      this.#next().value === "else"
        ? this.#scoped((scope): Block => ({ body: this.#wholeBody("endfor"), scope }))
        : null;
    return { kind: "for", target, items, test, recursive, body, otherwise, at };
  }

  #if(at: number): Statement {
    const from = this.#unknown.length;
    return this.#soft(from, () => {
      const branches: { test: Expression; body: Statement[] }[] = [];
      const conditional = (ends: readonly string[]) => {
        this.#conditions++;
        const body = this.#body(ends);
        this.#conditions--;
        return body;
      };
      for (;;) {
        const test = this.#tuple({ conditions: false });
        branches.push({ test, body: conditional(["elif", "else", "endif"]) });
        const { value } = this.#next();
        if (value === "elif") continue;
        const otherwise = value === "else" ? conditional(["endif"]) : [];
        if (value === "else") this.#next();
        return { kind: "if", branches, otherwise, at };
      }
    });
  }

  #set(at: number): Statement {
    const target = this.#place(true);
    if (this.#skip("operator", "=")) {
      const value = this.#tuple();
      this.#storedIn(target);
      return { kind: "set", target, value, at };
    }
    const filter = this.#filters(null);
    this.#storedIn(target);
    const block = this.#scoped((scope): Block => ({ body: this.#wholeBody("endset"), scope }));
    return { kind: "set-block", target, filter, block, at };
  }

  #macro(at: number): Statement {
    const name = this.#expect("name").value;
    this.#stored(name);
    return { kind: "macro", macro: this.#macroParts(name, null, "endmacro"), at };
  }

  #callBlock(at: number): Statement {
    // The signature is parsed before the call, and its scope is that of the body.
    const start = this.#index;
    const signed = this.#isOperator("(");
    if (signed) this.#skipParentheses();
    const call = this.#expression();
    if (call.kind !== "call") throw this.#error("expected call", at);
    const end = this.#index;
    if (!signed) return { kind: "call-block", call, caller: this.#macroParts(null, [], "endcall"), at };
    return { kind: "call-block", call, caller: this.#macroParts(null, null, "endcall", start, end), at };
  }

  #skipParentheses(): void {
    let open = 0;
    do {
      const token = this.#next();
      if (token.type === "end") throw this.#error("unexpected end of template", token.at);
      if (token.type === "operator" && token.value === "(") open++;
      if (token.type === "operator" && token.value === ")") open--;
    } while (open > 0);
  }

  /** Signature (given where it is null, at `start`) and body (at `resume`) in a scope of their own. */
  #macroParts(name: string | null, signature: [] | null, end: string, start?: number, resume?: number): MacroParts {
    const reads = new Set<string>();
    const loops = this.#loops;
    this.#loops = 0;
    const parts = this.#scoped((scope) => {
      if (start !== undefined) this.#index = start;
      const parameters = signature ?? this.#signature();
      if (resume !== undefined) this.#index = resume;
      this.#macros.push(reads);
      const body = this.#wholeBody(end);
      this.#macros.pop();
      for (const special of reads) scope.names.add(special);
      const caller = parameters.find((parameter) => parameter.name === "caller");
      if (reads.has("caller") && caller?.fallback === null) {
        throw this.#error('the special "caller" argument must be omitted or be given a default', this.#token.at);
      }
      return { name, parameters, body, scope, reads };
    });
    this.#loops = loops;
    return parts;
  }

  #signature(): { name: string; fallback: Expression | null }[] {
    const found: { name: string; fallback: Expression | null }[] = [];
    this.#expect("operator", "(");
    while (!this.#isOperator(")")) {
      if (found.length > 0) this.#expect("operator", ",");
      const { value: name, at } = this.#expect("name");
      this.#scope.names.add(name);
      const fallback = this.#skip("operator", "=") ? this.#expression() : null;
      if (fallback === null && found.at(-1)?.fallback) {
        throw this.#error("non-default argument follows default argument", at);
      }
      found.push({ name, fallback });
    }
    this.#next();
    return found;
  }

  #filterBlock(at: number): Statement {
    const filter = this.#filters(null, true)!;
    const block = this.#scoped((scope): Block => ({ body: this.#wholeBody("endfilter"), scope }));
    return { kind: "filter-block", filter, block, at };
  }

  #with(at: number): Statement {
    const targets: (readonly [Place, Expression])[] = [];
    while (!this.#is("%}") && !this.#is("end")) {
      if (targets.length > 0) this.#expect("operator", ",");
      const place = this.#place(false);
      this.#expect("operator", "=");
      targets.push([place, this.#expression()]);
    }
    const block = this.#scoped((scope): Block => {
      for (const [place] of targets) this.#declaredIn(place);
      return { body: this.#wholeBody("endwith"), scope };
    });
    return { kind: "with", targets, block, at };
  }

  #block(at: number): Statement {
    const name = this.#expect("name").value;
    if (this.#blocks.has(name)) throw this.#error(`block '${name}' defined twice`, at);
    this.#blocks.add(name);
    const scoped = this.#skip("name", "scoped");
    const required = this.#skip("name", "required");
    if (required) throw this.#error("required blocks are not supported in templates", at);
    const loops = this.#loops;
    this.#loops = 0;
    const block = this.#scoped((scope): Block => ({ body: this.#wholeBody("endblock"), scope }));
    this.#loops = loops;
    this.#skip("name", name);
    return { kind: "block", name, scoped, block, at };
  }

  #print(at: number): Statement[] {
    const found: Statement[] = [];
    while (!this.#is("%}") && !this.#is("end")) {
      if (found.length > 0) this.#expect("operator", ",");
      found.push({ kind: "output", of: this.#expression(), at });
    }
    return found;
  }

  // Places

  #place(withNamespace: boolean): Place {
    const { at } = this.#token;
    const items: Place[] = [];
    let isTuple = false;
    do {
      if (this.#is("%}") || this.#isOperator(")") || this.#isName("in")) break;
      items.push(this.#onePlace(withNamespace));
      if (!this.#isOperator(",")) break;
      isTuple = true;
    } while (this.#skip("operator", ","));
    if (isTuple) return { kind: "tuple", items, at };
    if (items[0] !== undefined) return items[0];
    throw this.#error(`expected a name, got ${described(this.#token)}`, at);
  }

  #onePlace(withNamespace: boolean): Place {
    const { type, value, at } = this.#token;
    if (this.#skip("operator", "(")) {
      const place = this.#nested(() => this.#place(withNamespace));
      this.#expect("operator", ")");
      return place;
    }
    if (type !== "name" || CONSTANTS.has(value)) throw this.#error(`can't assign to ${described(this.#token)}`, at);
    this.#next();
    if (!withNamespace || !this.#skip("operator", ".")) return { kind: "name", name: value, at };
    return { kind: "attribute", namespace: value, name: this.#expect("name").value, at };
  }

  // Expressions

  /** One expression, or several with commas between them. */
  #tuple({ conditions = true, ends = [] as readonly string[], parenthesized = false } = {}): Expression {
    const { at } = this.#token;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.#expect("operator", ",");
      if (this.#is("}}") || this.#is("%}") || this.#isOperator(")")) break;
      if (ends.length > 0 && this.#isName(...ends)) break;
      items.push(this.#expression(conditions));
      if (!this.#isOperator(",")) break;
      isTuple = true;
    }
    if (isTuple) return { kind: "tuple", items, at };
    if (items[0] !== undefined) return items[0];
    if (parenthesized) return { kind: "tuple", items, at };
    throw this.#error(`Expected an expression, got ${described(this.#token)}`, at);
  }

  #expression(conditions = true): Expression {
    return this.#nested(() => (conditions ? this.#condition() : this.#or()));
  }

  #condition(): Expression {
    const from = this.#unknown.length;
    const { at } = this.#token;
    let found = this.#or();
    while (this.#skip("name", "if")) {
      const value = found;
      found = this.#soft(from, () => {
        const test = this.#or();
        const otherwise = this.#skip("name", "else") ? this.#nested(() => this.#condition()) : null;
        return { kind: "condition", test, value, otherwise, at };
      });
    }
    return found;
  }

  /** Operators of one rank, from the left. */
  #chain(operand: () => Expression, type: TokenType, ...operators: readonly string[]): Expression {
    const { at } = this.#token;
    let left = operand();
    while (this.#is(type, ...operators)) {
      const { value: operator } = this.#next();
      left = { kind: "binary", operator, left, right: operand(), at };
    }
    return left;
  }

  #or(): Expression {
    return this.#chain(() => this.#and(), "name", "or");
  }
  #and(): Expression {
    return this.#chain(() => this.#not(), "name", "and");
  }
  #not(): Expression {
    const { at } = this.#token;
    if (!this.#skip("name", "not")) return this.#compare();
    return this.#nested(() => ({ kind: "unary", operator: "not", of: this.#not(), at }));
  }

  #compare(): Expression {
    const { at } = this.#token;
    const first = this.#sum();
    const rest: [string, Expression][] = [];
    for (;;) {
      if (this.#isOperator("==", "!=", "<", "<=", ">", ">=")) rest.push([this.#next().value, this.#sum()]);
      else if (this.#skip("name", "in")) rest.push(["in", this.#sum()]);
      else if (this.#isName("not") && this.#followedByIn()) {
        this.#index += 2;
        rest.push(["not in", this.#sum()]);
      } else return rest.length === 0 ? first : { kind: "compare", first, rest, at };
    }
  }

  #followedByIn(): boolean {
    const after = this.#tokens[this.#index + 1];
    return after?.type === "name" && after.value === "in";
  }

  #sum(): Expression {
    return this.#chain(() => this.#concat(), "operator", "+", "-");
  }

  #concat(): Expression {
    const { at } = this.#token;
    const items = [this.#product()];
    while (this.#skip("operator", "~")) items.push(this.#product());
    return items.length === 1 ? items[0]! : { kind: "concat", items, at };
  }

  #product(): Expression {
    const power = () => this.#chain(() => this.#unary(), "operator", "**");
    return this.#chain(power, "operator", "*", "/", "//", "%");
  }

  #unary(filtered = true): Expression {
    const { at } = this.#token;
    let of: Expression;
    if (this.#isOperator("-", "+")) {
      const operator = this.#next().value as "-" | "+";
      of = this.#nested(() => ({ kind: "unary", operator, of: this.#unary(false), at }));
    } else of = this.#primary();
    of = this.#postfix(of);
    return filtered ? this.#filtersAndTests(of) : of;
  }

  #primary(): Expression {
    const { type, value, at } = this.#next();
    if (type === "name") return this.#name(value, at);
    if (type === "string") {
      let text = value;
      while (this.#is("string")) text += this.#next().value;
      return { kind: "const", value: text, at };
    }
    if (type === "int") return { kind: "const", value: parseInteger(value, 0), at };
    if (type === "float") return { kind: "const", value: Number(value.replaceAll("_", "")), at };
    if (type === "operator" && value === "(") {
      const inner = this.#nested(() => this.#tuple({ parenthesized: true }));
      this.#expect("operator", ")");
      return inner;
    }
    if (type === "operator" && value === "[") return { kind: "list", items: this.#listItems(), at };
    if (type === "operator" && value === "{") return { kind: "dict", entries: this.#dictEntries(), at };
    throw this.#error(`unexpected ${described({ type, value, at })}`, at);
  }

  #name(name: string, at: number): Expression {
    const constant = CONSTANTS.get(name);
    if (constant !== undefined) return { kind: "const", value: constant, at };
    this.#scope.names.add(name);
    if (SPECIAL.includes(name)) for (const reads of this.#macros) reads.add(name);
    return { kind: "name", name, at };
  }

  #listItems(): Expression[] {
    const items: Expression[] = [];
    while (!this.#isOperator("]")) {
      if (items.length > 0) this.#expect("operator", ",");
      if (this.#isOperator("]")) break;
      items.push(this.#expression());
    }
    this.#next();
    return items;
  }

  #dictEntries(): [Expression, Expression][] {
    const entries: [Expression, Expression][] = [];
    while (!this.#isOperator("}")) {
      if (entries.length > 0) this.#expect("operator", ",");
      if (this.#isOperator("}")) break;
      const key = this.#expression();
      this.#expect("operator", ":");
      entries.push([key, this.#expression()]);
    }
    this.#next();
    return entries;
  }

  #postfix(start: Expression): Expression {
    let of = start;
    for (;;) {
      const { at } = this.#token;
      if (this.#skip("operator", ".")) of = this.#attribute(of, at);
      else if (this.#skip("operator", "[")) of = this.#subscript(of, at);
      else if (this.#isOperator("(")) of = { kind: "call", of, with: this.#arguments(), at };
      else return of;
    }
  }

  #attribute(of: Expression, at: number): Expression {
    const { type, value, at: nameAt } = this.#next();
    if (type === "name") return { kind: "attribute", of, name: value, at };
    if (type !== "int") throw this.#error("expected name or number", nameAt);
    return { kind: "item", of, key: { kind: "const", value: parseInteger(value, 0), at: nameAt }, at };
  }

  #subscript(of: Expression, at: number): Expression {
    const keys: (Expression | (Expression | null)[])[] = [];
    while (!this.#isOperator("]")) {
      if (keys.length > 0) this.#expect("operator", ",");
      keys.push(this.#subscriptPart());
    }
    this.#next();
    const [key] = keys;
    if (keys.length === 1 && Array.isArray(key)) return { kind: "slice", of, parts: key, at };
    const items = keys.filter((each): each is Expression => !Array.isArray(each));
    if (items.length < keys.length) throw this.#error("slices in a tuple are not supported in templates", at);
    return { kind: "item", of, key: items.length === 1 ? items[0]! : { kind: "tuple", items, at }, at };
  }

  #subscriptPart(): Expression | (Expression | null)[] {
    const part = () => (this.#isOperator(":", "]", ",") ? null : this.#expression());
    const first = part();
    if (!this.#skip("operator", ":")) {
      return first ?? this.#expression(); // which says what is wrong
    }
    const second = part();
    return [first, second, this.#skip("operator", ":") ? part() : null];
  }

  #arguments(): Arguments {
    const { at } = this.#expect("operator", "(");
    const args: Expression[] = [];
    const kwargs: (readonly [string, Expression])[] = [];
    let starArgs: Expression | null = null;
    let starKwargs: Expression | null = null;
    const ensure = (right: boolean) => {
      if (!right) throw this.#error("invalid syntax for function call expression", at);
    };
    for (let comma = false; !this.#isOperator(")"); comma = true) {
      if (comma) this.#expect("operator", ",");
      if (comma && this.#isOperator(")")) break;
      if (this.#skip("operator", "*")) {
        ensure(starArgs === null && starKwargs === null);
        starArgs = this.#expression();
      } else if (this.#skip("operator", "**")) {
        ensure(starKwargs === null);
        starKwargs = this.#expression();
      } else if (
        this.#isName() &&
        this.#tokens[this.#index + 1]?.type === "operator" &&
        this.#tokens[this.#index + 1]!.value === "="
      ) {
        ensure(starKwargs === null);
        const name = this.#next().value;
        this.#next();
        if (kwargs.some(([other]) => other === name)) throw this.#error(`keyword argument repeated: ${name}`, at);
        kwargs.push([name, this.#expression()]);
      } else {
        ensure(starArgs === null && starKwargs === null && kwargs.length === 0);
        args.push(this.#expression());
      }
    }
    this.#next();
    return { args, kwargs, starArgs, starKwargs };
  }

  #filtersAndTests(start: Expression): Expression {
    let of = start;
    for (;;) {
      const { at } = this.#token;
      if (this.#isOperator("|")) of = this.#filters(of)!;
      else if (this.#skip("name", "is")) of = this.#test(of, at);
      else if (this.#isOperator("(")) of = { kind: "call", of, with: this.#arguments(), at };
      else return of;
    }
  }

  #filters(start: Expression | null, inline = false): Expression | null {
    let of = start;
    let first = inline;
    while (first || this.#skip("operator", "|")) {
      first = false;
      const { at } = this.#token;
      const name = this.#dottedName();
      if (!this.#known.filters.has(name)) this.#unknown.push({ what: `no filter named '${name}'`, at, firm: false });
      of = { kind: "filter", of, name, with: this.#isOperator("(") ? this.#arguments() : NO_ARGUMENTS, at };
    }
    return of;
  }

  #dottedName(): string {
    let name = this.#expect("name").value;
    while (this.#skip("operator", ".")) name += `.${this.#expect("name").value}`;
    return name;
  }

  #test(of: Expression, at: number): Expression {
    const negated = this.#skip("name", "not");
    const { at: nameAt } = this.#token;
    const name = this.#dottedName();
    if (!this.#known.tests.has(name)) this.#unknown.push({ what: `no test named '${name}'`, at: nameAt, firm: false });
    const test: Expression = { kind: "test", of, name, with: this.#testArguments(), at };
    return negated ? { kind: "unary", operator: "not", of: test, at } : test;
  }

  #testArguments(): Arguments {
    if (this.#isOperator("(")) return this.#arguments();
    const begins =
      this.#isName() || this.#is("string") || this.#is("int") || this.#is("float") || this.#isOperator("[", "{");
    if (!begins || this.#isName("else", "or", "and")) return NO_ARGUMENTS;
    if (this.#isName("is")) throw this.#error("You cannot chain multiple tests with is", this.#token.at);
    return { ...NO_ARGUMENTS, args: [this.#postfix(this.#primary())] };
  }
}

const NO_ARGUMENTS: Arguments = { args: [], kwargs: [], starArgs: null, starKwargs: null };
const CONSTANTS = new Map<string, boolean | null>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

function placeNames(place: Place): string[] {
  if (place.kind === "name") return [place.name];
  return place.kind === "tuple" ? place.items.flatMap(placeNames) : [];
}

function described({ type, value }: Token): string {
  if (type === "end") return "the end of the template";
  return type === "data" ? "text" : `'${value}'`;
}
