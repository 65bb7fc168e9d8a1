import { expect, test } from "vitest";
import { cutToDone, type DeleteRequest, pendingPart, pieceCount, pieceOf, statusOf } from "../../../server/deletes/delete-request.ts";

const request = (startMs: number, endMs: number, intervalMs: number, piecesDone = 0): DeleteRequest => ({
  id: "1",
  tenant: "t",
  query: '{a="b"} |= "x"',
  startMs,
  endMs,
  intervalMs,
  createdMs: 0,
  piecesDone,
});
const pieces = (one: DeleteRequest) => Array.from({ length: pieceCount(one) }, (_, i) => Object.values(pieceOf(one, i)));

for (const [name, one, want] of [
  ["without an interval it is one piece", request(500, 3500, 0), [[500, 3500]]],
  [
    "pieces end at multiples of the interval",
    request(500, 2500, 1000),
    [
      [500, 1000],
      [1000, 2000],
      [2000, 2500],
    ],
  ],
  [
    "a range of whole intervals has no empty piece",
    request(1000, 3000, 1000),
    [
      [1000, 2000],
      [2000, 3000],
    ],
  ],
  ["an interval around all of it is one piece", request(1200, 1700, 1000), [[1200, 1700]]],
] as const) {
  test(`delete request: ${name}`, () => expect(pieces(one)).toEqual(want));
}

for (const [done, status, pending] of [
  [0, "received", { startMs: 500, endMs: 2500 }],
  [1, "33% Complete", { startMs: 1000, endMs: 2500 }],
  [2, "66% Complete", { startMs: 2000, endMs: 2500 }],
  [3, "processed", undefined],
] as const) {
  test(`delete request: ${done} of 3 pieces done is "${status}"`, () => {
    expect(statusOf(request(500, 2500, 1000, done))).toBe(status);
    expect(pendingPart(request(500, 2500, 1000, done))).toEqual(pending);
  });
}

test("delete request: what is done of a cancelled one is processed", () => {
  const cut = cutToDone(request(500, 2500, 1000, 2));
  expect(cut).toEqual(request(500, 2000, 1000, 2));
  expect(statusOf(cut)).toBe("processed");
});
