// The tokens of a Go template as a tree. Rules and error texts: Go's text/template/parse.

import { unquoteGo } from "../go-quote.ts";
import { lexTemplate, numberConstant, TemplateSyntax, type Token, type TokenKind } from "./lexer.ts";
import { TemplateError, type TemplateValue } from "./value.ts";

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe; readonly at: number }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
      readonly at: number;
    }
  | { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | null; readonly at: number }
  | { readonly kind: "break" | "continue"; readonly at: number };

export interface Pipe {
  /** `$x := …` or `$x = …`. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
  readonly text: string;
  readonly at: number;
}

export interface Command {
  readonly args: readonly Operand[];
}

export type Operand =
  | { readonly kind: "dot"; readonly at: number }
  | { readonly kind: "nil"; readonly at: number }
  | { readonly kind: "constant"; readonly value: TemplateValue; readonly at: number }
  /** `.a.b`, `$x.a`, `f.a`: fields of dot, of a variable, of anything in parentheses. */
  | { readonly kind: "chain"; readonly of: Operand; readonly fields: readonly string[]; readonly at: number }
  | { readonly kind: "variable"; readonly name: string; readonly at: number }
  | { readonly kind: "function"; readonly name: string; readonly at: number }
  | { readonly kind: "pipe"; readonly pipe: Pipe; readonly at: number };

export interface TemplateTree {
  readonly main: readonly Node[];
  /** By `define` and `block`. */
  readonly templates: ReadonlyMap<string, readonly Node[]>;
}

/** Templates nest no deeper than this, so that parsing cannot run out of stack. */
const DEPTH_MAX = 500;

/**
 * Parses a template.
 * @param name stands in the error texts: `template: line:1: unclosed action`
 * @throws TemplateError
 */
export function parseTemplate(name: string, source: string, hasFunction: (name: string) => boolean): TemplateTree {
  try {
    return new Parser(lexTemplate(source), source, hasFunction).parse();
  } catch (error) {
    if (!(error instanceof TemplateSyntax)) throw error;
    const line = source.slice(0, error.at).split("\n").length;
    throw new TemplateError(`template: ${name}:${line}: ${error.message}`);
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  readonly #hasFunction: (name: string) => boolean;
  readonly #templates = new Map<string, readonly Node[]>();
  #next = 0;
  #variables: string[] = ["$"];
  #ranges = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], source: string, hasFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#source = source;
    this.#hasFunction = hasFunction;
  }

  parse(): TemplateTree {
    const main: Node[] = [];
    while (this.#peek().kind !== "end") {
      if (this.#peek().kind === "leftDelim" && this.#keywordAhead() === "define") {
        this.#define();
        continue;
      }
      const node = this.#node();
      if (node.ended !== null) throw this.#unexpected(`{{${node.ended.text}}}`, node.ended);
      main.push(...node.nodes);
    }
    return { main, templates: this.#templates };
  }

  #define(): void {
    this.#take();
    this.#takeNonSpace();
    const name = this.#templateName("define clause");
    this.#expectRight("define clause");
    const outer = this.#variables;
    this.#variables = ["$"];
    const body = this.#list();
    if (body.ended.text !== "end") throw this.#unexpected(`{{${body.ended.text}}}`, body.ended, "in define clause");
    this.#finishKeyword(body.ended);
    this.#variables = outer;
    this.#addTemplate(name, body.nodes, body.ended);
  }

  #addTemplate(name: string, nodes: readonly Node[], token: Token): void {
    const known = this.#templates.get(name);
    const blank = (list: readonly Node[]): boolean => list.every((node) => node.kind === "text" && node.text.trim() === "");
    if (known !== undefined && !blank(known) && !blank(nodes))
      throw new TemplateSyntax(`multiple definition of template ${JSON.stringify(name)}`, token.at);
    if (known === undefined || !blank(nodes)) this.#templates.set(name, nodes);
  }

