import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { droppedOf, UdpListener } from "../../../agent/targets/udp-listener.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 21 2 0000000000000000 7
  101: 00000000:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 22 2 0000000000000000 9
`;

test("the kernel's table tells what was dropped at a port", () => {
  expect(droppedOf(TABLE, 8080)).toBe(7);
  expect(droppedOf(TABLE, 8082)).toBe(0);
  expect(droppedOf("", 8080)).toBe(0);
});

test.skipIf(!existsSync("/proc/net/udp"))("of a flood that nobody reads, what was received and what was lost is all of it", async () => {
  let received = 0;
  let lost = 0;
  const listener = await UdpListener.open(
    { host: "127.0.0.1", port: 0 },
    {
      onDatagram: () => received++,
      onError: () => {},
      onLost: (count) => {
        lost += count;
      },
      receiveBufferBytes: 16_384,
    },
  );
  // Nothing is read while this process waits for the other.
  const flood = `const s = require("dgram").createSocket("udp4"); let n = 1000;
    for (let i = 0; i < 1000; i++) s.send("x".repeat(300), ${listener.port}, "127.0.0.1", () => --n === 0 && s.close());`;
  execFileSync(process.execPath, ["-e", flood]);
  for (let quiet = 0, last = -1; quiet < 5; quiet = received === last ? quiet + 1 : 0) {
    last = received;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await listener.close();
  expect(lost).toBeGreaterThan(0);
  expect(received + lost).toBe(1_000);
});
