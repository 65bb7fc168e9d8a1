// A first page: a query, a time range, a histogram and the newest lines. Everything is in the URL.

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const LINES = 500;
const BARS = 120;
const byId = (id) => document.getElementById(id);
const form = byId("form");

const parameters = new URLSearchParams(location.search);
form.query.value = parameters.get("query") ?? "";
if (parameters.has("since")) form.since.value = parameters.get("since");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  history.pushState(null, "", `?${new URLSearchParams(new FormData(form))}`);
  run();
});
window.addEventListener("popstate", () => location.reload());
await offerLabels();
run();

async function ask(path, query) {
  const response = await fetch(`loki/api/v1/${path}?${new URLSearchParams(query)}`);
  const text = await response.text();
  if (!response.ok) throw new Error(text || `status ${response.status}`);
  return JSON.parse(text);
}

function range() {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(form.since.value);
  const endMs = Date.now();
  return { startMs: endMs - count * UNIT_MS[unit], endMs };
}

/** The first label's values as ready-made queries, so that an empty box is no dead end. */
async function offerLabels() {
  const { startMs, endMs } = range();
  const times = { start: `${startMs}000000`, end: `${endMs}000000` };
  const names = (await ask("labels", times).catch(() => ({}))).data ?? [];
  const name = ["job", "app", "service_name", "namespace"].find((candidate) => names.includes(candidate)) ?? names[0];
  if (name === undefined) {
    byId("labels").textContent = "No entries in this range yet.";
    return;
  }
  const values = (await ask(`label/${encodeURIComponent(name)}/values`, times)).data ?? [];
  byId("labels").replaceChildren(
    ...values.slice(0, 20).map((value) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${name}=${value}`;
      button.addEventListener("click", () => {
        form.query.value = `{${name}=${JSON.stringify(value)}}`;
        form.requestSubmit();
      });
      return button;
    }),
  );
  if (form.query.value === "" && values.length > 0) form.query.value = `{${name}=${JSON.stringify(values[0])}}`;
}

async function run() {
  const query = form.query.value.trim();
  if (query === "") return;
  const { startMs, endMs } = range();
  const times = { start: `${startMs}000000`, end: `${endMs}000000` };
  say("…");
  try {
    const started = performance.now();
    const { data } = await ask("query_range", { ...times, query, limit: LINES, step: Math.max(1, (endMs - startMs) / BARS / 1000) });
    const took = Math.round(performance.now() - started);
    if (data.resultType === "streams") {
      const count = showEntries(data.result);
      say(`${count} ${count === 1 ? "line" : "lines"}${count === LINES ? " (the newest; there may be more)" : ""} in ${took} ms`);
      await showVolume(query, times, startMs, endMs);
    } else {
      showSeries(data.result, startMs, endMs);
      say(`${data.result.length} series in ${took} ms`);
    }
  } catch (error) {
    say(error.message, true);
    byId("entries").replaceChildren();
    byId("histogram").replaceChildren();
  }
}

async function showVolume(query, times, startMs, endMs) {
  const stepS = Math.max(1, Math.round((endMs - startMs) / BARS / 1000));
  const { data } = await ask("query_range", { ...times, query: `sum(count_over_time(${query} [${stepS}s]))`, step: stepS });
  drawBars(data.result[0]?.values ?? [], startMs, endMs, stepS);
}

function showEntries(streams) {
  const entries = streams.flatMap(({ stream, values }) => values.map(([ns, line]) => ({ ns, line, stream })));
  entries.sort((a, b) => (a.ns.length - b.ns.length || (a.ns < b.ns ? -1 : 1)) * -1);
  byId("entries").replaceChildren(...entries.map(entryItem));
  return entries.length;
}

function entryItem({ ns, line, stream }) {
  const item = document.createElement("li");
  item.className = stream.detected_level ?? stream.level ?? "";
  const time = document.createElement("time");
  time.textContent = new Date(Number(ns.slice(0, -6))).toLocaleString();
  time.title = ns;
  const labels = document.createElement("span");
  labels.className = "stream";
  labels.textContent = Object.entries(stream).map(([name, value]) => `${name}=${value}`).join("  ");
  item.append(time, line, labels);
  return item;
}

function showSeries(series, startMs, endMs) {
  const totals = new Map();
  for (const { values } of series) for (const [sec, value] of values) totals.set(sec, (totals.get(sec) ?? 0) + Number(value));
  const points = [...totals].sort(([a], [b]) => a - b);
  drawBars(points, startMs, endMs, points.length > 1 ? points[1][0] - points[0][0] : 1);
  byId("entries").replaceChildren(
    ...series.map(({ metric, values }) => {
      const item = document.createElement("li");
      item.textContent = `${JSON.stringify(metric)}  ${values.at(-1)?.[1]}`;
      return item;
    }),
  );
}

function drawBars(points, startMs, endMs, stepS) {
  const svg = byId("histogram");
  const highest = Math.max(1, ...points.map(([, value]) => Number(value)));
  svg.setAttribute("viewBox", "0 0 1000 100");
  svg.replaceChildren(
    ...points.map(([sec, value]) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const width = Math.max(1, (stepS * 1000 * 1000) / (endMs - startMs) - 1);
      const height = (Number(value) / highest) * 98;
      bar.setAttribute("x", String(((sec * 1000 - startMs) / (endMs - startMs)) * 1000 - width));
      bar.setAttribute("width", String(width));
      bar.setAttribute("y", String(100 - height));
      bar.setAttribute("height", String(height));
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = `${new Date(sec * 1000).toLocaleString()}: ${value}`;
      bar.append(title);
      return bar;
    }),
  );
}

function say(text, failed = false) {
  byId("status").textContent = text;
  byId("status").className = failed ? "error" : "";
}
