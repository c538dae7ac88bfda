import { Peer } from "../../src/remote/peer.ts";
import { portOf } from "../../src/remote/port.ts";

/** The stand-in for `offered` at the other end of a channel, and what closes the channel. */
export function across<T extends object>(offered: T | Promise<T>): { remote: T; close(): void } {
  const { port1, port2 } = new MessageChannel();
  new Peer(portOf(port1), offered);
  const { root } = new Peer(portOf(port2), {});
  return { remote: root as T, close: () => port1.close() };
}
