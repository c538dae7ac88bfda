/** lorikeet bench: speed on this machine. */
import { Command } from "commander";
import { decode } from "./bench-decode.ts";
import { start } from "./bench-start.ts";
import { step } from "./bench-step.ts";

export const command: Command = new Command("bench")
  .description("Measure speed on this machine.")
  .addCommand(step)
  .addCommand(decode)
  .addCommand(start);
