// Where groups matched. V8's `d` flag would say so, but bypasses its linear engine. Instead the pattern gets auxiliary groups around
// whatever stands before a group, so that every position is a sum of lengths.

import type { RegexNode } from "./regex-syntax.ts";

/** How to find positions in a match of the instrumented pattern. Numbers are groups of that pattern. */
type SpanPlan =
  | { readonly kind: "none" }
  | { readonly kind: "group"; readonly number: number; readonly index: number; readonly inner: SpanPlan }
  | { readonly kind: "concat"; readonly parts: readonly { readonly number: number; readonly plan: SpanPlan }[] }
  | { readonly kind: "alternate"; readonly branches: readonly { readonly number: number; readonly plan: SpanPlan }[] }
  | { readonly kind: "repeat"; readonly whole: number; readonly last: number; readonly plan: SpanPlan };

const NO_SPANS: SpanPlan = { kind: "none" };

export interface Instrumented {
  readonly root: RegexNode;
  /**
   * Start and end of every group of the original pattern, `[start0, end0, start1, end1, …]`, -1 for a group that took no part.
   * @param match of the instrumented pattern, found at `start`
   */
  locate(match: readonly (string | undefined)[], start: number, groupCount: number): Int32Array;
}

/** Groups inside loops have to take part in each round (see `capturesDiffer` in regex.ts). */
export function instrumentSpans(root: RegexNode): Instrumented {
  const builder = new Builder();
  const [tree, plan] = builder.instrument(root);
  return {
    root: tree,
    locate(match, start, groupCount) {
      const spans = new Int32Array(2 * groupCount + 2).fill(-1);
      spans[0] = start;
      spans[1] = start + match[0]!.length;
      locate(plan, match, start, spans);
      return spans;
    },
  };
}

class Builder {
  #groups = 0;

  /** Numbers are given in the order of opening parentheses, which is the order of this walk. */
  instrument(node: RegexNode): [RegexNode, SpanPlan] {
    switch (node.kind) {
      case "group": {
        const number = ++this.#groups;
        const [of, inner] = this.instrument(node.of);
        return [
          { ...node, of },
          { kind: "group", number, index: node.index, inner },
        ];
      }
      case "concat": {
        const lastWithGroup = node.of.findLastIndex(containsGroup);
        const parts = node.of.map((child, i) => (i <= lastWithGroup ? this.#wrap(child) : { number: 0, node: child, plan: NO_SPANS }));
        return [{ kind: "concat", of: parts.map((part) => part.node) }, lastWithGroup < 0 ? NO_SPANS : { kind: "concat", parts }];
      }
      case "alternate": {
        if (!containsGroup(node)) return [node, NO_SPANS];
        const branches = node.of.map((child) => this.#wrap(child));
        return [
          { kind: "alternate", of: branches.map((branch) => branch.node) },
          { kind: "alternate", branches },
        ];
      }
      case "repeat": {
        if (!containsGroup(node)) return [node, NO_SPANS];
        const whole = ++this.#groups;
        const body = this.#wrap(node.of);
        const repeat: RegexNode = { ...node, of: body.node };
        return [
          { kind: "group", index: 0, of: repeat },
          { kind: "repeat", whole, last: body.number, plan: body.plan },
        ];
      }
      default:
        return [node, NO_SPANS];
    }
  }

  #wrap(child: RegexNode): { number: number; node: RegexNode; plan: SpanPlan } {
    const number = ++this.#groups;
    const [node, plan] = this.instrument(child);
    return { number, node: { kind: "group", index: 0, of: node }, plan };
  }
}

function containsGroup(node: RegexNode): boolean {
  if (node.kind === "group") return true;
  if (node.kind === "repeat") return containsGroup(node.of);
  return (node.kind === "concat" || node.kind === "alternate") && node.of.some(containsGroup);
}

function locate(plan: SpanPlan, match: readonly (string | undefined)[], start: number, spans: Int32Array): void {
  switch (plan.kind) {
    case "none":
      return;
    case "group": {
      const text = match[plan.number];
      if (text === undefined) return;
      spans[2 * plan.index] = start;
      spans[2 * plan.index + 1] = start + text.length;
      locate(plan.inner, match, start, spans);
      return;
    }
    case "concat": {
      let at = start;
      for (const { number, plan: part } of plan.parts) {
        if (number === 0) return;
        locate(part, match, at, spans);
        at += match[number]?.length ?? 0;
      }
      return;
    }
    case "alternate": {
      const taken = plan.branches.find(({ number }) => match[number] !== undefined);
      if (taken !== undefined) locate(taken.plan, match, start, spans);
      return;
    }
    case "repeat": {
      const last = match[plan.last];
      if (last !== undefined) locate(plan.plan, match, start + match[plan.whole]!.length - last.length, spans);
    }
  }
}
