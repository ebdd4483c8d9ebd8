/** Something that was done to one checkpoint, on a clock that all share. */
export interface Event {
  readonly begin: bigint;
  /** Undefined when it is not known whether it was done: its process was killed. */
  readonly end: bigint | undefined;
  /** What stands there afterwards, or what was found; undefined is nothing. No two writes have the same. */
  readonly value: string | undefined;
}

export interface History {
  /** Writes and deletes that were acknowledged, or may have been done. */
  readonly writes: readonly Event[];
  readonly reads: readonly Event[];
}

/**
 * What contradicts that every operation took effect at one moment between its
 * begin and its end: reads of what nobody wrote, of what was written only
 * later, and of what had been replaced before the read began.
 */
export function contradictions({ writes, reads }: History): string[] {
  const beginning: Event = { begin: 0n, end: 0n, value: undefined };
  const all = [beginning, ...writes];
  return reads.flatMap((read) => {
    const sources = all.filter((write) => write.value === read.value);
    if (sources.length === 0) return [`${shown(read)} was never written`];
    const possible = sources.filter((source) => !isAfter(source, read));
    if (possible.length === 0) return [`${shown(read)} was read before it was written`];
    if (possible.some((source) => !all.some((other) => isAfter(other, source) && isAfter(read, other)))) return [];
    return [`${shown(read)} was read after it had been replaced`];
  });
}

/** Whether `later` began when `earlier` was over. */
function isAfter(later: Event, earlier: Event): boolean {
  return earlier.end !== undefined && later.begin > earlier.end;
}

function shown({ value }: Event): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
