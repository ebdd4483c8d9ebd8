import type { Fault } from './fault.ts';
import { parseFault } from './parse-fault.ts';

/** An injected fault, to see whether it was met and to take it back. */
export interface InjectedFault {
  readonly fault: Fault;
  /** How many requests it met so far. */
  readonly hits: number;
  /** Whether it will meet further requests. */
  readonly active: boolean;
  /** Takes it back; requests that it met already stay as they are. */
  remove(): void;
}

/**
 * The faults that a local server shows on request. A request meets every matching latency and
 * the first matching fault of the others, in the order of injection.
 */
export class FaultControls {
  #slots: FaultSlot[] = [];

  /**
   * Injects a fault.
   *
   * @throws KeyfoldError INVALID_ARGUMENT when the fault is not of the documented form
   */
  inject(fault: Fault): InjectedFault {
    const slot = new FaultSlot(parseFault(fault), () => {
      this.#slots = this.#slots.filter((each) => each !== slot);
    });
    this.#slots.push(slot);
    return slot;
  }

  /** The faults that may still meet a request. */
  list(): readonly InjectedFault[] {
    return this.#slots.filter((slot) => slot.active);
  }

  /** Takes all faults back. */
  clear(): void {
    this.#slots = [];
  }

  /** The faults that the next request of `operation` meets; for servers, not for tests. */
  take(operation: string): { readonly latencyMs: number; readonly fault: Fault | undefined } {
    let latencyMs = 0;
    let fault: Fault | undefined;
    for (const slot of this.#slots) {
      const { fault: candidate } = slot;
      if (candidate.operation !== undefined && candidate.operation !== operation) continue;
      if (candidate.kind === 'latency') {
        if (slot.meet()) latencyMs += candidate.ms;
      } else if (fault === undefined && slot.meet()) {
        fault = candidate;
      }
    }
    return { latencyMs, fault };
  }
}

/** One injected fault and what is left of it. */
class FaultSlot implements InjectedFault {
  readonly fault: Fault;
  hits = 0;
  #passing: number;
  #left: number;
  readonly #remove: () => void;

  constructor(fault: Fault, remove: () => void) {
    this.fault = fault;
    this.#passing = fault.after ?? 0;
    this.#left = fault.count === 'always' ? Infinity : (fault.count ?? 1);
    this.#remove = remove;
  }

  get active(): boolean {
    return this.#left > 0;
  }

  remove(): void {
    this.#left = 0;
    this.#remove();
  }

  /** Counts a matching request and says whether the fault meets it. */
  meet(): boolean {
    if (this.#passing > 0) {
      this.#passing -= 1;
      return false;
    }
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.hits += 1;
    return true;
  }
}
