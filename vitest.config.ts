import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "#host": fileURLToPath(new URL("./src/runtime/node.ts", import.meta.url)) } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/shared-goldens.mjs",
    // Node 20 knows relaxed SIMD only behind this flag; later versions accept and ignore it.
    execArgv: process.version.startsWith("v20.") ? ["--experimental-wasm-relaxed-simd"] : [],
    pool: "forks",
    maxWorkers: 2,
    // Two test files run at a time; tests of threads ask for them.
    env: { LORIKEET_THREADS: "1" },
    testTimeout: 60_000,
  },
});
