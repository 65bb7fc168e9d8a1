// /targets, /service-discovery and /config for people.

import { frame, type Html, html, labelTags } from "./html.ts";
import type { JobStatus, TargetStatus } from "./status.ts";

export function targetsPage(prefix: string, jobs: readonly JobStatus[]): string {
  const count = jobs.reduce((sum, job) => sum + job.targets.length, 0);
  const body = html`<p class="quiet">${count} active targets of ${jobs.length} scrape configs</p>${jobs.map(jobTargets)}`;
  return frame(prefix, "targets", "Targets", body);
}

function jobTargets({ job, targets, spool }: JobStatus): Html {
  const ready = targets.filter((target) => target.ready).length;
  return html`<h2>${job} <small class="quiet">${ready} of ${targets.length} ready</small></h2>${
    targets.length === 0 && spool === undefined
      ? html`<p class="quiet">no targets</p>`
      : html`<table><thead><tr><th>Type</th><th>Ready</th><th>Labels</th><th>Details</th></tr></thead><tbody>${[...targets, ...(spool === undefined ? [] : [spool])].map(targetRow)}</tbody></table>`
  }`;
}

function targetRow({ kind, ready, labels, details }: TargetStatus): Html {
  const state = ready ? html`<span class="good">true</span>` : html`<span class="bad">false</span>`;
  return html`<tr><td>${kind}</td><td>${state}</td><td>${labelTags(labels)}</td><td>${detailsOf(details)}</td></tr>`;
}

function detailsOf(details: unknown): Html {
  const rows = Array.isArray(details) ? (details as unknown[]) : [details];
  const objects = rows.filter((row): row is Record<string, unknown> => typeof row === "object" && row !== null);
  if (objects.length === 0) return html`<span class="quiet">nothing yet</span>`;
  const columns = Object.keys(objects[0]!);
  const cell = (value: unknown): Html =>
    typeof value === "number"
      ? html`<td class="number">${value}</td>`
      : html`<td><code>${typeof value === "string" ? value : JSON.stringify(value)}</code></td>`;
  return html`<table><thead><tr>${columns.map((name) => html`<th>${name}</th>`)}</tr></thead><tbody>${objects.map(
    (row) => html`<tr>${columns.map((name) => cell(row[name]))}</tr>`,
  )}</tbody></table>`;
}

export function discoveryPage(prefix: string, jobs: readonly JobStatus[]): string {
  return frame(prefix, "service-discovery", "Service discovery", html`${jobs.map(jobDiscovery)}`);
}

function jobDiscovery({ job, targets, dropped, droppedCount }: JobStatus): Html {
  const active = targets.map(({ discovered, labels }) => html`<tr><td>${labelTags(discovered)}</td><td>${labelTags(labels)}</td></tr>`);
  const left = dropped.map(
    ({ discovered, text, reason }) => html`<tr><td>${labelTags(discovered)}</td><td><span class="bad">${reason}</span>: ${text}</td></tr>`,
  );
  const more =
    droppedCount > dropped.length ? html`<p class="quiet">${droppedCount - dropped.length} more dropped targets are not shown</p>` : html``;
  return html`<h2>${job} <small class="quiet">${targets.length} active, ${droppedCount} dropped</small></h2><table><thead><tr><th>Discovered labels</th><th>Target labels</th></tr></thead><tbody>${[...active, ...left]}</tbody></table>${more}`;
}

export function configPage(prefix: string, yaml: string): string {
  return frame(
    prefix,
    "config",
    "Configuration",
    html`<p class="quiet">The effective configuration: defaults filled in, secrets masked</p><pre>${yaml}</pre>`,
  );
}
