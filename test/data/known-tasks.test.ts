/** Rows say which task they are for, and every kind of row and of head belongs to some task. */
import { describe, expect, test } from "vitest";
import { definitionFor, headsByTask, knownModelTypes } from "../../src/auto/auto-model.ts";
import { tasks } from "../../src/core/task.ts";
import { kindOfRow, rowKinds, taskDefinition, taskOfRows } from "../../src/data/known-tasks.ts";
import { recognize } from "../../src/data/read-row.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { defineRow } from "../../src/tasks/kit/define-row.ts";

const parse = (...rows: object[]) =>
  parseTextRows("d.jsonl", new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n")));

test.each([
  [[{ text: "a" }], null],
  [[{ text: "a" }, { text: "b", label: 1 }], "SEQ_CLS"],
  [[{ input_ids: [1] }, { text: "b", label: 1 }], null], // the first row decides of what kind it is asked
  [[{ input_ids: [1], label: "x" }], "SEQ_CLS"],
  [[{ input_ids: [1], labels: [1] }], null],
  [[{ tokens: ["a"], labels: ["O"] }], "TOKEN_CLS"],
  [[{ question: "a", context: "b", answers: [] }], "QUESTION_ANS"],
  [[{ source: "a", target: "b" }], "SEQ_2_SEQ_LM"],
  [[{ image: "a.png" }], "IMAGE_CLS"],
  [[{ pixel_values: [1, 2] }], "IMAGE_CLS"],
  [[{ prompt: "a", completion: "b" }], null],
  [[{ messages: [{ role: "assistant", content: "a" }] }], null],
] as const)("%j are for %s", (rows, task) => {
  expect(taskOfRows(parse(...rows))).toBe(task);
});

describe.each(rowKinds().map((kind) => [kind.kind, kind] as const))("rows of kind %s", (name, kind) => {
  test("have a name and a set of keys that no other kind has", () => {
    expect(rowKinds().filter((other) => other.kind === name)).toEqual([kind]);
    expect(kindOfRow({ kind: name })).toBe(kind);
    const keys = [...kind.required].sort().join();
    expect(rowKinds().filter(({ required }) => [...required].sort().join() === keys)).toEqual([kind]);
  });

  test("are written with the keys that they declare, and with all of them", () => {
    const declared = [...kind.required, ...kind.optional];
    const written = kind.shapes.flatMap((shape) => Array.from(shape.matchAll(/"(\w+)"/g), ([, key]) => key!));
    expect(written.filter((key) => !declared.includes(key))).toEqual([]);
    for (const key of kind.required) expect(written).toContain(key);
  });
});

describe("a kind is told by its keys", () => {
  const kindWith = (kind: string, required: string[], optional: string[] = []) =>
    defineRow({ kind, title: kind, required, optional, shapes: [], isText: true });
  const kinds = [
    kindWith("completion", ["prompt", "completion"]),
    kindWith("preference", ["prompt", "chosen", "rejected"]),
    kindWith("comparison", ["chosen", "rejected"], ["margin"]),
    kindWith("document", []),
  ];
  const found = (...keys: string[]) => {
    const kind = recognize(Object.fromEntries(keys.map((key) => [key, ""])), kinds);
    return typeof kind === "string" ? kind : kind.kind;
  };

  test("of which it may share some with others", () => {
    expect(found("prompt", "completion")).toBe("completion");
    expect(found("prompt", "chosen", "rejected")).toBe("preference");
    expect(found("chosen", "rejected", "margin", "anything")).toBe("comparison");
  });

  test("and other columns are ignored, unless they make another kind", () => {
    expect(found("prompt", "completion", "chosen")).toBe("completion");
    expect(found("chosen", "rejected", "completion", "source")).toBe("comparison");
  });

  test("and a row that lacks one, or is of several kinds, is not read", () => {
    expect(found("prompt")).toBe('has "prompt" without "completion"');
    expect(found("rejected", "margin")).toBe('has "rejected" without "prompt"');
    expect(found("chosen", "rejected", "prompt", "completion")).toMatch(
      /can be read as completion \("prompt", "completion"\) or as preference .*--columns prompt=prompt,completion=completion or/,
    );
    expect(found("promt")).toContain('Did you mean "prompt"');
    expect(found()).toBe("has no keys");
  });
});

test.each(knownModelTypes())("%s has no head that no task asks for, and each task's head once", async (type) => {
  const definition = await definitionFor({ model_type: type }, type);
  const used = [...headsByTask(definition).keys()].map((task) => taskDefinition(task).head);
  expect([...new Set(used)].sort()).toEqual(Object.keys(definition.heads).sort());
});

test("an architecture stands for one task", () => {
  const heads = tasks.map(taskDefinition).flatMap(({ namedOnly, head }) => (namedOnly ? [] : [head]));
  expect(heads).toHaveLength(new Set(heads).size);
});

test("a task needs rows that it takes", () => {
  for (const task of tasks) {
    const { needs, rows } = taskDefinition(task);
    const keys = rows.flatMap(({ required, optional }) => [...required, ...optional]);
    const named = Array.from(needs.matchAll(/"(\w+)"/g), ([, key]) => key!);
    expect(
      named.filter((key) => !keys.includes(key)),
      task,
    ).toEqual([]);
  }
});
