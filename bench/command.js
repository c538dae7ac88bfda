/**
 * lorikeet bench: speed on this machine. It exists only in a clone of the repository, not in the package.
 *
 *   node bench/command.js step --shape gpt2-124m     or     npx lorikeet bench step --shape gpt2-124m
 */
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { fail } from "../dist/cli/failure.js";
import { watchPipes } from "../dist/cli/terminal.js";
import { decode } from "./commands/decode.js";
import { start } from "./commands/start.js";
import { step } from "./commands/step.js";
import { suite } from "./commands/suite.js";

export const command = new Command("bench")
  .description("Measure speed on this machine.")
  .addCommand(step)
  .addCommand(decode)
  .addCommand(start)
  .addCommand(suite)
  .showHelpAfterError("(--help shows the options, with examples)")
  .allowExcessArguments(false);

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  watchPipes();
  new Command("lorikeet")
    .addCommand(command)
    .parseAsync(["bench", ...process.argv.slice(2)], { from: "user" })
    .catch(fail);
}
