// The quantile of samples in any order. Sorting a million of them takes a tenth of a second; one rank is found in a fraction of that.

/**
 * Linear interpolation between the closest ranks, as Prometheus does it. NaN counts as the smallest.
 *
 * @param values are left in another order
 */
export function quantile(values: Float64Array, phi: number): number {
  const n = values.length;
  if (n === 0 || Number.isNaN(phi)) return Number.NaN;
  if (phi < 0) return Number.NEGATIVE_INFINITY;
  if (phi > 1) return Number.POSITIVE_INFINITY;
  const rank = phi * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  const numbers = withoutNaN(values);
  const nans = n - numbers.length;
  const low = lower < nans ? Number.NaN : select(numbers, lower - nans);
  // Behind the selected number there are none smaller.
  const high = upper === lower ? low : upper < nans ? Number.NaN : least(numbers, upper - nans);
  return low * (1 - weight) + high * weight;
}

/** The numbers, moved to the front. */
function withoutNaN(values: Float64Array): Float64Array {
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isNaN(value)) values[count++] = value;
  }
  return values.subarray(0, count);
}

/** The smallest from `from` on. */
function least(values: Float64Array, from: number): number {
  let value = values[from]!;
  for (let i = from + 1; i < values.length; i++) if (values[i]! < value) value = values[i]!;
  return value;
}

/** Rounds of parting after which what is left is sorted: none but hostile orders need so many. */
const ROUNDS_MAX = 64;

/** The number of this rank, which is at its place then, none before it larger and none behind it smaller (Hoare's quickselect). */
function select(values: Float64Array, rank: number): number {
  let from = 0;
  let to = values.length - 1;
  for (let round = 0; from < to; round++) {
    if (round === ROUNDS_MAX) {
      values.subarray(from, to + 1).sort();
      break;
    }
    const pivot = median(values[from]!, values[(from + to) >> 1]!, values[to]!);
    let low = from;
    let high = to;
    while (low <= high) {
      while (values[low]! < pivot) low++;
      while (values[high]! > pivot) high--;
      if (low > high) break;
      const value = values[low]!;
      values[low++] = values[high]!;
      values[high--] = value;
    }
    if (rank <= high) to = high;
    else if (rank >= low) from = low;
    else break;
  }
  return values[rank]!;
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
