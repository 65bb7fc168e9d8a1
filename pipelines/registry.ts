// All stages by their YAML key. A new stage is a file in stages/ and a line here.

import type { StageDefinition } from "./stage.ts";
import { cri } from "./stages/cri.ts";
import { decolorize } from "./stages/decolorize.ts";
import { docker } from "./stages/docker.ts";
import { drop } from "./stages/drop.ts";
import { eventlogmessage } from "./stages/eventlogmessage.ts";
import { geoip } from "./stages/geoip.ts";
import { json } from "./stages/json.ts";
import { labelallow } from "./stages/labelallow.ts";
import { labeldrop } from "./stages/labeldrop.ts";
import { labels } from "./stages/labels.ts";
import { limit } from "./stages/limit.ts";
import { logfmt } from "./stages/logfmt.ts";
import { luhn } from "./stages/luhn.ts";
import { match } from "./stages/match.ts";
import { metrics } from "./stages/metrics.ts";
import { multiline } from "./stages/multiline.ts";
import { output } from "./stages/output.ts";
import { pack } from "./stages/pack.ts";
import { preset } from "./stages/preset.ts";
import { regex } from "./stages/regex.ts";
import { replace } from "./stages/replace.ts";
import { sampling } from "./stages/sampling.ts";
import { static_labels } from "./stages/static_labels.ts";
import { structured_metadata } from "./stages/structured_metadata.ts";
import { template } from "./stages/template.ts";
import { tenant } from "./stages/tenant.ts";
import { timestamp } from "./stages/timestamp.ts";
import { truncate } from "./stages/truncate.ts";

const definitions: readonly StageDefinition[] = [
  cri,
  decolorize,
  docker,
  drop,
  eventlogmessage,
  geoip,
  json,
  labelallow,
  labeldrop,
  labels,
  limit,
  logfmt,
  luhn,
  match,
  metrics,
  multiline,
  output,
  pack,
  preset,
  regex,
  replace,
  sampling,
  static_labels,
  structured_metadata,
  template,
  tenant,
  timestamp,
  truncate,
];

/** Other names of stages: Promtail's old one, and those of its heir. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["non_indexed_labels", "structured_metadata"],
  ["label_drop", "labeldrop"],
  ["label_keep", "labelallow"],
]);

const byName = new Map(definitions.map((definition) => [definition.name, definition]));

/** The stage of this name, or undefined. */
export function findStage(name: string): StageDefinition | undefined {
  return byName.get(ALIASES.get(name) ?? name);
}

/** Every name a stage may be called by, for messages. */
export function stageNames(): string[] {
  return [...byName.keys(), ...ALIASES.keys()];
}
