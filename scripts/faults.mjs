// Fault tests at full size: npm run faults -- [kills|rotation|input|outage|kubernetes|kafka|hostile|soak] [--seed=1] [--kills=50] …   Without a name: kills.
//
// A run's figures and what it has left behind (with --keep) are named at its end. The same tests run small in `npm test`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** By test: its file and its full size. */
const TESTS = {
  kills: { file: "test/e2e/kill-and-rotate.test.ts", sizes: { kills: 50 } },
  rotation: { file: "test/e2e/rotation-torture.test.ts", sizes: { rotations: 5000, kills: 200 } },
  input: { file: "test/e2e/bad-input.test.ts", sizes: { "line-mb": 1024, "matching-files": 20_000 } },
  outage: { file: "test/e2e/outage.test.ts", sizes: { seconds: 600, rate: 20_000, files: 50 } },
  kubernetes: { file: "test/e2e/kubernetes-churn.test.ts", sizes: { minutes: 10, pods: 200 } },
  kafka: { file: "test/e2e/kafka-kill.test.ts", sizes: { kills: 3, "broker-kills": 1 } },
  hostile: { file: "test/server/fuzz/http-parameters.test.ts", sizes: { rounds: 1000 } },
  soak: { file: "test/e2e/soak.test.ts", sizes: { minutes: 40, share: 0.7 } },
};
const SIZES = new Set([...Object.values(TESTS).flatMap(({ sizes }) => Object.keys(sizes)), "seed", "lines-per-file"]);

const words = process.argv.slice(2);
const name = words.find((word) => !word.startsWith("--")) ?? "kills";
const test = TESTS[name];
if (test === undefined) fail(`there is no fault test "${name}"; there are: ${Object.keys(TESTS).join(", ")}`);

const env = { ...process.env };
for (const [size, value] of Object.entries(test.sizes)) env[variable(size)] ??= String(value);
for (const word of words.filter((word) => word.startsWith("--"))) {
  const [size, value = "1"] = word.slice(2).split("=");
  if (size === "keep") env.SKALD_KEEP = "1";
  else if (SIZES.has(size)) env[variable(size)] = value;
  else fail(`--${size} is not known; there are: --keep, ${[...SIZES].map((one) => `--${one}`).join(", ")}`);
}
env.SKALD_FAULTS_REPORT ??= join(mkdtempSync(join(tmpdir(), "skald-faults-")), "figures.txt");

const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "run", test.file], { stdio: "inherit", env });
if (existsSync(env.SKALD_FAULTS_REPORT)) console.info(`\n${env.SKALD_FAULTS_REPORT}:\n${readFileSync(env.SKALD_FAULTS_REPORT, "utf8")}`);
process.exitCode = status ?? 1;

function variable(size) {
  return `SKALD_FAULTS_${size.toUpperCase().replaceAll("-", "_")}`;
}

function fail(text) {
  console.error(text);
  process.exit(2);
}
