/**
 * The library in its own thread, so that a step of training or a token never blocks the page or the server. The interface is the
 * same, and everything is asynchronous.
 */
import { ownPort } from "#host";
import type * as Lorikeet from "./index.ts";
import { openWorkshop } from "./remote/in-worker.ts";
import { Peer } from "./remote/peer.ts";
import { type PortLike, portOf } from "./remote/port.ts";
import type { Remote } from "./remote/remote.ts";

export type { PortLike } from "./remote/port.ts";
export type { Given, Remote, Sent, StandsFor } from "./remote/remote.ts";

/** The library in another thread. */
export type RemoteLorikeet = Remote<typeof Lorikeet> & {
  /** Ends the thread, and with it everything that is in it. */
  end(): void;
};

/**
 * Starts a thread with the library in it. Models, tokenizers and trainers stay in the thread: what arrives here are stand-ins, whose
 * calls and properties are promises. Numbers, texts, typed arrays and plain objects are copied; functions given as options, such as
 * `onProgress`, are called here.
 *
 * A bundler wants to see the worker's own file: give it as `worker`, with one line in that file, `serveLorikeet()`.
 *
 * @example
 * const lorikeet = inWorker();
 * const tokenizer = await lorikeet.AutoTokenizer.fromPretrained("examples/pocket");
 * const model = await lorikeet.AutoModelForCausalLM.fromPretrained("examples/pocket");
 * const texts = await lorikeet.generate(model, [await tokenizer.encode("Shall I")], { maxNewTokens: 20 });
 * for (const ids of texts) console.log(await tokenizer.decode(ids));
 * lorikeet.end();
 */
export function inWorker(worker: PortLike | null = null): RemoteLorikeet {
  const { library, end } = openWorkshop(import.meta.url, "serveLorikeet", worker);
  const own = { end };
  return new Proxy(library, {
    get: (target, name) => (name === "end" ? own.end : Reflect.get(target, name)),
  }) as RemoteLorikeet;
}

/**
 * Offers the library to the thread that started this one, or to the other end of `port`. Call it in the worker's own file.
 *
 * @example no-run
 * // worker.js
 * import { serveLorikeet } from "lorikeet/worker";
 * serveLorikeet();
 */
export function serveLorikeet(port: PortLike = ownPort()): void {
  new Peer(portOf(port), import("./index.ts"));
}
