// A little HTML: texts are escaped unless they are marked as done, pages share one frame. No assets, and no scripts but the tap's.

/** Text that is HTML already. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | readonly Html[];

/** Template tag: what is put in is escaped, except Html and lists of it. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, piece, i) => text + piece + (i < parts.length ? print(parts[i]!) : ""), ""));
}

function print(part: Part): string {
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map((each: Html) => each.text).join("");
  return String(part).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

const STYLE = `:root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;margin:0;color:light-dark(#1c2430,#dfe5ee);background:light-dark(#fff,#12161c)}
header{display:flex;gap:1.5rem;align-items:baseline;padding:.8rem 1.5rem;border-bottom:1px solid light-dark(#dde3ea,#2a323d)}header b{font-size:1.1rem}
a{color:light-dark(#1559b3,#7db3ff);text-decoration:none}a[aria-current]{font-weight:600;text-decoration:underline}main{padding:1rem 1.5rem;max-width:90rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-bottom:1px solid light-dark(#e8edf2,#232a33)}
th{font-weight:600;color:light-dark(#5a6675,#93a1b3)}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}code,pre{font:12.5px/1.5 ui-monospace,monospace}
.label{display:inline-block;margin:0 .3rem .2rem 0;padding:0 .4rem;border-radius:3px;background:light-dark(#eef2f7,#222a35)}.good{color:light-dark(#1a7f37,#4ac26b)}.bad{color:light-dark(#b3261e,#ff8a80)}
.quiet{color:light-dark(#5a6675,#93a1b3)}pre{padding:1rem;overflow:auto;background:light-dark(#f6f8fa,#181d25);border-radius:6px}`;

const PAGES = [
  ["targets", "Targets"],
  ["service-discovery", "Service discovery"],
  ["tap", "Live tap"],
  ["config", "Configuration"],
  ["metrics", "Metrics"],
] as const;

/** @param prefix of every path; @param here the page's own path */
export function frame(prefix: string, here: string, title: string, body: Html): string {
  const links = PAGES.map(([path, name]) =>
    path === here ? html`<a href="${prefix}/${path}" aria-current="page">${name}</a>` : html`<a href="${prefix}/${path}">${name}</a>`,
  );
  return `<!doctype html>\n${html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Skald agent</title><style>${new Html(STYLE)}</style></head><body><header><b>Skald agent</b>${links}</header><main><h1>${title}</h1>${body}</main></body></html>`.text}\n`;
}

export function labelTags(labels: Readonly<Record<string, string>>): Html {
  const names = Object.keys(labels).sort();
  return names.length === 0
    ? html`<span class="quiet">none</span>`
    : html`${names.map((name) => html`<code class="label">${name}="${labels[name]!}"</code>`)}`;
}