  /** Nodes up to `{{else` or `{{end`, whose keyword is returned, taken, with what follows it still to come. */
  #list(): { nodes: Node[]; ended: Token } {
    if (++this.#depth > DEPTH_MAX) throw new TemplateSyntax("exceeded maximum nesting depth", this.#peek().at);
    const nodes: Node[] = [];
    while (this.#peek().kind !== "end") {
      const node = this.#node();
      if (node.ended !== null) {
        this.#depth--;
        return { nodes, ended: node.ended };
      }
      nodes.push(...node.nodes);
    }
    throw new TemplateSyntax("unexpected EOF", this.#peek().at);
  }

  #node(): { nodes: Node[]; ended: Token | null } {
    const token = this.#take();
    if (token.kind === "text") return { nodes: [{ kind: "text", text: token.text }], ended: null };
    const first = this.#peekNonSpace();
    if (first.kind !== "keyword") {
      const pipe = this.#pipeline("command", "rightDelim");
      return { nodes: [{ kind: "action", pipe, at: token.at }], ended: null };
    }
    this.#takeNonSpace();
    switch (first.text) {
      case "end":
      case "else":
        return { nodes: [], ended: first };
      case "if":
      case "with":
      case "range":
        return { nodes: [this.#control(first.text, first)], ended: null };
      case "break":
      case "continue":
        if (this.#ranges === 0) throw new TemplateSyntax(`{{${first.text}}} outside {{range}}`, first.at);
        this.#expectRight(`{{${first.text}}}`);
        return { nodes: [{ kind: first.text, at: first.at }], ended: null };
      case "template":
        return { nodes: [this.#template(first)], ended: null };
      case "block":
        return { nodes: [this.#block(first)], ended: null };
      default:
        throw this.#unexpected(`<${first.text}>`, first, "in command");
    }
  }

  #control(kind: "if" | "with" | "range", token: Token): Node {
    const outer = this.#variables.length;
    const pipe = this.#pipeline(kind, "rightDelim");
    if (kind === "range") this.#ranges++;
    const body = this.#list();
    if (kind === "range") this.#ranges--;
    let otherwise: readonly Node[] = [];
    if (body.ended.text === "else") otherwise = this.#else(kind, body.ended);
    else this.#finishKeyword(body.ended);
    this.#variables.length = outer;
    return { kind, pipe, body: body.nodes, otherwise, at: token.at };
  }

  #else(kind: "if" | "with" | "range", token: Token): readonly Node[] {
    const next = this.#peekNonSpace();
    if (kind !== "range" && next.kind === "keyword" && next.text === kind) {
      this.#takeNonSpace();
      if (++this.#depth > DEPTH_MAX) throw new TemplateSyntax("exceeded maximum nesting depth", token.at);
      const node = this.#control(kind, next);
      this.#depth--;
      return [node];
    }
    this.#expectRight("else");
    const body = this.#list();
    if (body.ended.text === "else") throw new TemplateSyntax("expected end; found {{else}}", body.ended.at);
    this.#finishKeyword(body.ended);
    return body.nodes;
  }

  #template(token: Token): Node {
    const name = this.#templateName("template clause");
    if (this.#peekNonSpace().kind === "rightDelim") {
      this.#takeNonSpace();
      return { kind: "template", name, pipe: null, at: token.at };
    }
    return { kind: "template", name, pipe: this.#pipeline("template clause", "rightDelim"), at: token.at };
  }

  #block(token: Token): Node {
    const name = this.#templateName("block clause");
    const pipe = this.#pipeline("block clause", "rightDelim");
    const outer = this.#variables;
    const ranges = this.#ranges;
    this.#variables = ["$"];
    this.#ranges = 0;
    const body = this.#list();
    if (body.ended.text !== "end") throw this.#unexpected(`{{${body.ended.text}}}`, body.ended, "in block clause");
    this.#finishKeyword(body.ended);
    this.#variables = outer;
    this.#ranges = ranges;
    this.#addTemplate(name, body.nodes, body.ended);
    return { kind: "template", name, pipe, at: token.at };
  }

  #templateName(context: string): string {
    const token = this.#takeNonSpace();
    const name = token.kind === "string" ? unquoteGo(token.text) : null;
    if (name === null) throw this.#unexpected(describe(token), token, `in ${context}`);
    return name;
  }

  #pipeline(context: string, end: TokenKind): Pipe {
    const start = this.#peekNonSpace();
    const { variables, assigns } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#takeNonSpace();
      if (token.kind === end) {
        if (commands.length === 0) throw new TemplateSyntax(`missing value for ${context}`, token.at);
        checkPipeline(commands, start.at);
        return { variables, assigns, commands, text: this.#source.slice(start.at, token.at).trim(), at: start.at };
      }
      if (!STARTS_OPERAND.has(token.kind)) throw this.#unexpected(describe(token), token, `in ${context}`);
      this.#next--;
      commands.push(this.#command());
    }
  }

  #declarations(context: string): { variables: string[]; assigns: boolean } {
    const variables: string[] = [];
    const start = this.#next;
    for (;;) {
      const token = this.#peekNonSpace();
      if (token.kind !== "variable") break;
      this.#takeNonSpace();
      const next = this.#peekNonSpace();
      if (next.kind === "declare" || next.kind === "assign") {
        this.#takeNonSpace();
        variables.push(token.text);
        if (next.kind === "declare") this.#variables.push(...variables);
        else for (const name of variables) this.#checkVariable(name, token);
        return { variables, assigns: next.kind === "assign" };
      }
      if (next.kind === "comma" && context === "range" && variables.length === 0) {
        this.#takeNonSpace();
        variables.push(token.text);
        if (this.#peekNonSpace().kind === "variable") continue;
        throw new TemplateSyntax("range can only initialize variables", token.at);
      }
      if (next.kind === "comma" && variables.length > 0) throw new TemplateSyntax(`too many declarations in ${context}`, token.at);
      break;
    }
    this.#next = start;
    return { variables: [], assigns: false };
  }

  #checkVariable(name: string, token: Token): void {
    if (!this.#variables.includes(name)) throw new TemplateSyntax(`undefined variable ${JSON.stringify(name)}`, token.at);
  }

  #command(): Command {
    const args: Operand[] = [];
    for (;;) {
      this.#peekNonSpace();
      const operand = this.#operand();
      if (operand !== null) args.push(operand);
      const token = this.#take();
      if (token.kind === "space") continue;
      if (token.kind === "rightDelim" || token.kind === "rightParen") this.#next--;
      // A pipe with nothing behind it is none, as in Go.
      else if (token.kind !== "pipe") throw this.#unexpected(describe(token), token, "in operand");
      break;
    }
    if (args.length === 0) throw new TemplateSyntax("empty command", this.#peek().at);
    return { args };
  }

  #operand(): Operand | null {
    const term = this.#term();
    if (term === null || this.#peek().kind !== "field") return term;
    const fields: string[] = [];
    while (this.#peek().kind === "field") fields.push(this.#take().text.slice(1));
    if (term.kind === "constant" || term.kind === "nil" || term.kind === "dot")
      throw new TemplateSyntax(`unexpected . after term ${JSON.stringify(this.#tokens[this.#next - fields.length - 1]!.text)}`, term.at);
    if (term.kind === "chain") return { ...term, fields: [...term.fields, ...fields] };
    return { kind: "chain", of: term, fields, at: term.at };
  }

  #term(): Operand | null {
    const token = this.#takeNonSpace();
    const at = token.at;
    switch (token.kind) {
      case "identifier":
        if (!this.#hasFunction(token.text)) throw new TemplateSyntax(`function ${JSON.stringify(token.text)} not defined`, at);
        return { kind: "function", name: token.text, at };
      case "dot":
        return { kind: "dot", at };
      case "nil":
        return { kind: "nil", at };
      case "variable":
        this.#checkVariable(token.text, token);
        return { kind: "variable", name: token.text, at };
      case "field":
        return { kind: "chain", of: { kind: "dot", at }, fields: [token.text.slice(1)], at };
      case "bool":
        return { kind: "constant", value: token.text === "true", at };
      case "number":
      case "char":
        return { kind: "constant", value: numberConstant(token), at };
      case "string": {
        const value = unquoteGo(token.text);
        if (value === null) throw new TemplateSyntax("invalid syntax", at);
        return { kind: "constant", value, at };
      }
      case "leftParen": {
        if (++this.#depth > DEPTH_MAX) throw new TemplateSyntax("exceeded maximum nesting depth", at);
        const pipe = this.#pipeline("parenthesized pipeline", "rightParen");
        this.#depth--;
        return { kind: "pipe", pipe, at };
      }
      default:
        this.#next--;
        return null;
    }
  }

  #keywordAhead(): string {
    let i = this.#next + 1;
    while (this.#tokens[i]?.kind === "space") i++;
    return this.#tokens[i]?.kind === "keyword" ? this.#tokens[i]!.text : "";
  }

  #finishKeyword(token: Token): void {
    this.#expectRight(token.text);
  }

  #expectRight(context: string): void {
    const token = this.#takeNonSpace();
    if (token.kind !== "rightDelim") throw this.#unexpected(describe(token), token, `in ${context}`);
  }

  #unexpected(what: string, token: Token, where = ""): TemplateSyntax {
    return new TemplateSyntax(`unexpected ${what}${where === "" ? "" : ` ${where}`}`, token.at);
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(): Token {
    return this.#tokens[this.#next++]!;
  }

  #peekNonSpace(): Token {
    while (this.#peek().kind === "space") this.#next++;
    return this.#peek();
  }

  #takeNonSpace(): Token {
    this.#peekNonSpace();
    return this.#take();
  }
}

const STARTS_OPERAND = new Set<TokenKind>([
  "bool",
  "char",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "string",
  "variable",
  "leftParen",
]);

/** Only something that can be called may stand behind a `|`. */
function checkPipeline(commands: readonly Command[], at: number): void {
  for (let i = 1; i < commands.length; i++) {
    const first = commands[i]!.args[0]!;
    if (first.kind === "constant" || first.kind === "dot" || first.kind === "nil") {
      throw new TemplateSyntax(`non executable command in pipeline stage ${i + 1}`, at);
    }
  }
}

function describe(token: Token): string {
  if (token.kind === "end") return "EOF";
  if (token.kind === "keyword") return `<${token.text}>`;
  return token.text.length > 10 ? `${JSON.stringify(token.text.slice(0, 10))}...` : JSON.stringify(token.text);
}
