// `relabel_configs`, read and checked; the rules themselves are in ../relabel.ts.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { RELABEL_ACTIONS, RELABEL_DEFAULTS, type RelabelConfig, relabelFault } from "../../lib/text/relabel.ts";
import { field, int, text, textList } from "./fields.ts";

const action = field((value) => {
  const written = z.parse(text(), value);
  const known = RELABEL_ACTIONS.find((name) => name === written.toLowerCase());
  if (known === undefined) throw new Error(`unknown relabel action ${JSON.stringify(written)}; it is one of ${RELABEL_ACTIONS.join(", ")}`);
  return known;
});

const pattern = field((value) => {
  const written = z.parse(text(), value);
  try {
    compileRegex(written, { anchored: true, dotAll: true });
  } catch (error) {
    throw new Error(messageOf(error));
  }
  return written;
});

export const relabelSchema = (): z.ZodType<RelabelConfig> =>
  z
    .strictObject({
      source_labels: textList().nullish(),
      separator: text().default(RELABEL_DEFAULTS.separator),
      regex: pattern.default(RELABEL_DEFAULTS.regex),
      modulus: int(0).default(RELABEL_DEFAULTS.modulus),
      target_label: text().default(RELABEL_DEFAULTS.target_label),
      replacement: text().default(RELABEL_DEFAULTS.replacement),
      action: action.default(RELABEL_DEFAULTS.action),
    })
    .superRefine((config, context) => {
      const fault = relabelFault(config);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    });
