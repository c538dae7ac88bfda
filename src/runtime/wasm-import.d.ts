/** What importing a .wasm file gives in workerd: the compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
