/**
 * Contestants do the same work in separate processes, in turns: A B A B. Only one computes at a time; each stays warm
 * between its turns. See turns.js for their side.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { lastWords } from "./programs.js";
import { summary } from "./statistics.js";

/**
 * The allowed relative difference of losses between contestants with the same weights: float32 sums in different
 * orders.
 */
const AGREEMENT = 1e-4;

/**
 * Lets contestants { name, command, task, agrees } take turns. Returns by name { facts, turns }, or { missing } with the reason
 * for one that could not be started. `agrees` is false for one whose weights are not those of the others.
 */
export async function contest(contestants, rounds, log) {
  const ready = [];
  const results = {};
  for (const contestant of contestants) {
    log(`${contestant.name} gets ready`);
    const player = new Player(contestant);
    try {
      const facts = await player.answer();
      expectThreads(contestant.task, facts);
      results[contestant.name] = { facts, turns: [] };
      ready.push(player);
    } catch (error) {
      results[contestant.name] = { missing: error.message };
      log(`NOT MEASURED: ${contestant.name}: ${error.message}`);
      player.end();
    }
  }
  try {
    expectAgreement(contestants, results);
    for (let round = 0; round < rounds; round++) {
      for (const player of ready) {
        const turn = await player.turn();
        results[player.name].turns.push(turn);
        log(`round ${round + 1} of ${rounds}: ${player.name} ${turn.ms.toFixed(1)} ms`);
      }
    }
  } finally {
    for (const player of ready) player.end();
  }
  return results;
}

/**
 * The ratio of the times of `slow` and `fast`: median over the rounds, each a pair of neighboring turns, and its spread. Processor
 * time where both compute on one thread, which other processes do not disturb; else elapsed time.
 */
export function timesFaster(results, fast, slow) {
  const missing = missingOf(results, fast, slow);
  if (missing) return { missing };
  const time = [fast, slow].every((name) => onOneThread(results[name])) ? "cpuMs" : "ms";
  return summary(results[fast].turns.map((turn, i) => results[slow].turns[i][time] / turn[time]));
}

/** Whether a contestant computes on one thread, and its processor time is that of its work. */
function onOneThread({ facts, turns }) {
  return facts.threads === 1 && turns.every(({ cpuMs }) => cpuMs > 0);
}

/** Milliseconds of a turn: by the processor's time on one thread. */
export const msOf = (turn, facts) => (onOneThread({ facts, turns: [turn] }) ? turn.cpuMs : turn.ms);

/** The share of the SIMD peak measured beside each turn. */
export function peakShare(results, name) {
  return middle(results, name, (turn, facts) => facts.flops / (msOf(turn, facts) / 1000) / turn.peakFlops);
}

/** Median over the turns of what `of` finds in each, and its spread. */
export function middle(results, name, of) {
  const missing = missingOf(results, name);
  return missing ? { missing } : summary(results[name].turns.map((turn) => of(turn, results[name].facts)));
}

/** The reason why one of them was not measured, or undefined. */
export function missingOf(results, ...names) {
  const name = names.find((each) => results[each].missing);
  return name && `${name}: ${results[name].missing}`;
}

/** "relaxed 2345.6 ms, pytorch 1234.5 ms": medians, of processor time on one thread. */
export function timesLine(results) {
  const measured = Object.keys(results).filter((name) => !results[name].missing);
  return measured.map((name) => `${name} ${middle(results, name, msOf).value.toFixed(1)} ms`).join(", ");
}

/** Throws unless those who should compute the same do: equal losses before and after the first update. */
function expectAgreement(contestants, results) {
  const [first, ...others] = contestants.filter(({ name, agrees = true }) => agrees && !results[name].missing);
  for (const { name } of others) {
    const [want, got] = [first.name, name].map((each) => results[each].facts.losses);
    if (want.every((loss, i) => Math.abs(got[i] - loss) <= AGREEMENT * Math.abs(loss))) continue;
    throw new Error(`${name} has losses ${got.join(", ")} and ${first.name} ${want.join(", ")}: not the same work`);
  }
}

function expectThreads({ threads }, facts) {
  if (threads !== undefined && threads !== facts.threads)
    throw new Error(`${threads} threads were requested, but it computes on ${facts.threads}`);
}

class Player {
  constructor({ name, command, task }) {
    this.name = name;
    const [program, ...args] = command;
    this.child = spawn(program, [...args, JSON.stringify(task)], { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdin.on("error", () => {}); // `answer` reports a contestant that died
    this.errors = "";
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.errors += text;
    });
    this.child.on("error", (error) => {
      this.errors += error.message;
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async answer() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(lastWords(this.errors) || "exited without output");
    return JSON.parse(value);
  }

  turn() {
    this.child.stdin.write("\n");
    return this.answer();
  }

  end() {
    this.child.stdin.end();
  }
}
