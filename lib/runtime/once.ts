/** Makes a value when it is first asked for, and gives the same one from then on. For what a start would pay for and may never need. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
