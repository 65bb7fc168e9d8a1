// Redacts numbers that pass the Luhn check, as payment card numbers do.

import { z } from "zod";
import { defineStage, type Stage } from "../stage.ts";
import { source, text, wholeNumber } from "../stage-config.ts";
import { sourceText } from "../value-text.ts";

export const luhn = defineStage({
  name: "luhn",
  config: () =>
    z.object({
      source: source(),
      replacement: text().default("**REDACTED**"),
      /** Characters that may stand between the digits, such as blanks and hyphens. */
      delimiters: text().default(""),
      min_length: wholeNumber()
        .default(13)
        .refine((length) => length > 0, "has to be above 0"),
    }),
  build({ source: from, replacement, delimiters, min_length: lengthMin }): Stage {
    const between = delimiters === "" ? "" : `[${delimiters.replace(/[\\\]^-]/g, "\\$&")}]*`;
    const numbers = new RegExp(`\\d(?:${between}\\d){${lengthMin - 1},}`, "gu");
    return {
      process(batch) {
        for (let k = 0; k < batch.liveCount; k++) {
          const i = batch.live[k]!;
          const input = sourceText(batch, from, i);
          if (input === undefined) continue;
          const redacted = input.replace(numbers, (number) =>
            passesLuhn(between === "" ? number : number.replace(/\D/g, "")) ? replacement : number,
          );
          if (redacted === input) continue;
          if (from === undefined) batch.setLine(i, redacted);
          else batch.setExtracted(from, i, redacted);
        }
      },
    };
  },
});

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = digits.charCodeAt(digits.length - 1 - place) - 48;
    const doubled = digit * 2;
    sum += place % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
