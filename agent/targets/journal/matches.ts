/**
 * The terms of `matches`: `FIELD=value` separated by blanks. journalctl combines them as Promtail does: terms of one field are
 * alternatives, terms of different fields must all hold.
 *
 * @throws Error for anything else
 */
export function parseMatches(text: string): readonly string[] {
  const terms = text.split(/\s+/).filter((term) => term !== "");
  for (const term of terms) {
    const [field = "", ...values] = term.split("=");
    if (values.length === 1 && /^[A-Z0-9_]+$/.test(field)) continue;
    const hint = term === "+" ? "; + is not supported: use a scrape config for each alternative" : "";
    throw new Error(
      `matches: ${JSON.stringify(term)} is not of the form FIELD=value (a name of capital letters, digits and underscores; a value without blanks and =)${hint}`,
    );
  }
  return terms;
}
