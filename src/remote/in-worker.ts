import { startModule } from "#host";
import { Peer } from "./peer.ts";
import { type PortLike, portOf } from "./port.ts";

/** What another thread offers, and the end of that thread. */
export interface Workshop {
  readonly library: object;
  end(): void;
}

/**
 * Starts a thread that runs the function `start` of a module, or takes the user's own worker, and gives what it offers. A user's own
 * worker is the user's to end.
 */
export function openWorkshop(module: string, start: string, own: PortLike | null): Workshop {
  if (own !== null) return { library: new Peer(portOf(own), {}).root, end: () => {} };
  const worker = startModule(`import { ${start} } from ${JSON.stringify(module)}; ${start}();`);
  return { library: new Peer(portOf(worker), {}).root, end: () => void worker.terminate() };
}
