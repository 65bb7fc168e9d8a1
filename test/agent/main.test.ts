import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../../agent/main.ts";

const folder = mkdtempSync(join(tmpdir(), "agent-main-"));
afterAll(() => rmSync(folder, { recursive: true }));

let said: { stdout: string; stderr: string };
beforeEach(() => {
  said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    });
  }
});
afterEach(() => void vi.restoreAllMocks());

function file(yaml: string): string {
  const path = join(folder, "config.yaml");
  writeFileSync(path, yaml);
  return path;
}

interface Wanted {
  readonly status: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const ends = (name: string, args: string[], { status, stdout = /^$/, stderr = /^$/ }: Wanted): void =>
  test(name, async () => {
    expect([await main(args), said.stdout, said.stderr]).toEqual([status, expect.stringMatching(stdout), expect.stringMatching(stderr)]);
  });
const checks = (name: string, yaml: string, flags: string[], wanted: Wanted): void =>
  test(name, async () => {
    const args = [`-config.file=${file(yaml)}`, "-check-syntax", ...flags];
    const { status, stdout = /^$/, stderr = /^$/ } = wanted;
    expect([await main(args), said.stdout, said.stderr]).toEqual([status, expect.stringMatching(stdout), expect.stringMatching(stderr)]);
  });

const CLIENT = "clients: [{url: http://h/push}]\n";
const VALID = /^Valid config file! No syntax issues found\n$/;
const job = (stages: string): string => `${CLIENT}scrape_configs: [{job_name: a, pipeline_stages: [${stages}], static_configs: []}]\n`;

describe("ends at once", () => {
  ends("-version", ["-version"], { status: 0, stdout: /^skald, version \d/ });
  ends("--version", ["--version"], { status: 0, stdout: /^skald, version \d/ });
  ends("-version with a file that is not there", ["-version", "-config.file=/nowhere.yaml"], {
    status: 1,
    stderr: /^unable to parse config:\n\/nowhere\.yaml does not exist/,
  });
  ends("-check-syntax without a file", ["-check-syntax"], { status: 1, stderr: /^Invalid config file: / });
  ends("an argument that is no flag", ["-server.disable", "true", "-version"], {
    status: 1,
    stderr: /^warning: "true" is no flag, and ignored with all that follows it: -version\ncannot start:\n.*at least one client/,
  });
  ends("-help", ["-help"], { status: 2, stdout: /^Usage of skald agent:\n[\s\S]*-config\.file string/ });
  ends("an unknown flag", ["-nope"], { status: 2, stderr: /^flag provided but not defined: -nope\nUsage of skald agent/ });
  ends("a file that is not there", ["-config.file=/nowhere.yaml"], {
    status: 1,
    stderr: /^unable to parse config:\n\/nowhere\.yaml does not exist/,
  });
  ends("no clients", ["-server.disable"], { status: 1, stderr: /^cannot start:\n.*at least one client config must be provided/ });
});

describe("-check-syntax", () => {
  checks("of a good file", job("{cri: {}}"), [], { status: 0, stdout: VALID });
  checks("of a good file, before -version", job("{cri: {}}"), ["-version"], { status: 0, stdout: VALID });
  checks("of an empty file", "", [], { status: 0, stdout: VALID, stderr: /^warning: .*at least one client/ });
  checks("of an empty file, strictly", "", ["-strict"], { status: 1, stderr: /at least one client/ });
  checks("of an unknown key", "nope: 1\n", [], { status: 1, stderr: /config\.yaml:1:1: unknown key nope/ });
  checks("of a regex that is none", job("{regex: {expression: '('}}"), [], { status: 1, stderr: /config\.yaml:2:\d+: .*regex/ });
  checks("of a stage's unknown key", job("{cri: {nope: 1}}"), [], { status: 0, stdout: VALID, stderr: /^warning: .*nope/ });
  checks("of a stage's unknown key, strictly", job("{cri: {nope: 1}}"), ["-strict"], {
    status: 1,
    stderr: /^\S+config\.yaml:2:\d+: .*nope/,
  });
  checks("of a database that is not there", job("{geoip: {source: ip, db: /nowhere.mmdb, db_type: city}}"), [], {
    status: 1,
    stderr: /config\.yaml:2:\d+: geoip stage: open database \/nowhere\.mmdb/,
  });
});

test("-print-config-stderr prints what is in force, without secrets", async () => {
  const path = file("server: {http_listen_port: 3101}\nclients: [{basic_auth: {username: u, password: sesame}}]\n");
  expect(await main([`-config.file=${path}`, "-print-config-stderr", "-positions.file=/p.yaml"])).toBe(1);
  expect(said.stderr).toMatch(/^ {2}http_listen_port: 3101$/m);
  expect(said.stderr).toMatch(/^ {2}filename: \/p\.yaml$/m);
  expect(said.stderr).not.toContain("sesame");
});
