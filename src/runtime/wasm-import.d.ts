/** The result of importing a .wasm file in workerd: the compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
