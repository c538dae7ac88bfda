/** lorikeet bench: speed on this machine. */
import { Command } from "commander";
import { decode } from "./decode.ts";
import { start } from "./start.ts";
import { step } from "./step.ts";

export const command: Command = new Command("bench")
  .description("Measure speed on this machine.")
  .addCommand(step)
  .addCommand(decode)
  .addCommand(start);
