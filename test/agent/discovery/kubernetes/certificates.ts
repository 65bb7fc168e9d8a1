// Certificates for servers of the tests' own, made by openssl: a CA, and a server certificate for 127.0.0.1 signed by it.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @param name of the files in the folder; made anew each time */
export function makeCertificates(folder: string, name = "server"): Certificates {
  const file = (suffix: string): string => join(folder, `${name}-${suffix}`);
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "pipe" });
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";
  writeFileSync(file("ext"), names);
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const keyUse = ["-addext", "keyUsage=critical,keyCertSign,digitalSignature"];
  openssl(
    "req",
    "-x509",
    ...ec,
    "-keyout",
    file("ca.key"),
    "-out",
    file("ca.crt"),
    "-days",
    "2",
    "-subj",
    `/CN=test CA of ${name}`,
    ...keyUse,
  );
  openssl("req", "-new", ...ec, "-keyout", file("tls.key"), "-out", file("tls.csr"), "-subj", "/CN=test server");
  const signing = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", file("ext")];
  openssl("x509", "-req", "-in", file("tls.csr"), "-out", file("tls.crt"), ...signing);
  const [caFile, certFile, keyFile] = [file("ca.crt"), file("tls.crt"), file("tls.key")];
  return { caFile, certFile, keyFile, ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) };
}
