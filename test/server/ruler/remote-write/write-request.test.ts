import { expect, test } from "vitest";
import { encodeSample } from "../../../../server/ruler/remote-write/write-request.ts";

const labels = { names: ["__name__", "job"], values: ["m", "é"] };
const LABELS = "0a0d0a085f5f6e616d655f5f12016d0a090a036a6f621202c3a9";

for (const [name, value, bits] of [
  ["a value", 1.5, "000000000000f83f"],
  ["zero", 0, "0000000000000000"],
  ["infinity", Number.POSITIVE_INFINITY, "000000000000f07f"],
  ["a NaN is Prometheus' own", Number.NaN, "010000000000f87f"],
  ["the end of a series is the stale NaN", "stale", "020000000000f07f"],
] as const) {
  test(name, () =>
    expect(encodeSample({ labels, timeMs: 1_700_000_000_000, value }).toString("hex")).toBe(
      `0a2c${LABELS}1210` + `09${bits}1080d095ffbc31`,
    ),
  );
}
