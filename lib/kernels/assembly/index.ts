// Entry of the module: what JavaScript may call. Addresses are checked by kernels-wasm.ts, contents here.

export { parseCri } from "./cri";
export { jsonFields } from "./fields";
export { countInSpans, find, findLines } from "./find";
export { sampleGrams, setGrams } from "./grams";
export { scanJson } from "./json";
export { escapeJson, unescapeJson } from "./json-text";
export { splitLines } from "./lines";
export { scanStrictLogfmt } from "./logfmt-strict";
export { scanLogfmt } from "./logfmt";
export { lz4Compress, lz4Decompress } from "./lz4";
export { numberTexts } from "./numbers";
export { packPage, unpackPage } from "./page";
export { decodePush, encodeEntries, encodeGroups } from "./push";
export { parseRfc3339 } from "./rfc3339";
export { snappyCompress, snappyDecompress, snappyRawBytes } from "./snappy";
export { fitSpans, groupPicks, surveySpans } from "./spans";

/** First address that no table of the module uses. */
export function dataEnd(): usize {
  return __heap_base;
}
