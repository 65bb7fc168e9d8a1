// `alert_relabel_configs` and `write_relabel_configs`, read and checked; the rules themselves are in lib/text/relabel.ts.

import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { RELABEL_ACTIONS, RELABEL_DEFAULTS, type RelabelConfig, relabelFault } from "../../lib/text/relabel.ts";
import { count, stringList, text } from "./fields.ts";

const pattern = text().superRefine((written, context) => {
  try {
    compileRegex(written, { anchored: true, dotAll: true });
  } catch (error) {
    context.addIssue({ code: "custom", message: messageOf(error) });
  }
});

export const relabelConfigs = (): z.ZodType<RelabelConfig[]> =>
  z.array(
    z
      .strictObject({
        source_labels: stringList().optional(),
        separator: text().default(RELABEL_DEFAULTS.separator),
        regex: pattern.default(RELABEL_DEFAULTS.regex),
        modulus: count().min(0).default(RELABEL_DEFAULTS.modulus),
        target_label: text().default(RELABEL_DEFAULTS.target_label),
        replacement: text().default(RELABEL_DEFAULTS.replacement),
        action: z
          .preprocess((value) => (typeof value === "string" ? value.toLowerCase() : value), z.enum(RELABEL_ACTIONS))
          .default("replace"),
      })
      .superRefine((config, context) => {
        const fault = relabelFault(config);
        if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
      }),
  ) as unknown as z.ZodType<RelabelConfig[]>;
