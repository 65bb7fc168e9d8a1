// Runs a template tree over its data. Semantics and error texts: Go's text/template. A run is bounded in steps, output and depth, so that
// a template of a user ends.

import { compareCodePoints } from "../go-quote.ts";
import { printValue } from "./format.ts";
import { callFunction, type TemplateFunctions } from "./function.ts";
import type { Command, Node, Operand, Pipe, TemplateTree } from "./parser.ts";
import { isList, isMap, isTrue, TemplateError, type TemplateMap, type TemplateValue, TIME_METHODS, TimeValue, typeName } from "./value.ts";

export interface ExecLimits {
  readonly stepsMax: number;
  readonly outputCharsMax: number;
}

/** Templates that call each other no deeper than this. */
const DEPTH_MAX = 200;
/** An item of a list counts like so many characters. */
const ITEM_CHARS = 16;
/** 4096 characters cost as much as a step. */
const CHARS_PER_STEP_BITS = 12;

/** What a list of nodes ended with. */
const RUN_ON = 0;
const BREAK = 1;
const CONTINUE = 2;

export class Execution {
  readonly #name: string;
  readonly #source: string;
  readonly #tree: TemplateTree;
  readonly #functions: TemplateFunctions;
  readonly #limits: ExecLimits;
  readonly #root: TemplateMap;
  readonly #missing: TemplateValue;
  #names: string[];
  #values: TemplateValue[];
  #out = "";
  #steps = 0;
  #depth = 0;

  /** @param missing what a field of the data is that the data lacks */
  constructor(
    name: string,
    source: string,
    tree: TemplateTree,
    functions: TemplateFunctions,
    limits: ExecLimits,
    root: TemplateMap,
    missing: TemplateValue,
  ) {
    this.#name = name;
    this.#source = source;
    this.#tree = tree;
    this.#functions = functions;
    this.#limits = limits;
    this.#root = root;
    this.#missing = missing;
    this.#names = ["$"];
    this.#values = [root];
  }

  run(): string {
    this.#walk(this.#tree.main, this.#root);
    return this.#out;
  }

