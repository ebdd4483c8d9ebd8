import { createHash } from 'node:crypto';
import type { VaultContext } from './vault-options.ts';

const MAX_REFUSED = 1_000;

/**
 * Records that did not open, by their digests, for as long as the vault waits
 * between two looks: whoever plants records does not decide how often the KMS
 * is asked.
 */
export class RefusedRecords {
  readonly #until = new Map<string, number>();
  readonly #context: Pick<VaultContext, 'clock' | 'limits'>;

  constructor(context: Pick<VaultContext, 'clock' | 'limits'>) {
    this.#context = context;
  }

  has(record: Uint8Array): boolean {
    const until = this.#until.get(digest(record));
    return until !== undefined && this.#context.clock.now() < until;
  }

  add(record: Uint8Array): void {
    this.#until.set(digest(record), this.#context.clock.now() + this.#context.limits.recheckMs);
    if (this.#until.size <= MAX_REFUSED) return;
    const [oldest = ''] = this.#until.keys();
    this.#until.delete(oldest);
  }
}

function digest(record: Uint8Array): string {
  return createHash('sha256').update(record).digest('base64url');
}
