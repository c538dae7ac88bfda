/** lorikeet bench suite: all of our own figures in the host that runs it, for comparing machines and hosts. */
import { commandOf } from "../../dist/cli/command.js";
import { LiveLine, print } from "../../dist/cli/terminal.js";
import { flag } from "../../dist/core/options.js";
import { engineOptions } from "../../dist/wasm/engine-options.js";
import { instability } from "../report.js";
import { runSuite } from "../suite.js";
import { benchOptions } from "./options.js";

const options = {
  short: flag(false, "few samples of the smallest networks, in some seconds"),
  json: benchOptions.json,
  ...engineOptions,
};

export const suite = commandOf("suite", {
  description: "Measure everything that needs no peer, in each build on one thread and in the fastest on all.",
  options,
  examples: `
    $ lorikeet bench suite
    $ lorikeet bench suite --build relaxed --threads 2 --json
    $ deno run --allow-all bench/command.js suite --json`,
  run,
});

async function run({ short, json, build, threads }) {
  const line = new LiveLine();
  const found = await runSuite({
    ...{ short, ...(build !== null && { builds: [build] }), ...(threads !== null && { threads }) },
    report: ({ build, threads, name, missing }) =>
      line.show(missing ? `no ${build} build: ${missing}` : `${build}, ${threads} threads: ${name}`),
  });
  line.end();
  print(json ? JSON.stringify(found) : table(found));
}

function table({ host, seconds, missing, figures }) {
  const lines = figures.map((figure) => {
    const { build, threads, name, unit, value } = figure;
    const where = `${build}, ${threads === 1 ? "one thread" : `${threads} threads`}`;
    return `  ${where.padEnd(20)} ${name.padEnd(48)} ${value.toPrecision(4).padStart(8)} ${unit.padEnd(8)} ${instability(figure)}`;
  });
  const not = Object.entries(missing).map(([what, why]) => `  not measured: ${what}: ${why}`);
  return [`${host}, ${seconds.toFixed(0)} s`, ...lines, ...not].join("\n");
}
