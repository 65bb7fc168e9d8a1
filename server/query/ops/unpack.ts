// `| unpack`: the inverse of the agent's `pack` stage. An object of strings; `_entry` becomes the line, the others labels.

import type { ExtractionState } from "../hints.ts";
import { DUPLICATE_SUFFIX, PARSED_LABEL } from "../line-labels.ts";
import type { LineOp } from "../line-state.ts";
import { JSON_ERROR, setParserError } from "./json.ts";
import { eachMember, labelText, newMember, STRING } from "./json-scan.ts";
import { toLabelName } from "./label-name.ts";

const ENTRY_KEY = "_entry";

export function unpackOp(wanted: ExtractionState): LineOp {
  return (line) => {
    if (line.isEmpty || wanted.nothingWanted) return true;
    line.asBytes();
    if (line.bytes[line.start] !== 0x7b) {
      setParserError(line.labels, wanted, JSON_ERROR, "expecting json object(6), but it is not");
      return true;
    }
    let entry: string | undefined;
    const found: [name: string, value: string][] = [];
    const fault = eachMember(line.bytes, line.start, line.end, newMember(), (member) => {
      if (member.kind !== STRING) return undefined;
      const key = labelText(line.bytes, member.keyStart, member.keyEnd);
      const value = labelText(line.bytes, member.start, member.end);
      if (key === ENTRY_KEY) entry = value;
      else found.push([key, value]);
      return undefined;
    });
    if (fault !== undefined) {
      setParserError(line.labels, wanted, JSON_ERROR, fault);
      return true;
    }
    if (entry === undefined) return true;
    for (const [key, value] of found) {
      const clean = toLabelName(key);
      const name = line.labels.baseHas(clean) ? clean + DUPLICATE_SUFFIX : clean;
      if (!wanted.wants(name)) continue;
      line.labels.set(PARSED_LABEL, name, value);
      if (!wanted.took(name, line)) return false;
    }
    line.replaceText(entry);
    return true;
  };
}
