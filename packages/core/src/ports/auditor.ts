import type { Clock } from '../clock.ts';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';
import type { AuditAction, AuditEvent, AuditSink } from './audit-sink.ts';

/** What has become of an operation whose event the sink did not take: its event comes after it, or before anything is given out. */
const STANDING: Record<AuditAction, string> = {
  'checkpoint.encrypt': 'The checkpoint has been saved and stands.',
  'checkpoint.decrypt': 'Nothing was given out.',
  'checkpoint.read-metadata': 'Nothing was given out.',
  'checkpoint.read-plaintext': 'Nothing was given out.',
  'checkpoint.delete': 'The deletion has been carried out.',
  'checkpoint.verify': 'Nothing was changed.',
  'checkpoint.gc': 'What was removed stays removed.',
  'checkpoint.migrate': 'What was encrypted stands, and what was deleted stays deleted.',
  'checkpoint.open-plaintext': 'The store was not opened.',
  'key.create': 'The key has been made, and nothing was sealed under it.',
  'key.load': 'The key is not used.',
  'key.retire': 'The key has been retired.',
  'key.rotate': 'The key has been rotated.',
  'key.rewrap': 'The new wrap has been written and stands.',
};

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
      throw new KeyfoldError('AUDIT_FAILED', `The audit sink did not take the event ${event.action}; check the sink. ${STANDING[event.action]}`, { cause: error });
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
