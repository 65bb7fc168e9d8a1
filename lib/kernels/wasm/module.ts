// The module of assembly/index.ts, as JavaScript sees it.

/** What assembly/index.ts exports. Every argument is an address, a count or a flag. */
export interface KernelModule {
  readonly memory: { readonly buffer: ArrayBuffer };
  dataEnd(): number;
  splitLines(...args: number[]): number;
  parseCri(...args: number[]): number;
  surveySpans(...args: number[]): number;
  groupPicks(...args: number[]): number;
  parseRfc3339(...args: number[]): number;
  scanJson(...args: number[]): number;
  escapeJson(...args: number[]): number;
  unescapeJson(...args: number[]): number;
  scanStrictLogfmt(...args: number[]): void;
  scanLogfmt(...args: number[]): number | void;
  jsonFields(...args: number[]): void;
  encodeEntries(...args: number[]): number;
  encodeGroups(...args: number[]): number;
  fitSpans(...args: number[]): number;
  numberTexts(...args: number[]): number;
  decodePush(...args: number[]): number;
  snappyCompress(...args: number[]): number;
  snappyRawBytes(...args: number[]): number;
  snappyDecompress(...args: number[]): number;
  lz4Compress(...args: number[]): number;
  lz4Decompress(...args: number[]): number;
  packPage(...args: number[]): number;
  unpackPage(...args: number[]): number;
  sampleGrams(...args: number[]): number;
  setGrams(...args: number[]): void;
  find(...args: number[]): number;
  findLines(...args: number[]): number;
  countInSpans(...args: number[]): void;
}

/** The little of WebAssembly's interface that is needed here; the compiler's library for Node lacks it. */
interface WebAssemblyApi {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
  readonly CompileError: new () => Error;
}

/** This machine cannot run the module: it lacks WebAssembly, or its SIMD. */
export class WasmUnsupported extends Error {
  override readonly name = "WasmUnsupported";
}

/** Throws WasmUnsupported when this machine cannot run the module. */
export function instantiate(binary: Uint8Array): KernelModule {
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: WebAssemblyApi };
  if (WebAssembly === undefined) throw new WasmUnsupported("this process runs without WebAssembly");
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as KernelModule;
  } catch (cause) {
    if (cause instanceof WebAssembly.CompileError) throw new WasmUnsupported("this machine lacks WebAssembly SIMD", { cause });
    throw cause;
  }
}
