/** Tokens as a tree: Jinja's grammar with transformers' extensions (loop controls, generation blocks). */
import { CONSTANTS, ExpressionParser, type Known } from "./expression-parser.ts";
import type { BlockNode, Expression, MacroParts, Place, Scope, Statement } from "./nodes.ts";
import { described } from "./token-reader.ts";

/** Parses a normalized text. Throws TemplateSyntaxError with the place. */
export function parseTemplate(text: string, known: Known): Parsed {
  return new Parser(text, known).template();
}

export interface Parsed extends BlockNode {
  /** Whether there is a generation block. */
  readonly marksGenerations: boolean;
}

class Parser extends ExpressionParser {
  readonly #scopes: Scope[] = [this.scope];
  /** How many conditions surround a statement inside its scope. */
  #conditions = 0;
  /** Loops around a statement that `break` may leave. */
  #loops = 0;
  #marksGenerations = false;
  readonly #blocks = new Set<string>();

  template(): Parsed {
    const body = this.#statements([]);
    const [unknown] = this.unknown;
    if (unknown !== undefined) throw this.error(unknown.what, unknown.at);
    for (const scope of this.#scopes) {
      const outer = (name: string): boolean => {
        for (let above = scope.parent; above !== null; above = above.parent) if (above.names.has(name)) return true;
        return false;
      };
      scope.masked = new Set([...scope.masked].filter((name) => !outer(name)));
    }
    return { body, scope: this.scope, marksGenerations: this.#marksGenerations };
  }

  // Scopes

  #scoped<T>(work: (scope: Scope) => T): T {
    const scope: Scope = { parent: this.scope, names: new Set(), masked: new Set() };
    const [outer, conditions, unknown] = [this.scope, this.#conditions, this.unknown.length];
    this.#scopes.push(scope);
    this.scope = scope;
    this.#conditions = 0;
    try {
      return work(scope);
    } finally {
      this.scope = outer;
      this.#conditions = conditions;
      for (const each of this.unknown.slice(unknown)) each.firm = true;
    }
  }

  /** Jinja decides when a scope is entered what its names stand for: one that is set first starts undefined. */
  #stored(name: string): void {
    if (this.scope.names.has(name)) return;
    this.scope.names.add(name);
    if (this.#conditions === 0) this.scope.masked.add(name);
  }
  #storedIn(place: Place): void {
    if (place.kind === "name") this.#stored(place.name);
    else if (place.kind === "attribute") this.scope.names.add(place.namespace);
    else for (const item of place.items) this.#storedIn(item);
  }
  #declaredIn(place: Place): void {
    if (place.kind === "name") this.scope.names.add(place.name);
    else if (place.kind === "tuple") for (const item of place.items) this.#declaredIn(item);
  }

  // Statements

  /** Statements up to one of the end tags, of which the name is the next token then. */
  #statements(ends: readonly string[]): Statement[] {
    return this.nested(() => {
      const found: Statement[] = [];
      while (!this.is("end")) {
        const { type, value, at } = this.next();
        if (type === "data") found.push({ kind: "data", text: value, at });
        else if (type === "{{") {
          found.push({ kind: "output", of: this.tuple(), at });
          this.expect("}}");
        } else {
          if (this.isName(...ends) && ends.length > 0) return found;
          found.push(...this.#statement());
          this.expect("%}");
        }
      }
      if (ends.length > 0) {
        const wanted = ends.map((end) => `'${end}'`).join(" or ");
        throw this.error(`unexpected end of template, a tag that is open needs ${wanted}`, this.token.at);
      }
      return found;
    });
  }

  /** The body of a tag, from its end on. */
  #body(ends: readonly string[]): Statement[] {
    this.skip("operator", ":");
    this.expect("%}");
    return this.#statements(ends);
  }
  #wholeBody(end: string): Statement[] {
    const body = this.#body([end]);
    this.next();
    return body;
  }

  #statement(): Statement[] {
    const { type, value, at } = this.token;
    if (type !== "name") throw this.error("tag name expected", at);
    this.next();
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
        if (this.#loops === 0) throw this.error(`'${value}' outside loop`, at);
        return [{ kind: value, at }];
      case "include":
      case "import":
      case "from":
      case "extends":
        while (!this.is("%}") && !this.is("end")) this.next();
        return [{ kind: "loads", tag: value, at }];
      default:
        throw this.error(`encountered unknown tag '${value}'`, at);
    }
  }

  #for(at: number): Statement {
    const target = this.#place(false);
    if (placeNames(target).includes("loop"))
      throw this.error("can't assign to special loop variable in for-loop target", at);
    this.expect("name", "in");
    const items = this.tuple({ conditions: false, ends: ["recursive"] });
    const test = this.skip("name", "if")
      ? this.#scoped((scope) => {
          this.#declaredIn(target);
          return { of: this.expression(), scope };
        })
      : null;
    const recursive = this.skip("name", "recursive");
    this.#loops++;
    const body = this.#scoped((scope): BlockNode => {
      scope.names.add("loop");
      this.#declaredIn(target);
      return { body: this.#body(["endfor", "else"]), scope };
    });
    this.#loops--;
    const otherwise =
      this.next().value === "else"
        ? this.#scoped((scope): BlockNode => ({ body: this.#wholeBody("endfor"), scope }))
        : null;
    return { kind: "for", target, items, test, recursive, body, otherwise, at };
  }

  #if(at: number): Statement {
    const from = this.unknown.length;
    return this.soft(from, () => {
      const branches: { test: Expression; body: Statement[] }[] = [];
      const conditional = (ends: readonly string[]) => {
        this.#conditions++;
        const body = this.#body(ends);
        this.#conditions--;
        return body;
      };
      for (;;) {
        const test = this.tuple({ conditions: false });
        branches.push({ test, body: conditional(["elif", "else", "endif"]) });
        const { value } = this.next();
        if (value === "elif") continue;
        const otherwise = value === "else" ? conditional(["endif"]) : [];
        if (value === "else") this.next();
        return { kind: "if", branches, otherwise, at };
      }
    });
  }

  #set(at: number): Statement {
    const target = this.#place(true);
    if (this.skip("operator", "=")) {
      const value = this.tuple();
      this.#storedIn(target);
      return { kind: "set", target, value, at };
    }
    const filter = this.filters(null);
    this.#storedIn(target);
    const block = this.#scoped((scope): BlockNode => ({ body: this.#wholeBody("endset"), scope }));
    return { kind: "set-block", target, filter, block, at };
  }

  #macro(at: number): Statement {
    const name = this.expect("name").value;
    this.#stored(name);
    return { kind: "macro", macro: this.#macroParts(name, null, "endmacro"), at };
  }

  #callBlock(at: number): Statement {
    // The signature is parsed before the call, and its scope is that of the body.
    const start = this.index;
    const signed = this.isOperator("(");
    if (signed) this.#skipParentheses();
    const call = this.expression();
    if (call.kind !== "call") throw this.error("expected call", at);
    const end = this.index;
    if (!signed) return { kind: "call-block", call, caller: this.#macroParts(null, [], "endcall"), at };
    return { kind: "call-block", call, caller: this.#macroParts(null, null, "endcall", start, end), at };
  }

  #skipParentheses(): void {
    let open = 0;
    do {
      const token = this.next();
      if (token.type === "end") throw this.error("unexpected end of template", token.at);
      if (token.type === "operator" && token.value === "(") open++;
      if (token.type === "operator" && token.value === ")") open--;
    } while (open > 0);
  }

  /** Signature (given where it is null, at `start`) and body (at `resume`) in a separate scope. */
  #macroParts(name: string | null, signature: [] | null, end: string, start?: number, resume?: number): MacroParts {
    const reads = new Set<string>();
    const loops = this.#loops;
    this.#loops = 0;
    const parts = this.#scoped((scope) => {
      if (start !== undefined) this.index = start;
      const parameters = signature ?? this.#signature();
      if (resume !== undefined) this.index = resume;
      this.macros.push(reads);
      const body = this.#wholeBody(end);
      this.macros.pop();
      for (const special of reads) scope.names.add(special);
      const caller = parameters.find((parameter) => parameter.name === "caller");
      if (reads.has("caller") && caller?.fallback === null) {
        throw this.error('the special "caller" argument must be omitted or be given a default', this.token.at);
      }
      return { name, parameters, body, scope, reads };
    });
    this.#loops = loops;
    return parts;
  }

  #signature(): { name: string; fallback: Expression | null }[] {
    const found: { name: string; fallback: Expression | null }[] = [];
    this.expect("operator", "(");
    while (!this.isOperator(")")) {
      if (found.length > 0) this.expect("operator", ",");
      const { value: name, at } = this.expect("name");
      this.scope.names.add(name);
      const fallback = this.skip("operator", "=") ? this.expression() : null;
      if (fallback === null && found.at(-1)?.fallback) {
        throw this.error("non-default argument follows default argument", at);
      }
      found.push({ name, fallback });
    }
    this.next();
    return found;
  }

  #filterBlock(at: number): Statement {
    const filter = this.filters(null, true)!;
    const block = this.#scoped((scope): BlockNode => ({ body: this.#wholeBody("endfilter"), scope }));
    return { kind: "filter-block", filter, block, at };
  }

  #with(at: number): Statement {
    const targets: (readonly [Place, Expression])[] = [];
    while (!this.is("%}") && !this.is("end")) {
      if (targets.length > 0) this.expect("operator", ",");
      const place = this.#place(false);
      this.expect("operator", "=");
      targets.push([place, this.expression()]);
    }
    const block = this.#scoped((scope): BlockNode => {
      for (const [place] of targets) this.#declaredIn(place);
      return { body: this.#wholeBody("endwith"), scope };
    });
    return { kind: "with", targets, block, at };
  }

  #block(at: number): Statement {
    const name = this.expect("name").value;
    if (this.#blocks.has(name)) throw this.error(`block '${name}' defined twice`, at);
    this.#blocks.add(name);
    const scoped = this.skip("name", "scoped");
    const required = this.skip("name", "required");
    if (required) throw this.error("required blocks are not supported in templates", at);
    const loops = this.#loops;
    this.#loops = 0;
    const block = this.#scoped((scope): BlockNode => ({ body: this.#wholeBody("endblock"), scope }));
    this.#loops = loops;
    this.skip("name", name);
    return { kind: "block", name, scoped, block, at };
  }

  #print(at: number): Statement[] {
    const found: Statement[] = [];
    while (!this.is("%}") && !this.is("end")) {
      if (found.length > 0) this.expect("operator", ",");
      found.push({ kind: "output", of: this.expression(), at });
    }
    return found;
  }

  // Places

  #place(withNamespace: boolean): Place {
    const { at } = this.token;
    const items: Place[] = [];
    let isTuple = false;
    do {
      if (this.is("%}") || this.isOperator(")") || this.isName("in")) break;
      items.push(this.#onePlace(withNamespace));
      if (!this.isOperator(",")) break;
      isTuple = true;
    } while (this.skip("operator", ","));
    if (isTuple) return { kind: "tuple", items, at };
    if (items[0] !== undefined) return items[0];
    throw this.error(`expected a name, got ${described(this.token)}`, at);
  }

  #onePlace(withNamespace: boolean): Place {
    const { type, value, at } = this.token;
    if (this.skip("operator", "(")) {
      const place = this.nested(() => this.#place(withNamespace));
      this.expect("operator", ")");
      return place;
    }
    if (type !== "name" || CONSTANTS.has(value)) throw this.error(`can't assign to ${described(this.token)}`, at);
    this.next();
    if (!withNamespace || !this.skip("operator", ".")) return { kind: "name", name: value, at };
    return { kind: "attribute", namespace: value, name: this.expect("name").value, at };
  }
}

function placeNames(place: Place): string[] {
  if (place.kind === "name") return [place.name];
  return place.kind === "tuple" ? place.items.flatMap(placeNames) : [];
}
