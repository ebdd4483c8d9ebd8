import { type AuditAction, type AuditEvent, type WrappedKey, isKeyfoldError } from '@keyfold/core';
import type { StoreContext } from './store-context.ts';

/** In place of an id, in events about a whole store. As an id it is as good as any other. */
export const WHOLE_STORE = '*';

/** What fails to be opened; other actions fail for other reasons. */
const OPENING: readonly AuditAction[] = ['checkpoint.decrypt', 'checkpoint.read-metadata', 'checkpoint.verify', 'checkpoint.read-plaintext', 'key.rewrap'];

type Names = Pick<WrappedKey, 'provider' | 'keyId' | 'keyVersion'>;

/** What one operation leaves behind in audit and metrics. */
export class Trail {
  readonly #context: StoreContext;
  readonly #action: AuditAction;
  readonly #id: string;
  readonly #started: number;
  #dek: string | undefined;
  #kek: Names | undefined;

  constructor(context: StoreContext, action: AuditAction, id: string) {
    this.#context = context;
    this.#action = action;
    // What is no id comes here as well, to be refused: an event takes no more of it than an id may have.
    this.#id = typeof id === 'string' ? id.slice(0, 1_024) : '';
    this.#started = context.clock.now();
  }

  /** Which keys took part, once that is known. */
  readonly note = (dek: string | undefined, kek?: Names): void => {
    this.#dek = dek;
    this.#kek = kek;
  };

  /** @throws KeyfoldError AUDIT_FAILED */
  async success(): Promise<void> {
    await this.#context.auditor.success(this.#event());
  }

  /** Counts and times an operation that has succeeded. */
  measure(): void {
    const { meter, clock } = this.#context;
    // A wall clock may have been set back meanwhile.
    const seconds = Math.max(0, clock.now() - this.#started) / 1000;
    if (this.#action === 'checkpoint.encrypt') {
      meter.increment('encryptions', {});
      meter.observe('encryptionSeconds', seconds, {});
    } else if (this.#action === 'checkpoint.decrypt') {
      meter.increment('decryptions', {});
      meter.observe('decryptionSeconds', seconds, {});
    } else if (this.#action === 'key.rewrap') {
      meter.increment('keyRewraps', {});
    }
  }

  async failure(error: unknown): Promise<void> {
    const { meter, auditor } = this.#context;
    const code = isKeyfoldError(error) ? error.code : 'UNKNOWN';
    if (this.#action === 'checkpoint.encrypt') meter.increment('encryptionErrors', { code });
    else if (OPENING.includes(this.#action)) meter.increment('decryptionErrors', { code });
    if (code === 'INTEGRITY_FAILURE') meter.increment('authFailures', {});
    await auditor.failure(this.#event(), error);
  }

  #event(): Omit<AuditEvent, 'time' | 'outcome' | 'code'> {
    const kek = this.#kek;
    return {
      action: this.#action,
      tenant: this.#context.tenant,
      scope: this.#id,
      ...(this.#dek === undefined ? {} : { dek: this.#dek }),
      ...(kek === undefined ? {} : { kek: { provider: kek.provider, keyId: kek.keyId, keyVersion: kek.keyVersion } }),
    };
  }
}
