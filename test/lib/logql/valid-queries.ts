// Random LogQL that is valid: the grammar walked at random, with labels and literals that occur in `VALID_LINES`, and what Loki refuses for
// its meaning (an unwrap under count_over_time, a sort with a grouping) left out.

export type Random = () => number;

/** Lines of many kinds for the queries to meet: JSON, logfmt, plain, packed, coloured, broken, empty. */
export const VALID_LINES: readonly string[] = [
  '{"level":"error","status":500,"took":"1.5s","size":"2KB","user":{"name":"ann","id":7},"tags":["a","b"],"ok":true}',
  '{"level":"info","status":200,"took":"20ms","size":"512","user":{"name":"bob"},"note":null,"status_code":"200"}',
  '{"level":"warn","status":"n/a","took":"soon","app":"inner","ip":"10.0.0.7"}',
  '{"level":"info","status":404',
  '{"_entry":"level=debug status=204 took=3ms","pod":"p-1","level":"packed"}',
  'level=error status=500 took=1.5s size=2KB ip=10.0.0.7 msg="a \\"quoted\\" text"',
  "level=info status=200 took=20ms size=512 user=ann status=201",
  "level=warn status= took app=inner =x y==z",
  '10.0.0.9 - ann "GET /a/b?c=d HTTP/1.1" 200 512',
  '2001:db8::1 - - "POST /x HTTP/1.1" 500 0',
  "\u001b[31mERROR\u001b[0m größe 世界 failed",
  "",
  "plain words without anything",
];

const LABELS = ["level", "status", "took", "size", "user", "user_name", "ip", "app", "env", "trace", "nope", "level_extracted"];
const WORDS = ["error", "info", "ann", "GET", "500", "10.0.0.7", "größe", "", "x"];
const REGEXES = ["err.*", "(?i)INFO|warn", ".+", "5..", "[a-z]+", ".*", "a|b|", "^level", "\\\\d{3}"];
const PATTERNS = ["<_>error<_>", "level=<_> status=<_>", "<_> - <_>", "", "<_>"];
const TEMPLATES = [
  "{{.level}}-{{.status}}",
  "{{ .took | upper }}",
  "{{ __line__ | trunc 9 }}",
  "{{ div 1 .status }}",
  "{{.level}}",
  "fixed",
  "{{ if .user }}{{ .user }}{{ end }}",
];

