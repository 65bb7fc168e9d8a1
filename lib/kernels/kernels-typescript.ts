// The kernels in plain TypeScript: for machines without WebAssembly SIMD, for inputs larger than the module's memory, and as the
// other side of the differential tests.

import type { Kernels } from "./kernels.ts";
import { parseCri } from "./typescript/cri.ts";
import { jsonFields } from "./typescript/fields.ts";
import { countInSpans, find, findLines } from "./typescript/find.ts";
import { buildGramFilter } from "./typescript/grams.ts";
import { scanJson } from "./typescript/json.ts";
import { escapeJson, unescapeJson } from "./typescript/json-text.ts";
import { splitLines } from "./typescript/lines.ts";
import { scanLogfmt } from "./typescript/logfmt.ts";
import { scanStrictLogfmt } from "./typescript/logfmt-strict.ts";
import { lz4Compress, lz4Decompress } from "./typescript/lz4.ts";
import { numberTexts } from "./typescript/numbers.ts";
import { packPage, unpackPage } from "./typescript/page.ts";
import { decodePush, encodeEntries, encodeGroups } from "./typescript/push.ts";
import { parseRfc3339 } from "./typescript/rfc3339.ts";
import { snappyCompress, snappyDecompress } from "./typescript/snappy.ts";
import { fitLines, groupPicks, surveyLines } from "./typescript/spans.ts";

export const typescriptKernels: Kernels = {
  flavour: "typescript",
  allocate: (bytes) => new Uint8Array(bytes),
  splitLines,
  parseCri,
  surveyLines,
  fitLines,
  groupPicks,
  parseRfc3339,
  scanJson,
  numberTexts,
  escapeJson,
  unescapeJson,
  scanStrictLogfmt,
  scanLogfmt,
  jsonFields,
  encodeEntries,
  encodeGroups,
  decodePush,
  snappyCompress,
  snappyDecompress,
  lz4Compress,
  lz4Decompress,
  packPage,
  unpackPage,
  find,
  findLines,
  countInSpans,
  buildGramFilter,
};
