/** The two ends of a worker's channel, as hosts and their users have them. */
import { UnsupportedError } from "../core/errors.ts";

/** A channel to another thread. */
export interface Port {
  post(message: unknown): void;
  /** Calls `receive` with each message, and `lost` if the other thread ends unexpectedly. */
  listen(receive: (message: unknown) => void, lost: (why: string) => void): void;
  /** Says whether answers are awaited, for which the process then waits. */
  hold?(awaiting: boolean): void;
}

/** A worker or port of the web: `Worker`, `MessagePort`, or the global object of a worker. */
export interface WebPort {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: { data?: unknown; message?: string }) => void): void;
  start?(): void;
}

/** A worker or port of node:worker_threads. */
export interface NodePort {
  postMessage(message: unknown): void;
  on(event: string, listener: (value: unknown) => void): unknown;
  terminate?(): unknown;
  ref?(): void;
  unref?(): void;
}

/** Anything that has messages: a `Worker` or `MessagePort` of the web or of node:worker_threads. */
export type PortLike = WebPort | NodePort;

/** Throws UnsupportedError for an object without messages. */
export function portOf(given: PortLike): Port {
  if ("on" in given && typeof given.on === "function") return nodePort(given);
  if ("addEventListener" in given) return webPort(given);
  throw new UnsupportedError("expected a Worker or a MessagePort, found an object without messages");
}

function webPort(given: WebPort): Port {
  return {
    post: (message) => given.postMessage(message),
    listen(receive, lost) {
      given.addEventListener("message", ({ data }) => receive(data));
      given.addEventListener("error", ({ message }) => lost(message || "its script could not be loaded"));
      given.start?.();
    },
  };
}

function nodePort(given: NodePort): Port {
  const isThread = typeof given.terminate === "function";
  if (isThread) given.unref?.();
  return {
    ...(isThread && { hold: (awaiting: boolean) => (awaiting ? given.ref?.() : given.unref?.()) }),
    post: (message) => given.postMessage(message),
    listen(receive, lost) {
      given.on("message", receive);
      given.on("error", (error) => lost(error instanceof Error ? error.message : String(error)));
      given.on("exit", (code) => lost(`it ended with exit code ${code}`));
    },
  };
}