  #walk(nodes: readonly Node[], dot: TemplateValue): number {
    for (const node of nodes) {
      this.#step();
      switch (node.kind) {
        case "text":
          this.#write(node.text);
          break;
        case "action": {
          const value = this.#top(node.pipe, dot);
          if (node.pipe.variables.length === 0) this.#write(printValue(value));
          break;
        }
        case "if":
        case "with": {
          const mark = this.#names.length;
          const value = this.#top(node.pipe, dot);
          const inner = node.kind === "with" ? value : dot;
          const ended = isTrue(value) ? this.#walk(node.body, inner) : this.#walk(node.otherwise, dot);
          this.#forget(mark);
          if (ended !== RUN_ON) return ended;
          break;
        }
        case "range": {
          const mark = this.#names.length;
          const ended = this.#range(node, dot);
          this.#forget(mark);
          if (ended !== RUN_ON) return ended;
          break;
        }
        case "template":
          this.#template(node, dot);
          break;
        default:
          return node.kind === "break" ? BREAK : CONTINUE;
      }
    }
    return RUN_ON;
  }

  #range(node: Node & { kind: "if" | "with" | "range" }, dot: TemplateValue): number {
    const value = this.#top(node.pipe, dot, false);
    const { variables, assigns } = node.pipe;
    if (typeof value === "bigint" && variables.length > 1)
      throw this.#located(new TemplateError(`can't use ${value} to iterate over more than one variable`), node.pipe);
    const items = this.#items(value, node.pipe);
    if (items.length === 0) return this.#walk(node.otherwise, dot);
    for (const [key, item] of items) {
      this.#step();
      const mark = this.#names.length;
      if (variables.length > 0) this.#declare(variables[0]!, variables.length === 1 ? item : key, assigns);
      if (variables.length > 1) this.#declare(variables[1]!, item, assigns);
      const ended = this.#walk(node.body, item);
      this.#forget(mark);
      if (ended === BREAK) break;
    }
    return RUN_ON;
  }

  #items(value: TemplateValue, pipe: Pipe): (readonly [TemplateValue, TemplateValue])[] {
    if (value === null) return [];
    if (isList(value)) return value.map((item, i) => [BigInt(i), item]);
    if (isMap(value)) return [...value.entries()].sort((a, b) => compareCodePoints(a[0], b[0]));
    if (typeof value === "bigint") {
      if (value > BigInt(this.#limits.stepsMax)) throw this.#tooLong();
      return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)]);
    }
    throw this.#located(new TemplateError(`range can't iterate over ${printValue(value)}`), pipe);
  }

  #template(node: Node & { kind: "template" }, dot: TemplateValue): void {
    const nodes = this.#tree.templates.get(node.name);
    const where = { text: `{{template ${JSON.stringify(node.name)}}}`, at: node.at };
    if (nodes === undefined) throw this.#located(new TemplateError(`template ${JSON.stringify(node.name)} not defined`), where);
    if (++this.#depth > DEPTH_MAX) throw this.#located(new TemplateError(`exceeded maximum template depth (${DEPTH_MAX})`), where);
    const inner = node.pipe === null ? null : this.#top(node.pipe, dot);
    const [names, values] = [this.#names, this.#values];
    this.#names = ["$"];
    this.#values = [inner];
    this.#walk(nodes, inner);
    this.#names = names;
    this.#values = values;
    this.#depth--;
  }

  /** A pipeline of its own: errors get their place in the template. */
  #top(pipe: Pipe, dot: TemplateValue, declare = true): TemplateValue {
    try {
      const value = this.#pipeline(pipe, dot);
      if (declare) for (const name of pipe.variables) this.#declare(name, value, pipe.assigns);
      return value;
    } catch (error) {
      throw error instanceof TemplateError ? this.#located(error, pipe) : error;
    }
  }

  #pipeline(pipe: Pipe, dot: TemplateValue): TemplateValue {
    let value: TemplateValue | undefined;
    for (const command of pipe.commands) value = this.#command(command, dot, value);
    return value!;
  }

  /** @param piped the value of the command in front; undefined for the first command */
  #command(command: Command, dot: TemplateValue, piped: TemplateValue | undefined): TemplateValue {
    const first = command.args[0]!;
    const args = command.args.slice(1);
    if (first.kind === "function") return this.#call(first.name, args, dot, piped);
    if (first.kind === "chain") {
      const of = this.#operand(first.of, dot);
      const given = args.map((arg) => this.#operand(arg, dot));
      if (piped !== undefined) given.push(piped);
      return this.#fields(of, first.fields, given);
    }
    if (args.length > 0 || piped !== undefined) {
      throw new TemplateError(`can't give argument to non-function ${this.#source.slice(first.at, first.at + 20).split(/[\s})|]/, 1)[0]}`);
    }
    if (first.kind === "nil") throw new TemplateError("nil is not a command");
    return this.#operand(first, dot);
  }

  #operand(operand: Operand, dot: TemplateValue): TemplateValue {
    switch (operand.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "constant":
        return operand.value;
      case "variable":
        return this.#variable(operand.name);
      case "function":
        return this.#call(operand.name, [], dot, undefined);
      case "pipe":
        this.#step();
        return this.#nested(operand.pipe, dot);
      case "chain":
        return this.#fields(this.#operand(operand.of, dot), operand.fields, []);
    }
  }

  /** A variable may be used where it is declared, `$x := $x`, but has no value yet there. */
  #variable(name: string): TemplateValue {
    const at = this.#names.lastIndexOf(name);
    if (at < 0) throw new TemplateError(`undefined variable: ${name}`);
    return this.#values[at]!;
  }

  #nested(pipe: Pipe, dot: TemplateValue): TemplateValue {
    const value = this.#pipeline(pipe, dot);
    for (const name of pipe.variables) this.#declare(name, value, pipe.assigns);
    return value;
  }

  /** `.a.b.c`; the arguments are for the last one. Where missing keys are zero values, the zero value of a map of anything has no fields. */
  #fields(of: TemplateValue, names: readonly string[], given: readonly TemplateValue[]): TemplateValue {
    let value = of;
    let inMap = false;
    names.forEach((name, i) => {
      if (inMap && value === null) throw new TemplateError(`nil pointer evaluating interface {}.${name}`);
      inMap = value !== null && this.#missing === "";
      value = this.#field(value, name, i === names.length - 1 ? given : []);
    });
    return value;
  }

  #field(of: TemplateValue, name: string, args: readonly TemplateValue[]): TemplateValue {
    if (of instanceof TimeValue) {
      const method = Object.hasOwn(TIME_METHODS, name) ? TIME_METHODS[name] : undefined;
      if (method === undefined) throw new TemplateError(`can't evaluate field ${name} in type time.Time`);
      return method(of, args);
    }
    if (args.length > 0 && of !== null) throw new TemplateError(`${name} is not a method but has arguments`);
    if (of === null) return null;
    if (!isMap(of)) throw new TemplateError(`can't evaluate field ${name} in type ${typeName(of)}`);
    return of.get(name) ?? (of === this.#root ? this.#missing : null);
  }

  #call(name: string, operands: readonly Operand[], dot: TemplateValue, piped: TemplateValue | undefined): TemplateValue {
    this.#step();
    const called = this.#functions.get(name);
    if (called === undefined) throw new TemplateError(`${JSON.stringify(name)} is not a defined function`);
    const args: TemplateValue[] = [];
    const stopsAt = name === "and" ? false : name === "or" ? true : undefined;
    for (const operand of operands) {
      const value = this.#operand(operand, dot);
      if (stopsAt !== undefined && isTrue(value) === stopsAt) return value;
      args.push(value);
    }
    if (piped !== undefined) args.push(piped);
    if (name === "index" && args.length === 2 && args[0] === this.#root && typeof args[1] === "string")
      return this.#root.get(args[1]) ?? this.#missing;
    return this.#bounded(name, callFunction(name, called, args));
  }

  /** What a function makes counts by its size, so that neither memory nor time grows beyond what steps and output may. */
  #bounded(name: string, value: TemplateValue): TemplateValue {
    const size = typeof value === "string" ? value.length : Array.isArray(value) ? value.length * ITEM_CHARS : 0;
    if (size > this.#limits.outputCharsMax) {
      const what = typeof value === "string" ? `a text of ${size} characters` : `a list of ${size / ITEM_CHARS} items`;
      throw new TemplateError(`error calling ${name}: ${what} is larger than a template may make`);
    }
    this.#steps += size >>> CHARS_PER_STEP_BITS;
    return value;
  }

  #declare(name: string, value: TemplateValue, assigns: boolean): void {
    if (assigns) this.#values[this.#names.lastIndexOf(name)] = value;
    else {
      this.#names.push(name);
      this.#values.push(value);
    }
  }

  #forget(mark: number): void {
    this.#names.length = mark;
    this.#values.length = mark;
  }

  #write(text: string): void {
    this.#out += text;
    if (this.#out.length > this.#limits.outputCharsMax) {
      throw new TemplateError(`template: ${this.#name}: output exceeds ${this.#limits.outputCharsMax} characters; print less`);
    }
  }

  #step(): void {
    if (++this.#steps > this.#limits.stepsMax) throw this.#tooLong();
  }

  #tooLong(): TemplateError {
    return new TemplateError(`template: ${this.#name}: execution takes more than ${this.#limits.stepsMax} steps; make its loops shorter`);
  }

  /** `template: line:1:2: executing "line" at <.a.b>: …`; an error that has its place keeps it. */
  #located(error: TemplateError, { text, at }: { readonly text: string; readonly at: number }): TemplateError {
    if (error.message.startsWith("template: ")) return error;
    const before = this.#source.slice(0, at).split("\n");
    const place = `${this.#name}:${before.length}:${Buffer.byteLength(before.at(-1)!)}`;
    const shown = text.length > 20 ? `${text.slice(0, 20)}...` : text;
    return new TemplateError(`template: ${place}: executing ${JSON.stringify(this.#name)} at <${shown}>: ${error.message}`, {
      cause: error,
    });
  }
}
