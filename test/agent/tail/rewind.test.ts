import { appendFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { numbered, pause, Rig } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const LOG = "app.log";

describe("clients that are stopped while the agent goes on", () => {
  test("what they gave up is read again, and the position moves on", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await rig.until(() => rig.target.details()[0]?.offset === 790, "all read");
    rig.sink.abandon();
    rig.sink.remote = "up";
    appendFileSync(rig.path(LOG), "after\n");
    await rig.until(() => rig.positions.get(rig.path(LOG)) === "796", "the position");
    expect(rig.linesOnce().sort()).toEqual([...numbered("line ", 100).list, "after"].sort());
    expect(rig.pool.budget.usedBytes).toBe(0);
  });

  test("a rotated file that was read to its end, too", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await pause(50);
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    writeFileSync(rig.path(LOG), "after\n");
    await rig.until(() => rig.target.details().some(({ state }) => state === "waiting for acknowledgement"), "its end");
    rig.sink.abandon();
    rig.sink.remote = "up";
    await rig.untilLines(101);
    await rig.until(() => rig.target.details().length === 1, "its end once more");
    expect(rig.pool.budget.usedBytes).toBe(0);
  });

  test("of a deleted file it is a loss with its byte range", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await pause(50);
    rmSync(rig.path(LOG));
    await rig.until(() => rig.target.details().some(({ state }) => state === "waiting for acknowledgement"), "its end");
    rig.sink.abandon();
    await rig.until(() => rig.logLines.some((line) => /reason=rotated_away from_byte=0 to_byte=790 /.test(line)), "the loss");
    expect(await rig.metric("promtail_file_lost_bytes_total")).toBe(790);
    expect(rig.pool.budget.usedBytes).toBe(0);
  });
});