export class QueryMaker {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #times(most: number, make: () => string): string[] {
    return Array.from({ length: Math.floor(this.#random() * (most + 1)) }, make);
  }

  query(): string {
    if (this.#chance(0.4)) return this.log();
    return this.#chance(0.1) ? this.#topk() : this.metric(3);
  }

  log(): string {
    return `${this.#selector()} ${this.#ops()}`;
  }

  #selector(): string {
    const more = this.#times(1, () => this.#pick(['env="a"', 'env!="b"', 'env=~"a|b"', 'env!~"c.*"', 'env=""']));
    return `{${[this.#pick(['app=~".+"', 'app="one"', 'app!="", app=~"o.*|t.*"']), ...more].join(", ")}}`;
  }

  #ops(): string {
    return this.#times(4, () => this.#op()).join(" ");
  }

  #op(): string {
    const word = (): string => JSON.stringify(this.#pick(WORDS));
    const label = (): string => this.#pick(LABELS);
    switch (Math.floor(this.#random() * 14)) {
      case 0:
        return `${this.#pick(["|=", "!="])} ${[word(), ...this.#times(2, word)].join(" or ")}`;
      case 1:
        return `${this.#pick(["|~", "!~"])} "${this.#pick(REGEXES)}"`;
      case 2:
        return `${this.#pick(["|>", "!>"])} ${JSON.stringify(this.#pick(PATTERNS))}`;
      case 3:
        return `${this.#pick(["|=", "!="])} ip("${this.#pick(["10.0.0.0/8", "10.0.0.7", "10.0.0.1-10.0.0.8", "2001:db8::/32"])}")`;
      case 4:
        return "| json";
      case 5:
        return `| json ${[label(), ...this.#times(2, () => `${label()}="${this.#pick(["user.name", "tags[0]", "status", "user"])}"`)].join(", ")}`;
      case 6:
        return `| logfmt${this.#chance(0.3) ? " --strict" : ""}${this.#chance(0.3) ? " --keep-empty" : ""}`;
      case 7:
        return `| logfmt ${[label(), ...this.#times(1, () => `${label()}="${label()}"`)].join(", ")}`;
      case 8:
        return this.#pick(['| regexp "(?P<method>[A-Z]+) (?P<path>\\\\S+)"', '| pattern "<ip> - <user> <_>"', "| unpack", "| decolorize"]);
      case 9:
        return `| line_format ${JSON.stringify(this.#pick(TEMPLATES))}`;
      case 10:
        return `| label_format ${this.#chance(0.5) ? `${label()}=${label()}` : `${label()}=${JSON.stringify(this.#pick(TEMPLATES))}`}`;
      case 11: {
        // A matcher comes last: behind a bare label, the `!=` of a line filter would be its matcher.
        const items = [...this.#times(2, () => label() + this.#pick(["", '="error"'])), `${label()}=~"a.*"`];
        return `| ${this.#pick(["drop", "keep"])} ${items.join(", ")}`;
      }
      case 12:
        return `| ${this.#pick(['__error__=""', '__error__!=""', 'drop __error__, nope="x"', 'drop __error__, __error_details__, nope="x"'])}`;
      default:
        return `| ${this.#labelFilter(2)}`;
    }
  }

  #labelFilter(depth: number): string {
    if (depth > 0 && this.#chance(0.3)) {
      const [left, right] = [this.#labelFilter(depth - 1), this.#labelFilter(depth - 1)];
      return this.#chance(0.3) ? `(${left} or ${right})` : left + this.#pick([" and ", " or ", ", ", " "]) + right;
    }
    const label = this.#pick(LABELS);
    const compare = this.#pick(["=", "==", "!=", ">", ">=", "<", "<="]);
    return this.#pick([
      `${label}${this.#pick(["=", "!="])}${JSON.stringify(this.#pick(WORDS))}`,
      `${label}${this.#pick(["=~", "!~"])}"${this.#pick(REGEXES)}"`,
      `status${compare}${this.#pick(["404", "-1.5", "2e2"])}`,
      `took${compare}${this.#pick(["1s", "20ms", "1h30m"])}`,
      `size${compare}${this.#pick(["1KB", "2KiB", "512B"])}`,
      `ip${this.#pick(["=", "!="])}ip("10.0.0.0/24")`,
    ]);
  }

  #grouping(): string {
    return `${this.#pick(["by", "without"])} (${this.#times(2, () => this.#pick(LABELS)).join(", ")})`;
  }

  /** Outermost only: of series with equal values it may take any, and what is made of them then differs. */
  #topk(): string {
    const grouping = this.#chance(0.4) ? ` ${this.#grouping()} ` : "";
    return `${this.#pick(["topk", "bottomk"])}${grouping}(${1 + Math.floor(this.#random() * 3)}, ${this.metric(2)})`;
  }

  metric(depth: number): string {
    if (depth === 0 || this.#chance(0.35)) return this.#rangeAggregation();
    const inner = (): string => this.metric(depth - 1);
    switch (Math.floor(this.#random() * 7)) {
      case 0:
        return `${this.#pick(["sort", "sort_desc"])}(${inner()})`;
      case 1:
        return `label_replace(${inner()}, "${this.#pick(["new", "level"])}", "$1-x", "${this.#pick(LABELS)}", "(.*)")`;
      case 2:
        return `${inner()} ${this.#pick(["+", "-", "*", "/", "%", "^", ">", ">= bool", "== bool", "!="])} ${this.#pick(["2", "-1", "0", "0.5", "(1 + 1)"])}`;
      case 3:
        return `${inner()} ${this.#pick(["+", "/", "> bool", "<", "and", "or", "unless"])} ${this.#pick(["", "on (level)", "on ()", "ignoring (env)", "on (app) group_left ()"])} ${inner()}`.replace(
          /(and|or|unless) on \(app\) group_left \(\)/,
          "$1 on (app)",
        );
      case 4:
        return this.#pick(["vector(1)", `(${inner()}) or vector(0)`]);
      default: {
        const fn = this.#pick(["sum", "avg", "min", "max", "count", "stddev", "stdvar"]);
        const grouping = this.#chance(0.6) ? this.#grouping() : "";
        return this.#chance(0.5) ? `${fn} ${grouping} (${inner()})` : `${fn}(${inner()}) ${grouping}`;
      }
    }
  }

  #rangeAggregation(): string {
    const range = `[${this.#pick(["1m", "90s", "5m", "10m"])}]${this.#chance(0.2) ? ` offset ${this.#pick(["1m", "-30s"])}` : ""}`;
    const log = `${this.#selector()} ${this.#ops()}${this.#chance(0.6) ? ' | __error__=""' : ""}`;
    if (this.#chance(0.5))
      return `${this.#pick(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"])}(${log} ${range})`;
    const target = this.#pick(["status", "duration(took)", "bytes(size)", "duration_seconds(took)", "nope"]);
    const unwrap = `${log} | unwrap ${target}${this.#chance(0.7) ? ' | __error__=""' : ""} ${range}`;
    const grouping = this.#chance(0.5) ? ` ${this.#grouping()}` : "";
    return this.#pick([
      `${this.#pick(["sum_over_time", "rate", "rate_counter", "absent_over_time"])}(${unwrap})`,
      `${this.#pick(["avg", "min", "max", "first", "last", "stddev", "stdvar"])}_over_time(${unwrap})${grouping}`,
      `quantile_over_time(${this.#pick(["0", "0.5", "0.99", "1"])}, ${unwrap})${grouping}`,
    ]);
  }
}
