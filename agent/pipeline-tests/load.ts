// From a test file to cases that can be run: read, check, find the stages they are about.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type ConfigDocument,
  ConfigError,
  type ConfigPath,
  checkConfig,
  describe,
  nearest,
  parseYaml,
} from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { checkPipeline } from "../../pipelines/compile.ts";
import { loadAgentConfig } from "../config/load.ts";
import { keepAsWritten } from "../config/written.ts";
import { type TestCase, type TestFile, testFileSchema } from "./schema.ts";

export interface TestSuite {
  readonly file: string;
  /** What `pipeline_stages` holds; checked. */
  readonly stages: unknown;
  readonly jobName: string;
  readonly test: TestFile;
  /** `file:line:column` of a case. */
  where(testCase: TestCase): string;
}

export interface LoadSuiteOptions {
  readonly expandEnv: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

let schema: ReturnType<typeof testFileSchema> | undefined;

/** @throws ConfigError naming every fault of the test file, or of the configuration it is about, with its place */
export async function loadSuite(file: string, options: LoadSuiteOptions): Promise<TestSuite> {
  const document = parseYaml(readText(file), file, keepAsWritten);
  const test = checkConfig(document, (schema ??= testFileSchema()));
  const { stages, jobName } = await stagesOf(test, document, options);
  return { file, stages, jobName, test, where: (testCase) => document.where(["cases", test.cases.indexOf(testCase)]) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([`cannot read ${file}: ${messageOf(error)}`]);
  }
}

interface Stages {
  readonly stages: unknown;
  readonly jobName: string;
}

async function stagesOf(test: TestFile, document: ConfigDocument, options: LoadSuiteOptions): Promise<Stages> {
  if (test.config !== undefined) return jobStages(test.config, test.job, document, options);
  const inPreset = test.preset !== undefined;
  const stages = inPreset ? [{ preset: test.preset }] : test.pipeline_stages;
  const path = (at: ConfigPath): ConfigPath => (inPreset ? ["preset"] : at);
  const errors = checkPipeline(stages, ["pipeline_stages"]).filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new ConfigError(errors.map((issue) => describe(document, { ...issue, path: path(issue.path) })));
  return { stages, jobName: "test" };
}

async function jobStages(config: string, job: string | undefined, document: ConfigDocument, options: LoadSuiteOptions): Promise<Stages> {
  const path = resolve(dirname(document.file), config);
  const loaded = await loadAgentConfig({ ...options, files: [path], overrides: new Map(), externalLabels: {} });
  const scrapes = loaded.config.scrape_configs;
  const names = scrapes.map(({ job_name }) => job_name);
  const wrong = (key: string, message: string): never => {
    throw new ConfigError([describe(document, { path: [key], message })]);
  };
  if (job === undefined && scrapes.length !== 1)
    wrong("config", `${config} has ${scrapes.length} scrape configs: add job, one of ${names.join(", ")}`);
  const scrape = job === undefined ? scrapes[0] : scrapes.find(({ job_name }) => job_name === job);
  if (scrape === undefined) {
    const near = nearest(job!, names);
    return wrong(
      "job",
      `${config} has no job ${JSON.stringify(job)}${near === undefined ? `: it has ${names.join(", ") || "none"}` : `; did you mean "${near}"?`}`,
    );
  }
  return { stages: scrape.pipeline_stages ?? [], jobName: scrape.job_name };
}
