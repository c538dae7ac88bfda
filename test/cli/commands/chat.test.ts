import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { expectRefused, type Finished, finish, root, start, succeed, workFolder } from "../bed.ts";

const work = workFolder();
const at = (name: string) => join(work, name);

const TEMPLATE =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

beforeAll(async () => {
  mkdirSync(at("models"));
  cpSync(join(root, "examples/pocket"), at("models/plain"), { recursive: true });
  cpSync(join(root, "examples/pocket"), at("models/chat"), { recursive: true });
  const file = at("models/chat/tokenizer_config.json");
  const config = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  writeFileSync(file, JSON.stringify({ ...config, chat_template: TEMPLATE }));
  writeFileSync(at("rows.jsonl"), `${JSON.stringify({ text: "Ahoy, ahoy, ahoy!" })}\n`.repeat(8));
  for (const name of ["pirate", "poet"]) {
    const steps = ["--steps", "3", "--learning-rate", name === "poet" ? "0.05" : "0.02"];
    await succeed(
      work,
      "train",
      "--model",
      "models/chat",
      "--data",
      "rows.jsonl",
      "--output",
      `runs/${name}`,
      ...steps,
    );
  }
}, 60_000);

/** Runs a chat with lines on standard input. */
async function chat(lines: readonly string[], ...args: readonly string[]): Promise<Finished> {
  const all = ["--model", "models/chat", "--max-new-tokens", "5", "--temperature", "0", ...args];
  const child = start(work, ["chat", ...all], "pipe");
  child.stdin!.end(lines.map((line) => `${line}\n`).join(""));
  return finish(child);
}

test("lines are questions, answers go to standard output, and /save writes what was said", async () => {
  const { code, stdout, stderr } = await chat([
    "Call me",
    "",
    "And you?",
    "//x",
    "/save all.json",
    "/save rows.jsonl2.jsonl",
  ]);
  expect(code).toBe(0);
  const messages = JSON.parse(readFileSync(at("all.json"), "utf8")) as { role: string; content: string }[];
  expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant", "user", "assistant"]);
  expect(messages.filter(({ role }) => role === "user").map(({ content }) => content)).toEqual([
    "Call me",
    "And you?",
    "/x",
  ]);
  const answers = messages.filter(({ role }) => role === "assistant").map(({ content }) => content);
  expect(stdout).toBe(answers.map((answer) => `${answer}\n`).join(""));
  expect(stderr).toContain("6 messages are in all.json");
  expect(JSON.parse(readFileSync(at("rows.jsonl2.jsonl"), "utf8"))).toEqual({ messages });
  const [first, second] = answers;
  const again = await succeed(
    work,
    "generate",
    "--model",
    "models/chat",
    "--messages",
    "all.json",
    "--temperature",
    "0",
    "--max-new-tokens",
    "2",
    "--json",
  );
  expect(JSON.parse(again).messages).toEqual(messages);
  const history = JSON.stringify(messages.slice(0, 3));
  const same = await succeed(
    work,
    "generate",
    "--model",
    "models/chat",
    "--messages",
    history,
    "--temperature",
    "0",
    "--max-new-tokens",
    "5",
    "--json",
  );
  expect(JSON.parse(same).text).toBe(second);
  expect(first).not.toBe("");
});

test("/system and --system, /adapter and --adapter, /reset, /help and what is not a command", async () => {
  const lines = [
    "Hello",
    "/adapter",
    "/adapter poet",
    "/reset",
    "Hello",
    "/adapter base",
    "/reset",
    "Hello",
    "/adapter pirat",
    "/system Be brief.",
    "/save c.json",
    "/sav",
    "/help",
    "/exit",
    "never",
  ];
  const args = ["--adapter", "runs/pirate/adapter", "runs/poet/adapter", "--system", "Sing."];
  const { code, stdout, stderr } = await chat(lines, ...args);
  expect(code).toBe(1); // a command that does not exist
  expect(stderr).toContain("* pirate\n  poet\n  base\n");
  expect(stderr).toContain("answers come from poet now");
  expect(stderr).toContain(
    'error: there is no adapter "pirat", expected one of pirate, poet, base. Did you mean "pirate"?',
  );
  expect(stderr).toContain("error: /sav is not a command. Did you mean");
  expect(stderr).toContain("/save FILE ");
  const messages = JSON.parse(readFileSync(at("c.json"), "utf8")) as { content: string }[];
  expect(messages.map(({ content }) => content).slice(0, 2)).toEqual(["Be brief.", "Hello"]);
  const alone = async (...more: string[]) => (await chat(["Hello"], "--system", "Sing.", ...more)).stdout;
  const want = [
    await alone("--adapter", "runs/pirate/adapter"),
    await alone("--adapter", "runs/poet/adapter"),
    await alone(),
  ];
  expect(stdout).toBe(want.join(""));
  expect(new Set(want).size).toBe(3);
});

test("the oldest questions are forgotten when the context is full, and an answer that is cut says so", async () => {
  const long = "whale ".repeat(170);
  const { stderr, code } = await chat([long, long, long, "whale ".repeat(900)]);
  expect(stderr).toMatch(/the oldest (question was|\d questions were) forgotten/);
  expect(stderr).toContain("(cut at 5 tokens: --max-new-tokens allows more)");
  expect(stderr).toMatch(/error: the question has \d+ tokens with what the template adds/);
  expect(code).toBe(1);
});

test("a model without a template is refused, and --raw continues plain text", async () => {
  const none = await chat(["Hello"], "--model", "models/plain");
  expectRefused(none, /chat needs a chat template, and .* has none: give a chat model .* or --raw/);
  const raw = await chat(["Call me", "/save raw.json"], "--model", "models/plain", "--raw");
  const text = await succeed(
    work,
    "generate",
    "--model",
    "models/plain",
    "--prompt",
    "Call me",
    "--temperature",
    "0",
    "--max-new-tokens",
    "5",
    "--json",
  );
  expect(raw.stdout).toBe(`${JSON.parse(text).text}\n`);
  rmSync(at("raw.json"));
});

test("an interrupt stops the answer and keeps what was written of it; the next one leaves", async () => {
  const args = ["--model", "models/chat", "--max-new-tokens", "100", "--temperature", "0"];
  const child = start(work, ["chat", ...args], "pipe");
  child.stdin!.write("Call me\n");
  child.stdout!.once("data", () => child.kill("SIGINT"));
  const done = finish(child);
  child.stdout!.on("data", (text: string) => {
    if (!text.includes("\n")) return;
    child.stdin!.write("/save cut.json\n");
    setTimeout(() => child.kill("SIGINT"), 300);
  });
  const { code, stdout } = await done;
  expect(code).toBe(130);
  const [, answer] = JSON.parse(readFileSync(at("cut.json"), "utf8")) as { content: string }[];
  expect(stdout).toBe(`${answer!.content}\n`);
});
