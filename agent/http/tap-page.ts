// /tap for people: the taps of every job, and the entries of one as they come. The one page with a script.

import { createHash } from "node:crypto";
import { frame, Html, html } from "./html.ts";
import type { JobTap } from "./tap-stream.ts";

/** Reads the stream of the page's own address. Texts are set as text, never as HTML. */
const SCRIPT = `
const rows = document.getElementById("entries"), state = document.getElementById("state"), pause = document.getElementById("pause");
let dropped = 0;
const source = new EventSource(location.href);
const cell = (row, text) => { row.insertCell().append(Object.assign(document.createElement("code"), { textContent: text })); };
const pairs = (map) => Object.entries(map ?? {}).map(([name, value]) => name + "=" + JSON.stringify(value)).join("  ");
source.addEventListener("taps", ({ data }) => { state.textContent = data === "[]" ? "the stage is gone" : "connected"; });
source.addEventListener("dropped", ({ data }) => { const { rate, slow } = JSON.parse(data); dropped += rate + slow; state.textContent = dropped + " entries not shown"; });
source.addEventListener("entry", ({ data }) => {
  if (pause.checked) return;
  const { time, stage, labels, line, structured_metadata, extracted } = JSON.parse(data);
  const row = rows.insertRow(0);
  for (const text of [time, stage, pairs(labels), line, pairs({ ...extracted, ...structured_metadata })]) cell(row, text);
  if (rows.rows.length > 500) rows.deleteRow(-1);
});
source.onerror = () => { state.textContent = "not connected"; };
`;

/** The content security policy of these pages. */
export const TAP_PAGE_POLICY = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash("sha256").update(SCRIPT).digest("base64")}'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`;

const address = (job: string, stage: string): string => `?job=${encodeURIComponent(job)}&stage=${encodeURIComponent(stage)}`;

export function tapListPage(prefix: string, taps: readonly JobTap[]): string {
  const jobs = [...new Set(taps.map(({ job }) => job))].map((job) => {
    const stages = taps
      .filter((tap) => tap.job === job)
      .map(({ point }) => html` <a class="label" href="${address(job, point.id)}">${point.id}</a>`);
    return html`<h2>${job}</h2><p>${stages}</p>`;
  });
  const none = html`<p class="quiet">no pipelines to watch</p>`;
  return frame(
    prefix,
    "tap",
    "Live tap",
    html`<p class="quiet">Entries as they leave a stage, while the agent runs</p>${jobs.length === 0 ? none : jobs}`,
  );
}

export function tapPage(prefix: string, query: URLSearchParams): string {
  const value = (name: string): string => query.get(name) ?? "";
  const field = (name: string, size: number): Html =>
    html`<label>${name} <input name="${name}" size="${size}" value="${value(name)}"></label> `;
  const form = html`<form>${field("job", 20)}${field("stage", 20)}${field("rate", 4)}${field("sample", 4)}${field("selector", 40)}<button>Watch</button></form>`;
  const body = html`${form}<p><span id="state" class="quiet">connecting</span> <label><input type="checkbox" id="pause"> pause</label></p>
<table><thead><tr><th>Time</th><th>Stage</th><th>Labels</th><th>Line</th><th>Extracted, metadata</th></tr></thead><tbody id="entries"></tbody></table><script>${new Html(SCRIPT)}</script>`;
  return frame(prefix, "tap", `Live tap of ${value("job") || "all jobs"}`, body);
}
