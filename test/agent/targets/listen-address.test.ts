import { expect, test } from "vitest";
import { parseListenAddress, plainAddress, printAddress } from "../../../agent/targets/listen-address.ts";

test.each([
  [":514", { host: undefined, port: 514 }],
  ["0.0.0.0:1514", { host: "0.0.0.0", port: 1514 }],
  ["localhost:0", { host: "localhost", port: 0 }],
  ["[::1]:514", { host: "::1", port: 514 }],
  ["[::]:514", { host: "::", port: 514 }],
])("%s", (text, address) => expect(parseListenAddress(text, "listen_address")).toEqual(address));

test.each([
  ["", "no address to listen on"],
  ["localhost", "no port"],
  ["::1:514", "square brackets"],
  ["a:", "from 0 to 65535"],
  ["a:70000", "from 0 to 65535"],
  ["a:syslog", "from 0 to 65535"],
])("%j is refused: %s", (text, error) => expect(() => parseListenAddress(text, "listen_address")).toThrow(error));

test("IPv4 in IPv6 is shown as IPv4", () => {
  expect(plainAddress("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(plainAddress("::1")).toBe("::1");
  expect(printAddress("::1", 5)).toBe("[::1]:5");
});
