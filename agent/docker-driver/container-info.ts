// What Docker tells of a container whose log begins: `Info` of StartLogging, https://docs.docker.com/engine/extend/plugins_logging/

import { hostname } from "node:os";
import { compileTemplate } from "../../lib/text/go-template/index.ts";
import { promtailFunctions } from "../../lib/text/go-template/promtail-functions.ts";

export interface ContainerInfo {
  /** The container's log-opts. */
  readonly Config: Readonly<Record<string, string>>;
  readonly ContainerID: string;
  readonly ContainerName: string;
  readonly ContainerEntrypoint: string;
  readonly ContainerArgs: readonly string[];
  readonly ContainerImageID: string;
  readonly ContainerImageName: string;
  readonly ContainerCreated: string;
  /** `NAME=value` each. */
  readonly ContainerEnv: readonly string[];
  readonly ContainerLabels: Readonly<Record<string, string>>;
  readonly DaemonName: string;
}

/** Fields may be missing or null, but for the container's id. @throws Error */
export function readInfo(value: unknown): ContainerInfo {
  const raw = (value ?? {}) as Partial<Record<keyof ContainerInfo, unknown>>;
  const text = (key: keyof ContainerInfo): string => (typeof raw[key] === "string" ? raw[key] : "");
  const list = (key: keyof ContainerInfo): string[] => (Array.isArray(raw[key]) ? raw[key].map(String) : []);
  const map = (key: keyof ContainerInfo): Record<string, string> =>
    Object.fromEntries(Object.entries((raw[key] ?? {}) as object).map(([name, one]) => [name, String(one)]));
  if (text("ContainerID") === "") throw new Error("must provide container id in log context");
  return {
    Config: map("Config"),
    ContainerID: text("ContainerID"),
    ContainerName: text("ContainerName"),
    ContainerEntrypoint: text("ContainerEntrypoint"),
    ContainerArgs: list("ContainerArgs"),
    ContainerImageID: text("ContainerImageID"),
    ContainerImageName: text("ContainerImageName"),
    ContainerCreated: text("ContainerCreated"),
    ContainerEnv: list("ContainerEnv"),
    ContainerLabels: map("ContainerLabels"),
    DaemonName: text("DaemonName"),
  };
}

const SHORT_ID_CHARS = 12;

/**
 * Expands Docker's tag templates: `{{.Name}}`, `{{.ID}}`, `{{.ImageName}}`, `{{.DaemonName}}` …
 * https://docs.docker.com/engine/logging/log_tags/
 *
 * @throws TemplateError in Go's words
 */
export function expandTag(template: string, info: ContainerInfo): string {
  const short = (id: string): string => id.replace(/^sha256:/, "").slice(0, SHORT_ID_CHARS);
  return compileTemplate(template, promtailFunctions(), { name: "label_value" }).execute({
    ...info,
    ContainerArgs: [...info.ContainerArgs],
    ContainerEnv: [...info.ContainerEnv],
    ContainerLabels: new Map(Object.entries(info.ContainerLabels)),
    Config: new Map(Object.entries(info.Config)),
    ID: short(info.ContainerID),
    FullID: info.ContainerID,
    Name: info.ContainerName.replace(/^\//, ""),
    ImageID: short(info.ContainerImageID),
    ImageFullID: info.ContainerImageID,
    ImageName: info.ContainerImageName,
    Command: [info.ContainerEntrypoint, ...info.ContainerArgs].join(" "),
    Hostname: hostname(),
  });
}
