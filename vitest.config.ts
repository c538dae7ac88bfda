import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Node 20 knows relaxed SIMD only behind this flag; later versions accept and ignore it. test/wide adds those that merge vectors.
const relaxed = process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [];
const more = process.env.LORIKEET_TEST_FLAGS?.split(" ") ?? [];

export default defineConfig({
  resolve: { alias: { "#host": fileURLToPath(new URL("./src/runtime/node.ts", import.meta.url)) } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/shared-goldens.mjs",
    execArgv: [...relaxed, ...more],
    pool: "forks",
    maxWorkers: 2,
    // Two test files run at a time; tests of threads ask for them.
    env: { LORIKEET_THREADS: "1" },
    testTimeout: 60_000,
  },
});
