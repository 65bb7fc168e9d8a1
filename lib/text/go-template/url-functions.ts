// sprig's functions over URLs, which are maps of their parts.

import { quoteGo } from "../go-quote.ts";
import { decodeGoUtf8 } from "../go-utf8.ts";
import { texts } from "./collection-functions.ts";
import { fn, type TemplateFunction } from "./function.ts";
import { TemplateError, type TemplateMap } from "./value.ts";

export const URL_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["urlParse", fn(["text"], parseUrl)],
  ["urlJoin", fn(["map"], joinUrl)],
];

function parseUrl(text: string): TemplateMap {
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:([^@/?#]*)@)?([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  if (match === null || /[\x00-\x1f\x7f]/.test(text)) throw new TemplateError("unable to parse url: invalid control character in URL");
  const [, scheme = "", userinfo = "", host = "", path = "", query = "", fragment = ""] = match;
  const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(path + fragment);
  if (badEscape !== null)
    throw new TemplateError(`unable to parse url: parse ${quoteGo(text)}: invalid URL escape ${quoteGo(badEscape[0])}`);
  const opaque = scheme !== "" && match[3] === undefined && !path.startsWith("/");
  return new Map([
    ["scheme", scheme.toLowerCase()],
    ["host", host],
    ["hostname", host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1")],
    ["path", opaque ? "" : percentDecoded(path)],
    ["query", query],
    ["opaque", opaque ? path : ""],
    ["fragment", percentDecoded(fragment)],
    ["userinfo", userinfo],
  ]);
}

/** Bytes that are no UTF-8 become U+FFFD. */
function percentDecoded(part: string): string {
  const bytes = Buffer.from(part).toString("latin1");
  return decodeGoUtf8(
    Buffer.from(
      bytes.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      "latin1",
    ),
  );
}

function joinUrl(parts: TemplateMap): string {
  const part = (name: string): string => {
    const value = parts.get(name);
    return value === undefined || value === null ? "" : texts(value).join("");
  };
  const [scheme, host, userinfo, query, fragment] = ["scheme", "host", "userinfo", "query", "fragment"].map(part);
  const authority = `${userinfo === "" ? "" : `${userinfo}@`}${host}`;
  const path = encodeURI(part("path"));
  const slash = authority !== "" && path !== "" && !path.startsWith("/") ? "/" : "";
  const head = `${scheme === "" ? "" : `${scheme}:`}${part("opaque") === "" ? `${authority === "" ? "" : `//${authority}`}${slash}${path}` : part("opaque")}`;
  return head + (query === "" ? "" : `?${query}`) + (fragment === "" ? "" : `#${fragment}`);
}
