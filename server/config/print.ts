// A configuration as the server shows it: passwords, tokens and the like are masked.

import { Document } from "yaml";

const SECRETS = /^(password|basic_auth_password|bearer_token|client_secret|credentials|secret_access_key|access_key_id|account_key|key)$/;
const SECRET_HEADERS = /^(authorization|proxy-authorization|cookie|x-api-key)$/i;
const MASK = "<secret>";

export function printServerConfig(value: unknown): string {
  return new Document(masked(value, "", ""), { aliasDuplicateObjects: false }).toString();
}

function masked(value: unknown, key: string, parent: string): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item, "", key));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, masked(inner, name, key)]));
  if (typeof value !== "string" || value === "") return value;
  if (SECRETS.test(key) || (/headers$/.test(parent) && SECRET_HEADERS.test(key))) return MASK;
  return /url$/.test(key) ? value.replace(/([a-zA-Z][\w+.-]*:\/\/[^/?#@:,]*):[^/?#@,]*@/g, "$1:xxxxx@") : value;
}
