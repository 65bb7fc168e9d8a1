// What a query can fail with: Loki's texts and statuses (recorded answers, reference §1.6 and §2.14), since clients show them as they are.

export class QueryError extends Error {
  override readonly name = "QueryError";
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** One maker per way a query can fail; everything that reaches a client comes from here or from the parser. */
export const queryErrors = {
  instantLog: () =>
    new QueryError(400, "log queries are not supported as an instant query type, please change your query to a range query type"),
  variants: () => new QueryError(400, "multi variant queries are disabled for this instance"),
  tooManySeries: (limit: number) =>
    new QueryError(
      400,
      `maximum number of series (${limit}) reached for a single query; consider reducing query cardinality by adding more specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()`,
    ),
  tooManySamples: (limit: number) =>
    new QueryError(
      400,
      `the query keeps more than ${limit} samples in memory; consider adding more specific stream selectors, line filters or reducing the time range`,
    ),
  tooManyValues: (series: number, steps: number, limit: number) =>
    new QueryError(
      400,
      `${series} series at ${steps} steps each are more than ${limit} values; consider a longer step, adding more specific stream selectors, or aggregating results with functions like sum(), count() or topk()`,
    ),
  tooManyEntries: (got: number, limit: number) =>
    new QueryError(400, `max entries limit per query exceeded, limit > max_entries_limit_per_query (${got} > ${limit})`),
  resultTooLarge: (limit: number) =>
    new QueryError(400, `the entries found are larger than ${limit} characters together; ask for fewer with limit, or for shorter lines`),
  rangeTooLong: (got: string, limit: string) => new QueryError(400, `[interval] value exceeds limit: [${got}] > [${limit}]`),
  queryTooLong: (got: string, limit: string) =>
    new QueryError(400, `the query time range exceeds the limit (query length: ${got}, limit: ${limit})`),
  tooManyMatchers: (got: number, limit: number) =>
    new QueryError(400, `max streams matchers per query exceeded, matchers-count > limit (${got} > ${limit})`),
  tooManyBytes: (got: string, limit: string) =>
    new QueryError(
      400,
      `the query would read too many bytes (query: ${got}, limit: ${limit}); consider adding more specific stream selectors or reduce the time range of the query`,
    ),
  tooManyQuerierBytes: (got: string, limit: string) =>
    new QueryError(
      400,
      `un-shardable query too large to execute on a single querier: (query: ${got}, limit: ${limit}); consider adding more specific stream selectors or reduce the time range of the query`,
    ),
  missingLabels: (missing: readonly string[], present: readonly string[]) =>
    new QueryError(
      400,
      `stream selector is missing required matchers [${missing.join(", ")}], labels present in the query were [${present.join(", ")}]`,
    ),
  tooFewLabels: (present: readonly string[], got: number, minimum: number) =>
    new QueryError(
      400,
      `stream selector has less label matchers than required: (present: [${present.join(", ")}], number_present: ${got}, required_number_label_matchers: ${minimum})`,
    ),
  blocked: () => new QueryError(400, "query blocked by policy"),
  cancelled: () => new QueryError(499, "the request was cancelled by the client"),
  timedOut: () =>
    new QueryError(
      504,
      "request timed out, decrease the duration of the request or add more label matchers (prefer exact match over regex match) to reduce the amount of data processed",
    ),
  /** A sample still carries an error. `series` is its label set as text. */
  pipeline: (error: string, series: string) =>
    new QueryError(
      400,
      `pipeline error: '${error}' for series: '${series}'.\n` +
        `Use a label filter to intentionally skip this error. (e.g | __error__!="${error}").\n` +
        'To skip all potential errors you can match empty errors.(e.g __error__="")\n' +
        'The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__="" )\n',
    ),
  bareLiteral: () => new QueryError(400, "unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator) "),
  duplicateSide: (side: "left" | "right") =>
    new QueryError(
      500,
      `found duplicate series on the ${side} hand-side;many-to-many matching not allowed: matching labels must be unique on one side`,
    ),
  manyToOne: () => new QueryError(500, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"),
  groupingNotUnique: () => new QueryError(500, "multiple matches for labels: grouping labels must ensure unique matches"),
};
