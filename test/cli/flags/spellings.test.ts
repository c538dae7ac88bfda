import { type Command, CommanderError } from "commander";
import { expect, test } from "vitest";
import { DeclaredFlag } from "../../../src/cli/flags/options.ts";
import { everyCommand } from "../every-command.ts";

const commands = await everyCommand();
const train = async () => (await everyCommand()).find((command) => command.name() === "train")!;

/** What a train command line sets. */
async function given(...words: string[]): Promise<Record<string, unknown>> {
  const command = await train();
  command.exitOverride().configureOutput({ writeErr: () => {} });
  command.parseOptions(words);
  return command.opts();
}

async function refused(...words: string[]): Promise<string> {
  try {
    await given(...words);
  } catch (error) {
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
  throw new Error(`${words.join(" ")} was accepted`);
}

test.each([
  ["--lr 1e-3", { learningRate: 1e-3 }],
  ["--learning_rate=1e-3", { learningRate: 1e-3 }],
  ["--lora-r 4 --lora_alpha 8 --lora_dropout 0.1", { r: 4, loraAlpha: 8, loraDropout: 0.1 }],
  ["--rank 4", { r: 4 }],
  ["--lora_target_modules q_proj,v_proj", { targetModules: ["q_proj", "v_proj"] }],
  ["--max-seq-length 64", { maxLength: 64 }],
  ["--num_train_epochs 2", { numTrainEpochs: 2 }],
  ["--max_steps 5", { maxSteps: 5 }],
  ["--per-device-train-batch-size 2", { perDeviceTrainBatchSize: 2 }],
  ["--per_device_eval_batch_size 2", { perDeviceEvalBatchSize: 2 }],
  ["--gradient_accumulation_steps 3", { gradientAccumulationSteps: 3 }],
  ["--lr_scheduler_type cosine", { lrSchedulerType: "cosine" }],
  ["--model_name_or_path base --output_dir runs/a", { model: "base", output: "runs/a" }],
  ["--train_file a.jsonl b.jsonl --validation_file c.jsonl", { data: ["a.jsonl", "b.jsonl"], valid: ["c.jsonl"] }],
  ["--overwrite_output_dir", { overwriteOutputDir: true }],
  ["--gradient_checkpointing True", { gradientCheckpointing: true }],
  ["--gradient_checkpointing=false --resume", { gradientCheckpointing: false, resume: true }],
] as const)("%s is understood", async (line, values) => {
  expect(await given(...line.split(" "))).toMatchObject(values);
});

test("the value of a flag is taken as it is, though it looks like another flag", async () => {
  expect(await given("--output", "--lr")).toMatchObject({ output: "--lr" });
});

test.each([
  ["--fp16", /--weights f16/],
  ["--bf16 True", /--weights bf16/],
  ["--load_in_4bit", /--weights nf4/],
  ["--load-in-8bit", /--weights int8/],
  ["--device cuda", /runs on the CPU.*--threads/],
  ["--warmup_ratio 0.1", /--warmup-steps/],
  ["--evaluation_strategy steps", /--eval-steps/],
  ["--resume_from_checkpoint runs/a", /--resume/],
  ["--learning-rte 1", /Did you mean --learning-rate/],
  ["--max-sequence-length 3", /Did you mean --max-length/],
] as const)("%s is answered", async (line, answer) => {
  expect(await refused(...line.split(" "))).toMatch(answer);
});

test("a flag that says the opposite is not called by the option's name", async () => {
  expect(await refused("--shuffle")).toMatch(/unknown option/);
});

test.each(commands.map((command) => [command.name(), command] as const))(
  "every spelling of %s means one thing",
  (_, command: Command) => {
    const spellings = command.options.flatMap((flag) => {
      const others = flag instanceof DeclaredFlag ? flag.alsoSpelled : [];
      const answered = flag instanceof DeclaredFlag ? Object.keys(flag.declared.insteadOf ?? {}) : [];
      return [...new Set([flag.long!.slice(2), ...others]), ...answered];
    });
    expect(spellings.filter((each, i) => spellings.indexOf(each) !== i)).toEqual([]);
  },
);
