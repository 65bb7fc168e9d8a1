import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dnsSdSchema } from "../../../agent/config/discoveries.ts";
import { Plain } from "../../../agent/config/written.ts";
import type { Discovery } from "../../../agent/discovery/discovery.ts";
import { dnsDiscovery, namesToTry, parseSearch } from "../../../agent/discovery/dns.ts";
import { createLog } from "../../../lib/runtime/log.ts";
import { Told } from "./told.ts";

const TYPES: Readonly<Record<string, number>> = { A: 1, NS: 2, MX: 15, AAAA: 28, SRV: 33 };
const NO_SUCH_NAME = 3;
const SERVER_FAILURE = 2;

/** Data of records by `type name`, or a code to answer with; names that are not there do not exist. */
type Zone = Record<string, Buffer[] | number>;

const nameBytes = (name: string): Buffer =>
  Buffer.concat([...name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])]);
const number16 = (...values: number[]): Buffer => Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 255])));

/** A DNS server over UDP (RFC 1035, 4.1) on the loopback. */
function answer(query: Buffer, zone: Zone): Buffer {
  let at = 12;
  const labels: string[] = [];
  while (query[at] !== 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + query[at]!));
    at += query[at]! + 1;
  }
  const type = query.readUInt16BE(at + 1);
  const typeName = Object.keys(TYPES).find((key) => TYPES[key] === type);
  const known = zone[`${typeName} ${labels.join(".").toLowerCase()}`] ?? NO_SUCH_NAME;
  const [code, records] = typeof known === "number" ? [known, []] : [0, known];
  const header = Buffer.concat([query.subarray(0, 2), number16(0x8180 | code, 1, records.length, 0, 0)]);
  const ttl = Buffer.from([0, 0, 0, 1]);
  const answers = records.map((data) => Buffer.concat([number16(0xc00c, type, 1), ttl, number16(data.length), data]));
  return Buffer.concat([header, query.subarray(12, at + 5), ...answers]);
}

let server: Socket;
let zone: Zone;
let folder: string;
let discovery: Discovery | undefined;
let told: Told;
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dns-sd-"));
  zone = {};
  told = new Told();
  logged = [];
  server = createSocket("udp4");
  server.on("message", (query, from) => server.send(answer(query, zone), from.port, from.address));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await discovery?.stop();
  server.close();
  rmSync(folder, { recursive: true });
});

async function start(config: object, resolvConf = ""): Promise<void> {
  writeFileSync(join(folder, "resolv.conf"), resolvConf);
  const options = { servers: [`127.0.0.1:${server.address().port}`], resolvConf: join(folder, "resolv.conf") };
  discovery = dnsDiscovery(
    dnsSdSchema().parse({ refresh_interval: "1s", ...config }),
    createLog({ write: (line) => logged.push(line) }),
    options,
  );
  await told.start(discovery);
}

describe("records", () => {
  test("SRV: hosts and ports", async () => {
    zone["SRV _web._tcp.example.org"] = [Buffer.concat([number16(10, 20, 8080), nameBytes("a.example.org")])];
    await start({ names: ["_web._tcp.example.org"] });
    expect([...told.groups.values()]).toEqual([
      {
        source: "_web._tcp.example.org",
        labels: {},
        targets: [
          {
            __address__: "a.example.org:8080",
            __meta_dns_name: "_web._tcp.example.org",
            __meta_dns_srv_record_target: "a.example.org.",
            __meta_dns_srv_record_port: "8080",
            __meta_dns_mx_record_target: "",
            __meta_dns_ns_record_target: "",
          },
        ],
      },
    ]);
  });

  test.each<[string, Buffer, string, string]>([
    ["A", Buffer.from([10, 0, 0, 7]), "10.0.0.7:99", ""],
    ["AAAA", Buffer.from("fd000000000000000000000000000009", "hex"), "[fd00::9]:99", ""],
    ["MX", Buffer.concat([number16(5), nameBytes("mail.example.org")]), "mail.example.org:99", "mail.example.org."],
    ["NS", nameBytes("ns.example.org"), "ns.example.org:99", "ns.example.org."],
  ])("%s", async (type, data, address, target) => {
    zone[`${type} example.org`] = [data];
    await start({ names: ["example.org"], type, port: new Plain(99) });
    expect(told.addresses).toEqual([`example.org: ${address}`]);
    const [labels] = told.groups.get("example.org")!.targets;
    expect(`${labels!.__meta_dns_mx_record_target}${labels!.__meta_dns_ns_record_target}`).toBe(target);
  });
});

describe("names", () => {
  test("are looked up in the search domains", async () => {
    zone["A web.b.example"] = [Buffer.from([10, 0, 0, 1])];
    await start({ names: ["web"], type: "A", port: new Plain(1) }, "search a.example b.example\n");
    expect(told.addresses).toEqual(["web: 10.0.0.1:1"]);
  });

  test("that come, change, fail and go", async () => {
    await start({ names: ["x.example", "y.example"], type: "A", port: new Plain(1) });
    expect(told.addresses).toEqual([]);
    zone = { "A x.example": [Buffer.from([10, 0, 0, 1])], "A y.example": [Buffer.from([10, 0, 0, 2])] };
    await told.become(["x.example: 10.0.0.1:1", "y.example: 10.0.0.2:1"]);
    // A server that fails says nothing of the name; one that knows of no name says that there are no targets.
    zone = { "A x.example": SERVER_FAILURE };
    await told.become(["x.example: 10.0.0.1:1"]);
    expect(logged.join("")).toContain("its former targets stay");
  });

  test.each<[string, string, string[]]>([
    ["web", "search a b\noptions ndots:1", ["web.a", "web.b", "web"]],
    ["web.x", "search a\noptions ndots:1", ["web.x", "web.x.a"]],
    ["web.x", "search a # comment\noptions rotate ndots:5", ["web.x.a", "web.x"]],
    ["web.", "search a", ["web"]],
    ["web", "domain a\n", ["web.a", "web"]],
    ["web", "", ["web"]],
  ])("%s with %j", (name, conf, names) => expect(namesToTry(name, parseSearch(conf))).toEqual(names));
});
