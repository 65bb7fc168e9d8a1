// Sets of fields by their names in Promtail's configuration: each holds the one before.

const DEFAULT = [
  "ClientIP",
  "ClientRequestHost",
  "ClientRequestMethod",
  "ClientRequestURI",
  "EdgeEndTimestamp",
  "EdgeResponseBytes",
].concat(["EdgeRequestHost", "EdgeResponseStatus", "EdgeStartTimestamp", "RayID"]);
const MINIMAL = DEFAULT.concat(
  ["ZoneID", "ClientSSLProtocol", "ClientRequestProtocol", "ClientRequestPath", "ClientRequestUserAgent", "ClientRequestReferer"],
  ["EdgeColoCode", "ClientCountry", "CacheCacheStatus", "CacheResponseStatus", "EdgeResponseContentType", "SecurityLevel", "WAFAction"],
  ["WAFProfile", "WAFRuleID", "WAFRuleMessage", "EdgeRateLimitID", "EdgeRateLimitAction"],
);
const EXTENDED = MINIMAL.concat(
  ["ClientSSLCipher", "ClientASN", "ClientIPClass", "CacheResponseBytes", "EdgePathingOp", "EdgePathingSrc", "EdgePathingStatus"],
  ["ParentRayID", "WorkerCPUTime", "WorkerStatus", "WorkerSubrequest", "WorkerSubrequestCount", "OriginIP", "OriginResponseStatus"],
  ["OriginSSLProtocol", "OriginResponseHTTPExpires", "OriginResponseHTTPLastModified"],
);
const ALL = EXTENDED.concat(
  ["BotScore", "BotScoreSrc", "BotTags", "ClientRequestBytes", "ClientSrcPort", "ClientXRequestedWith", "CacheTieredFill"],
  ["EdgeResponseCompressionRatio", "EdgeServerIP", "FirewallMatchesSources", "FirewallMatchesActions", "FirewallMatchesRuleIDs"],
  ["OriginResponseBytes", "OriginResponseTime", "ClientDeviceType", "WAFFlags", "WAFMatchedVar", "EdgeColoID", "RequestHeaders"],
  ["ResponseHeaders", "ClientRequestSource"],
);
const SETS: Readonly<Record<string, readonly string[]>> = { default: DEFAULT, minimal: MINIMAL, extended: EXTENDED, all: ALL, custom: [] };

/** Sorted, each once. @throws Error for a type that is none, and for no fields at all */
export function fieldsOf(type: string, additional: readonly string[]): string[] {
  const set = Object.hasOwn(SETS, type || "default") ? SETS[type || "default"] : undefined;
  if (set === undefined) throw new Error(`fields_type: unknown fields type: ${type}; it is one of ${Object.keys(SETS).join(", ")}`);
  const fields = [...new Set([...set, ...additional])].sort();
  if (fields.length === 0) throw new Error("fields_type is custom and additional_fields is empty: name the fields");
  return fields;
}
