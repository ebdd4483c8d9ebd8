/** The value below which `share` of the samples lie, interpolated. */
export function quantile(samples, share) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export function median(samples) {
  return quantile(samples, 0.5);
}

/** What a machine that others use as well would take if they were quiet. */
export function quiet(samples) {
  return quantile(samples, 0.2);
}
