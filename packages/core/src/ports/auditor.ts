import type { Clock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';
import type { AuditEvent, AuditSink } from './audit-sink.ts';

/** Core's side of an audit sink: adds the time, and turns its failure into AUDIT_FAILED. */
export class Auditor {
  readonly #sink: AuditSink | undefined;
  readonly #clock: Clock;

  constructor(sink: AuditSink | undefined, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** @throws KeyfoldError AUDIT_FAILED */
  async success(event: Omit<AuditEvent, 'time' | 'outcome' | 'code'>): Promise<void> {
    try {
      await this.#sink?.record({ ...event, time: this.#clock.now(), outcome: 'success' });
    } catch (error) {
      throw new KeyfoldError('AUDIT_FAILED', `The audit sink did not take the event ${event.action}; check the sink.`, { cause: error });
    }
  }

  /** Records a failure. The failure itself is what the caller must see, so a failing sink is not reported over it. */
  async failure(event: Omit<AuditEvent, 'time' | 'outcome' | 'code'>, error: unknown): Promise<void> {
    try {
      const code = isKeyfoldError(error) ? error.code : 'UNKNOWN';
      await this.#sink?.record({ ...event, time: this.#clock.now(), outcome: 'failure', code });
    } catch {
      // The operation fails in any case.
    }
  }
}
