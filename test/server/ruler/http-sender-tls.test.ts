// The ruler's requests over TLS, with a certificate that openssl makes for the test.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HttpSender, type TlsFiles } from "../../../server/ruler/http-sender.ts";

const hasOpenssl = spawnSync("openssl", ["version"], { stdio: "ignore" }).status === 0;
const folder = mkdtempSync(join(tmpdir(), "skald-tls-"));
const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
let server: Server | undefined;

describe.skipIf(!hasOpenssl)(`TLS (openssl ${hasOpenssl ? "installed" : "not installed"})`, () => {
  beforeAll(async () => {
    const subject = ["-subj", "/CN=remote.test", "-addext", "subjectAltName=DNS:remote.test"];
    const made = spawnSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        cert,
        ...subject,
      ],
      { encoding: "utf8" },
    );
    if (made.status !== 0) throw new Error(made.stderr);
    const options = {
      cert: readFileSync(cert),
      key: readFileSync(key),
      ca: readFileSync(cert),
      requestCert: true,
      rejectUnauthorized: false,
    };
    server = createServer(options, (request, response) => response.end((request.socket as TLSSocket).authorized ? "known" : "unknown"));
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const NONE: TlsFiles = { caFile: "", certFile: "", keyFile: "", serverName: "", insecureSkipVerify: false };
  for (const [name, tls, answer] of [
    ["a server that nobody vouches for is refused", NONE, "-1 self-signed certificate"],
    ["its CA and name are believed", { ...NONE, caFile: cert, serverName: "remote.test" }, "200 unknown"],
    ["another name is refused", { ...NONE, caFile: cert, serverName: "other.test" }, "-1 Hostname/IP does not match"],
    ["the check can be switched off", { ...NONE, insecureSkipVerify: true }, "200 unknown"],
    ["a client's certificate is shown", { ...NONE, insecureSkipVerify: true, certFile: cert, keyFile: key }, "200 known"],
  ] as const) {
    test(name, async () => {
      const sender = new HttpSender({ headers: {}, login: { kind: "none" }, tls, followRedirects: true, timeoutMs: 5000 });
      const url = `https://127.0.0.1:${(server!.address() as AddressInfo).port}`;
      const { status, message } = await sender.post(url, Buffer.from("x"), {}, new AbortController().signal);
      sender.close();
      expect(`${status} ${message}`).toContain(answer);
    });
  }
});
