/** Everything that a run with an output folder needs: loaded for the first such run. */
export { identityOf } from "./run-identity.ts";
export { checkpointsOf, readParams, readState, writeParams, writeState } from "./run-state.ts";
export { appendMetrics, rewriteMetrics, trainerState } from "./trainer-state.ts";
