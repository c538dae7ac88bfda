/** Asks Python what it makes of inputs. */
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("reference.py", import.meta.url));

/** The campaigns that this Python has a reference for, with its name and version; none without Python. */
export function referencesOf(python) {
  const { stdout, status } = spawnSync(python, [script], { encoding: "utf8" });
  return status === 0 ? JSON.parse(stdout) : {};
}

export class Reference {
  #process;
  #lines;

  constructor(python, campaign) {
    this.#process = spawn(python, [script, campaign], { stdio: ["pipe", "pipe", "ignore"] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** `{ accepted, digest, message }` for each input; accepted is null where it cannot say. */
  async ask(inputs) {
    for (const files of inputs) {
      const encoded = Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]);
      this.#process.stdin.write(`${JSON.stringify(Object.fromEntries(encoded))}\n`);
    }
    const answers = [];
    for (let i = 0; i < inputs.length; i++) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error("the reference ended");
      answers.push(JSON.parse(value));
    }
    return answers;
  }

  end() {
    this.#process.kill();
  }
}
