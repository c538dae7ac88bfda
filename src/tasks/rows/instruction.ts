import { defineRow, notTexts } from "../kit/define-row.ts";

export interface InstructionContent {
  readonly kind: "instruction";
  readonly system: string;
  readonly instruction: string;
  readonly output: string;
}

/** Alpaca's rows: what to do, with what, and the answer, which alone is learned. An empty "input" counts as none. */
export const instructionRow = defineRow<InstructionContent>({
  kind: "instruction",
  title: "an instruction with its output",
  required: ["instruction", "output"],
  optional: ["input", "system"],
  texts: ["instruction", "input", "output", "system"],
  shapes: ['{"instruction", "input"?, "output"}'],
  isText: true,
  read(row) {
    const given = ["input", "system"].filter((key) => (row[key] ?? null) !== null);
    const wrong = notTexts(row, "instruction", "output", ...given);
    if (wrong !== null) return wrong;
    const { instruction, input, output, system } = row as Record<string, string>;
    const both = [instruction, input].filter((text) => text).join("\n\n");
    return { kind: "instruction", system: system ?? "", instruction: both, output: output! };
  },
});
