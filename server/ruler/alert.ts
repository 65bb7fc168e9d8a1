// An alert: one series of an alerting rule's answer, through its states. The rules of the states are Prometheus'.
//
//   inactive -> pending (holds, but not for `for` yet) -> firing -> (keep firing) -> inactive, resolved

import type { ResultLabels } from "../query/series-table.ts";

export interface Alert {
  /** Result and rule labels, and alertname. */
  readonly labels: ResultLabels;
  annotations: readonly (readonly [name: string, value: string])[];
  state: "pending" | "firing" | "inactive";
  value: number;
  activeAtMs: number;
  /** 0 as long as it has not fired; so are the next three. */
  firedAtMs: number;
  resolvedAtMs: number;
  lastSentAtMs: number;
  keepFiringSinceMs: number;
}

/** How long a resolved alert is told again, for an Alertmanager that was away. */
export const RESOLVED_RETENTION_MS = 15 * 60_000;

export function newAlert(labels: ResultLabels, annotations: Alert["annotations"], value: number, atMs: number): Alert {
  return {
    labels,
    annotations,
    state: "pending",
    value,
    activeAtMs: atMs,
    firedAtMs: 0,
    resolvedAtMs: 0,
    lastSentAtMs: 0,
    keepFiringSinceMs: 0,
  };
}

/** Is it pending or firing? A resolved alert stays for a while only to be told. */
export const isActive = (alert: Alert): boolean => alert.state !== "inactive";

/**
 * Moves an alert on by one evaluation.
 *
 * @param holds whether the evaluation's answer has it
 * @returns false when the alert is to be forgotten
 */
export function moveAlert(alert: Alert, holds: boolean, atMs: number, rule: { forMs: number; keepFiringForMs: number }): boolean {
  if (holds) alert.keepFiringSinceMs = 0;
  else if (!keepsFiring(alert, atMs, rule.keepFiringForMs)) return letGo(alert, atMs);
  if (alert.state === "pending" && atMs - alert.activeAtMs >= rule.forMs) {
    alert.state = "firing";
    alert.firedAtMs = atMs;
  }
  return true;
}

function keepsFiring(alert: Alert, atMs: number, keepFiringForMs: number): boolean {
  if (alert.state !== "firing" || keepFiringForMs === 0) return false;
  if (alert.keepFiringSinceMs === 0) alert.keepFiringSinceMs = atMs;
  return atMs - alert.keepFiringSinceMs < keepFiringForMs;
}

function letGo(alert: Alert, atMs: number): boolean {
  if (alert.state === "pending") return false;
  if (alert.state === "firing") {
    alert.state = "inactive";
    alert.resolvedAtMs = atMs;
  }
  return atMs - alert.resolvedAtMs <= RESOLVED_RETENTION_MS;
}

/** Whether the Alertmanagers are to hear of it now. */
export function isDue(alert: Alert, atMs: number, resendDelayMs: number): boolean {
  if (alert.state === "pending") return false;
  if (alert.resolvedAtMs > alert.lastSentAtMs) return true;
  return alert.lastSentAtMs + resendDelayMs < atMs;
}

/**
 * An alert that the server knew before it was restarted, when the first evaluation meets it again. The time that the server was away
 * does not count as time in which the expression held.
 *
 * @param lastEvalMs when it was evaluated last
 * @param graceMs a pending alert with a longer `for` fires no sooner than this after the restart
 */
export function resumeAlert(alert: Alert, lastEvalMs: number, atMs: number, forMs: number, graceMs: number): void {
  if (alert.state !== "pending") return;
  const remainingMs = forMs - (lastEvalMs - alert.activeAtMs);
  if (forMs >= graceMs && remainingMs < graceMs) alert.activeAtMs = atMs + graceMs - forMs;
  else alert.activeAtMs += Math.max(0, atMs - lastEvalMs);
}
