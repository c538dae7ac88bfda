/** Counts the cases of campaigns and what failed in them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const named = ["ShapeError", "FormatError", "UnsupportedError", "StateError"];
/** The longest that a case may compute, in milliseconds of the processor: other programs may share the machine. */
const HANG = 2_000;

export class Ledger {
  rows = [];
  #row = null;

  begin(campaign) {
    this.#row = { campaign, cases: 0, crashes: 0, wrongAccepts: 0, hangs: 0, memory: 0, otherBits: 0 };
    this.rows.push(this.#row);
  }

  /** Counts a failure of the current campaign, and says which. */
  fail(column, text) {
    this.#row[column]++;
    console.error(`  ${this.#row.campaign}: ${column}: ${text}`);
  }

  /** Runs one case. An error with a name of the library's is a refusal, any other is a crash. Returns whether it was refused. */
  async case(name, work) {
    this.#row.cases++;
    const began = process.cpuUsage();
    let refused = false;
    try {
      await work();
    } catch (error) {
      refused = true;
      if (!named.includes(error?.name)) this.fail("crashes", `${name}: ${error?.stack ?? error}`);
    }
    const { user, system } = process.cpuUsage(began);
    if ((user + system) / 1000 > HANG) this.fail("hangs", `${name}: ${Math.round((user + system) / 1000)} ms`);
    return refused;
  }

  print(seconds) {
    const columns = Object.keys(this.rows[0]);
    const lines = [columns, ...this.rows.map((row) => columns.map((column) => String(row[column])))];
    const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
    for (const line of lines)
      console.log(line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join("  "));
    console.log(`${this.rows.reduce((sum, { cases }) => sum + cases, 0)} cases in ${Math.round(seconds)} s`);
  }

  write(path) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(this.rows, null, 2)}\n`);
  }

  get failures() {
    return this.rows.reduce(
      (sum, row) => sum + row.crashes + row.wrongAccepts + row.hangs + row.memory + row.otherBits,
      0,
    );
  }
}
