/** Flags of V8, which Node can set while it runs. */
import { setFlagsFromString } from "node:v8";

/** What `compute` returns, with V8's flags as they were before when it does. They are named without dashes and off by default. */
export function withFlags<T>(flags: readonly string[], compute: () => T): T {
  for (const flag of flags) setFlagsFromString(`--${flag}`);
  try {
    return compute();
  } finally {
    for (const flag of flags) setFlagsFromString(flag.startsWith("no-") ? `--${flag.slice(3)}` : `--no-${flag}`);
  }
}
