// The log-opts of Loki's Docker driver, and what they make: labels, stages and a client.
// https://grafana.com/docs/loki/latest/send-data/docker-driver/configuration/

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";
import { type ConfigDocument, checkConfig, parseYaml } from "../../lib/runtime/config-file.ts";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { parseGoDurationMs } from "../../lib/text/duration.ts";
import { compileRegex } from "../../lib/text/regex.ts";
import { compileRelabel } from "../../lib/text/relabel.ts";
import { isLabelName } from "../../lib/wire/labels.ts";
import type { ClientOptions } from "../client/client-options.ts";
import { list } from "../config/fields.ts";
import { relabelSchema } from "../config/relabel-configs.ts";
import { keepAsWritten, withoutNulls, withoutWritten } from "../config/written.ts";
import { safeLabelName } from "../discovery/meta-labels.ts";
import { type ContainerInfo, expandTag } from "./container-info.ts";

export interface LogSettings {
  /** Undefined when `loki-relabel-config` drops the container: nothing of it is sent. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly stages: unknown;
  readonly client: ClientOptions;
}

/** Options that Docker itself or the file of `docker logs` reads: this driver keeps no file, and Docker's own cache serves `docker logs`. */
const WITHOUT_EFFECT = ["no-file", "keep-file", "max-size", "max-file", "mode", "max-buffer-size", "tag"];
const OPTIONS = new Set([
  ...WITHOUT_EFFECT,
  ...["labels", "labels-regex", "env", "env-regex"],
  ...["url", "external-labels", "timeout", "batch-wait", "batch-size", "min-backoff", "max-backoff", "retries", "tenant-id"].map(loki),
  ...["tls-ca-file", "tls-cert-file", "tls-key-file", "tls-server-name", "tls-insecure-skip-verify", "proxy-url"].map(loki),
  ...["pipeline-stages", "pipeline-stage-file", "relabel-config"].map(loki),
]);

function loki(name: string): string {
  return `loki-${name}`;
}

/** @throws Error naming the log-opt and what is wrong with it; Docker shows it to who starts the container */
export function readLogOptions(info: ContainerInfo): LogSettings {
  const { Config: config, ContainerID: id } = info;
  const unknown = Object.keys(config).find((name) => !OPTIONS.has(name));
  if (unknown !== undefined) throw new Error(`loki: wrong log-opt: '${unknown}' - ${id}`);
  if (!config["loki-url"]) throw new Error("loki: loki-url is required in the config");
  return { labels: relabelled(labelsOf(info), config["loki-relabel-config"]), stages: stagesOf(config), client: clientOf(config) };
}

function labelsOf(info: ContainerInfo): Record<string, string> {
  return {
    ...externalLabels(info),
    ...attributesOf(info),
    host: hostname(),
    filename: `/var/log/docker/${info.ContainerID}/json.log`,
  };
}

/** `name=template,name2=template2` */
function externalLabels(info: ContainerInfo): Record<string, string> {
  const written = info.Config["loki-external-labels"] ?? "container_name={{.Name}}";
  return Object.fromEntries(
    written.split(",").map((pair) => {
      const parts = pair.split("=");
      const [name = "", template = ""] = parts;
      if (parts.length !== 2) throw new Error(`loki: invalid external labels: ${written}`);
      if (!isLabelName(name)) throw new Error(`loki: invalid external label name: ${name}`);
      try {
        return [name, expandTag(template, info)];
      } catch (error) {
        throw new Error(`loki: could not expand label value: ${template} err : ${messageOf(error)}`);
      }
    }),
  );
}

/** Labels and variables of the container that the log-opts name, and what Compose and Swarm say of it. */
function attributesOf({ Config: config, ContainerLabels: labels, ContainerEnv: env }: ContainerInfo): Record<string, string> {
  const variables = Object.fromEntries(env.map((pair) => [pair.split("=", 1)[0]!, pair.slice(pair.indexOf("=") + 1)]));
  const found = {
    ...chosen(labels, config.labels, config["labels-regex"], "labels-regex"),
    ...chosen(variables, config.env, config["env-regex"], "env-regex"),
  };
  const own = {
    swarm_service: labels["com.docker.swarm.service.name"],
    swarm_stack: labels["com.docker.stack.namespace"],
    compose_service: labels["com.docker.compose.service"],
    compose_project: labels["com.docker.compose.project"],
  };
  return Object.fromEntries([...Object.entries(found), ...Object.entries(own)].filter((pair): pair is [string, string] => !!pair[1]));
}

function chosen(from: Readonly<Record<string, string>>, names = "", pattern = "", option = ""): Record<string, string> {
  const wanted = new Set(names.split(",").map((name) => name.trim()));
  const regex = pattern === "" ? undefined : attempt(option, pattern, () => compileRegex(pattern));
  return Object.fromEntries(
    Object.entries(from)
      .filter(([name]) => wanted.has(name) || regex?.test(name) === true)
      .map(([name, value]) => [safeLabelName(name), value]),
  );
}

function relabelled(labels: Record<string, string>, written: string | undefined): Record<string, string> | undefined {
  if (written === undefined || written === "") return labels;
  const document = parseYaml(written, "loki-relabel-config", keepAsWritten);
  const rules = compileRelabel(checkConfig(document, list(relabelSchema()), withoutNulls(document.value)));
  const map = new Map(Object.entries(labels));
  return rules(map) ? Object.fromEntries([...map].filter(([name]) => !name.startsWith("__"))) : undefined;
}

/** A list of stages, or a file with the key `pipeline_stages`. */
function stagesOf(config: ContainerInfo["Config"]): unknown {
  const text = config["loki-pipeline-stages"];
  const file = config["loki-pipeline-stage-file"];
  if (text !== undefined && file !== undefined)
    throw new Error("only one of loki-pipeline-stages or loki-pipeline-stage-file can be configured");
  if (text !== undefined) return withoutWritten(parseYaml(text, "loki-pipeline-stages", keepAsWritten).value);
  if (file === undefined) return [];
  const document = attempt("loki-pipeline-stage-file", file, () => parseYaml(readFileSync(file, "utf8"), file, keepAsWritten));
  return withoutWritten(stagesIn(document));
}

function stagesIn(document: ConfigDocument): unknown {
  return checkConfig(document, z.strictObject({ pipeline_stages: z.unknown() })).pipeline_stages ?? [];
}

function clientOf(config: ContainerInfo["Config"]): ClientOptions {
  const duration = (name: string, standard: string): number => {
    const written = config[name] ?? standard;
    return attempt(name, written, () => parseGoDurationMs(written));
  };
  const whole = (name: string, standard: number): number => {
    const written = config[name] ?? String(standard);
    if (!/^\d+$/.test(written)) throw new Error(`loki: invalid option ${name} format: ${written}`);
    return Number(written);
  };
  const url = config["loki-url"]!;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Error(`loki: option loki-url is invalid ${url}`);
  const proxy = config["loki-proxy-url"] ?? "";
  return {
    name: "docker-driver",
    url,
    tenantId: config["loki-tenant-id"] ?? "",
    batchWaitMs: duration("loki-batch-wait", "1s"),
    batchBytes: whole("loki-batch-size", 1024 * 1024),
    headers: {},
    backoff: {
      minMs: duration("loki-min-backoff", "500ms"),
      maxMs: duration("loki-max-backoff", "5m"),
      retriesMax: whole("loki-retries", 10),
    },
    dropRateLimitedBatches: false,
    externalLabels: {},
    timeoutMs: duration("loki-timeout", "10s"),
    followRedirects: true,
    tls: {
      caFile: config["loki-tls-ca-file"] ?? "",
      certFile: config["loki-tls-cert-file"] ?? "",
      keyFile: config["loki-tls-key-file"] ?? "",
      serverName: config["loki-tls-server-name"] ?? "",
      insecureSkipVerify: ["1", "t", "T", "true", "TRUE", "True"].includes(config["loki-tls-insecure-skip-verify"] ?? ""),
    },
    ...(proxy !== "" && { proxy: { url: proxy, noProxy: "", fromEnvironment: false, connectHeaders: {} } }),
  };
}

function attempt<T>(option: string, written: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`loki: invalid option ${option} ${JSON.stringify(written)}: ${messageOf(error)}`);
  }
}
