/** The parsed template. `at` is where a node begins in the text. */
import type { PyValue } from "../values/values.ts";

export interface Arguments {
  readonly args: readonly Expression[];
  readonly kwargs: readonly (readonly [string, Expression])[];
  readonly starArgs: Expression | null;
  readonly starKwargs: Expression | null;
}

export type Expression = { readonly at: number } & (
  | { readonly kind: "const"; readonly value: PyValue }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list" | "tuple" | "concat"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly kind: "item"; readonly of: Expression; readonly key: Expression }
  | { readonly kind: "slice"; readonly of: Expression; readonly parts: readonly (Expression | null)[] }
  | { readonly kind: "call"; readonly of: Expression; readonly with: Arguments }
  /** `of` is null where a block is filtered. */
  | { readonly kind: "filter"; readonly of: Expression | null; readonly name: string; readonly with: Arguments }
  | { readonly kind: "test"; readonly of: Expression; readonly name: string; readonly with: Arguments }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "unary"; readonly operator: "-" | "+" | "not"; readonly of: Expression }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [operator: string, Expression])[];
    }
  | {
      readonly kind: "condition";
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | null;
    }
);

/** What can be assigned to. */
export type Place = { readonly at: number } & (
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "attribute"; readonly namespace: string; readonly name: string }
  | { readonly kind: "tuple"; readonly items: readonly Place[] }
);

/** Statements with their own names. `masked` ones are undefined until they are set, whatever the caller gives. */
export interface BlockNode {
  readonly body: readonly Statement[];
  readonly scope: Scope;
}

export interface Scope {
  readonly parent: Scope | null;
  /** Names that are read or set here. */
  readonly names: Set<string>;
  masked: Set<string>;
}

/** A macro, the body of a call block, or that of a generation block. */
export interface MacroParts extends BlockNode {
  readonly name: string | null;
  readonly parameters: readonly { readonly name: string; readonly fallback: Expression | null }[];
  /** Which of these the body reads. */
  readonly reads: ReadonlySet<string>;
}

export type Statement = { readonly at: number } & (
  | { readonly kind: "data"; readonly text: string }
  | { readonly kind: "output"; readonly of: Expression }
  | {
      readonly kind: "if";
      readonly branches: readonly { readonly test: Expression; readonly body: readonly Statement[] }[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: "for";
      readonly target: Place;
      readonly items: Expression;
      readonly test: { readonly of: Expression; readonly scope: Scope } | null;
      readonly recursive: boolean;
      readonly body: BlockNode;
      readonly otherwise: BlockNode | null;
    }
  | { readonly kind: "set"; readonly target: Place; readonly value: Expression }
  | {
      readonly kind: "set-block";
      readonly target: Place;
      readonly filter: Expression | null;
      readonly block: BlockNode;
    }
  | { readonly kind: "filter-block"; readonly filter: Expression; readonly block: BlockNode }
  | { readonly kind: "with"; readonly targets: readonly (readonly [Place, Expression])[]; readonly block: BlockNode }
  | { readonly kind: "macro"; readonly macro: MacroParts }
  | { readonly kind: "call-block"; readonly call: Expression; readonly caller: MacroParts }
  | { readonly kind: "generation"; readonly caller: MacroParts }
  | { readonly kind: "block"; readonly name: string; readonly scoped: boolean; readonly block: BlockNode }
  | { readonly kind: "break" | "continue" }
  /** Needs other templates, of which there are none. */
  | { readonly kind: "loads"; readonly tag: string }
);
