// A file that is cut off between being asked for its size and being looked into: a window of microseconds, so it is opened by hand here.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { digest, type FileRecord } from "../../../agent/file-records.ts";
import { idKey, idOf } from "../../../agent/tail/file-identity.ts";
import { FileTail, FROM_START, type TailSetting } from "../../../agent/tail/file-tail.ts";
import type { FollowContext } from "../../../agent/tail/follow-context.ts";
import { resumeInPlace } from "../../../agent/tail/resume.ts";
import { createTailPool } from "../../../agent/tail/tail-pool.ts";
import { systemClock } from "../../../lib/runtime/clock.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { silentLog } from "../../silent-log.ts";
import { numbered, Rig } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "skald-resume-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void vi.restoreAllMocks());

const path = join(folder, "app.log");
const content = "what nobody has read yet\n".repeat(100);
const head = { headBytes: 1024, headDigest: digest(Buffer.from(content.slice(0, 1024))) };
const setting: TailSetting = {
  owner: "job",
  labels: LabelSet.of([]),
  encoding: undefined,
  lineBytesMax: 0,
  pool: createTailPool(silentLog),
};

function recordOf(): FileRecord {
  const { id } = fileAt();
  const { length: sizeBytes } = content;
  return { owner: "job", path, name: path, ...id, ...head, offset: 0, markDigest: "", sizeBytes, rotated: false, seenMs: 0 };
}

function fileAt() {
  const stat = statSync(path, { bigint: true });
  return { stat, id: idOf(stat) };
}

test("cut off while it is taken up again, it is still known by what an earlier run has noted of it", () => {
  writeFileSync(path, content);
  const { stat, id } = fileAt();
  const context = { setting, clock: systemClock, byId: new Map() } as unknown as FollowContext;
  const { tail, fd } = resumeInPlace(recordOf(), path, stat, context)!;
  tail.adoptDescriptor(fd);
  truncateSync(path);
  writeFileSync(path, "new\n");
  tail.lookAhead();
  expect(tail.idKey).toBe(idKey(id));
  expect(tail.peek).toMatchObject({ ...head, offset: content.length });
  expect(tail.record()).toMatchObject({ ...head, offset: 0, sizeBytes: content.length });
  tail.close();
});

test("cut off while it grows, it is known by what was seen before", () => {
  writeFileSync(path, content);
  const { id } = fileAt();
  const tail = new FileTail(setting, path, path, id, content.length, FROM_START(), 0);
  tail.lookAhead();
  const before = tail.peek;
  expect(before).toMatchObject({ ...head, offset: content.length });
  tail.sizeBytes += 10;
  truncateSync(path);
  tail.lookAhead();
  expect(tail.peek).toEqual(before);
  tail.close();
});

for (const packed of [false, true]) {
  test(`rotated by ${packed ? "a packed copy" : "copy and truncation"} while it is taken up again, it is read, and nothing is told as lost`, async () => {
    const rig = new Rig({ roomLines: 5 });
    const before = numbered("before ", 200);
    const log = rig.path("app.log");
    const notes = `${rig.positionsPath}.identity`;
    const isNoted = (): boolean => existsSync(notes) && readFileSync(notes, "utf8").includes(`"sizeBytes":${before.text.length}`);
    const { lookAhead } = FileTail.prototype;
    writeFileSync(log, before.text);
    await rig.start("down");
    await rig.until(isNoted, "the file noted with its size");
    await rig.kill();
    vi.spyOn(FileTail.prototype, "lookAhead").mockImplementationOnce(function (this: FileTail) {
      copyFileSync(log, `${log}.1`);
      truncateSync(log);
      if (packed) {
        writeFileSync(`${log}.1.gz`, gzipSync(before.text));
        rmSync(`${log}.1`);
      }
      writeFileSync(log, "after\n");
      lookAhead.call(this);
    });
    await rig.start();
    await rig.untilLines(201);
    expect(rig.linesOnce()).toEqual([...before.list, "after"]);
    expect(await rig.metric("promtail_file_losses_total")).toBe(0);
    await rig.close();
  });
}
