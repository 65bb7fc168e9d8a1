// The real kube-apiserver and its etcd, when scripts/build-kubernetes.mjs has built them: started in a folder of their own on ports of
// the tests' own, without kubelet, scheduler or controllers.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../e2e/processes.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { send, type TestApi } from "./test-api.ts";
import { until } from "./viewing.ts";

const CACHE = process.env.SKALD_TEST_CACHE || join(homedir(), ".cache", "skald-tests");

/** The newest built program of the name. */
function built(prefix: string, program: string): string | undefined {
  const versions = existsSync(CACHE) ? readdirSync(CACHE).filter((name) => name.startsWith(prefix)) : [];
  return versions
    .sort()
    .map((name) => join(CACHE, name, "bin", program))
    .filter((path) => existsSync(path))
    .at(-1);
}

/** Why the real server cannot be tested against; undefined when it can. */
export const realApiMissing: string | undefined =
  built("kubernetes-", "kube-apiserver") === undefined || built("etcd-", "etcd") === undefined
    ? `not in ${CACHE}: node scripts/build-kubernetes.mjs builds it`
    : undefined;

export interface RealOptions {
  /** Further flags of kube-apiserver. */
  readonly flags?: readonly string[];
  /** `token,name,uid,"groups"` */
  readonly tokens?: readonly string[];
}

const READY_MS = 60_000;

export class RealApiServer implements TestApi {
  readonly token = "admintoken";
  readonly folder: string;
  url = "";
  caFile = "";
  ca: Buffer = Buffer.alloc(0);
  flags: readonly string[];
  readonly #tokens: readonly string[];
  #ports = { etcd: 0, peer: 0, api: 0 };
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  constructor(folder: string, options: RealOptions = {}) {
    this.folder = folder;
    this.flags = options.flags ?? [];
    this.#tokens = options.tokens ?? [];
  }

  async start(): Promise<this> {
    mkdirSync(this.folder, { recursive: true });
    this.#ports = { etcd: await freePort(), peer: await freePort(), api: await freePort() };
    this.url = `https://127.0.0.1:${this.#ports.api}`;
    this.useCertificates(makeCertificates(this.folder));
    execFileSync("openssl", ["genrsa", "-out", join(this.folder, "sa.key"), "2048"], { stdio: "pipe" });
    execFileSync("openssl", ["rsa", "-in", join(this.folder, "sa.key"), "-pubout", "-out", join(this.folder, "sa.pub")], { stdio: "pipe" });
    writeFileSync(join(this.folder, "tokens.csv"), [`${this.token},admin,admin-uid,"system:masters"`, ...this.#tokens, ""].join("\n"));
    this.startEtcd();
    await this.startServer();
    return this;
  }

  /** From the next start of the server on. */
  useCertificates({ certFile, keyFile, caFile, ca }: Certificates): void {
    writeFileSync(join(this.folder, "in-use.crt"), readFileSync(certFile));
    writeFileSync(join(this.folder, "in-use.key"), readFileSync(keyFile));
    this.caFile = caFile;
    this.ca = ca;
  }

  startEtcd(): void {
    const { etcd, peer } = this.#ports;
    const [client, peers] = [`http://127.0.0.1:${etcd}`, `http://127.0.0.1:${peer}`];
    const data = join(this.folder, "etcd");
    const urls = ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peers];
    const cluster = ["--initial-advertise-peer-urls", peers, "--initial-cluster", `t=${peers}`];
    this.#etcd = this.#spawn(
      built("etcd-", "etcd")!,
      ["--name", "t", "--data-dir", data, ...urls, ...cluster, "--unsafe-no-fsync"],
      "etcd.log",
    );
  }

  async startServer(): Promise<void> {
    const file = (name: string): string => join(this.folder, name);
    const args = [
      `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${this.#ports.api}`,
      // A loopback address is not allowed in the endpoints of the service `kubernetes`.
      "--endpoint-reconciler-type=none",
      `--tls-cert-file=${file("in-use.crt")}`,
      `--tls-private-key-file=${file("in-use.key")}`,
      `--client-ca-file=${this.caFile}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${file("sa.pub")}`,
      `--service-account-signing-key-file=${file("sa.key")}`,
      `--token-auth-file=${file("tokens.csv")}`,
      "--authorization-mode=RBAC",
      // Nobody makes service accounts without controllers.
      "--disable-admission-plugins=ServiceAccount",
      "--service-cluster-ip-range=10.96.0.0/16",
      // Else a SIGTERM takes a minute while a watch is open.
      "--shutdown-watch-termination-grace-period=1s",
      `--cert-dir=${file("certs")}`,
      ...this.flags,
    ];
    this.#server = this.#spawn(built("kubernetes-", "kube-apiserver")!, args, "kube-apiserver.log");
    await until("kube-apiserver ready", () => this.isReady(), READY_MS);
  }

  async isReady(): Promise<boolean> {
    return send(this, "GET", "/readyz").then(
      ({ status, text }) => status === 200 && text === "ok",
      () => false,
    );
  }

  signalServer(signal: NodeJS.Signals): void {
    this.#server?.kill(signal);
  }

  signalEtcd(signal: NodeJS.Signals): void {
    this.#etcd?.kill(signal);
  }

  async stopServer(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await ended(this.#server, signal);
  }

  /** Without its data it begins with low versions again. */
  async loseEtcd(): Promise<void> {
    await Promise.all([ended(this.#server, "SIGKILL"), ended(this.#etcd, "SIGKILL")]);
    rmSync(join(this.folder, "etcd"), { recursive: true });
    this.startEtcd();
    await this.startServer();
  }

  async stop(): Promise<void> {
    await Promise.all([ended(this.#server, "SIGKILL"), ended(this.#etcd, "SIGKILL")]);
  }

  #spawn(program: string, args: readonly string[], logName: string): ChildProcess {
    const log = openSync(join(this.folder, logName), "a");
    const child = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    return child;
  }
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGCONT");
  child.kill(signal);
  await gone;
}
