import { throwIfAborted, type KeyfoldError } from '@keyfold/core/provider';
import { aborted } from './abortable.ts';
import { CKF, CKR } from './constants.ts';
import { returnValue, tokenError } from './error-codes.ts';
import type { Cryptoki, Handle } from './sdk.ts';

interface Waiter {
  take(session: Handle): void;
  refuse(error: Error): void;
}

/**
 * Read-only sessions of one token, each lent to one operation at a time:
 * PKCS#11 permits one operation of a kind in a session. Whoever comes when all
 * are lent waits in line.
 */
export class SessionPool {
  readonly #cryptoki: Cryptoki;
  readonly #slot: Handle;
  readonly #limit: number;
  readonly #idle: Handle[] = [];
  readonly #waiting: Waiter[] = [];
  #open = 0;
  #closed: KeyfoldError | undefined;

  constructor(cryptoki: Cryptoki, slot: Handle, limit: number) {
    this.#cryptoki = cryptoki;
    this.#slot = slot;
    this.#limit = limit;
  }

  /** @throws KeyfoldError ABORTED, or what {@link close} was given; what the binding throws */
  async take(signal: AbortSignal | undefined): Promise<Handle> {
    throwIfAborted(signal);
    if (this.#closed !== undefined) throw this.#closed;
    const session = this.#idle.pop() ?? this.#another();
    return session ?? this.#wait(signal);
  }

  /** Takes a session back after an operation that went well. */
  give(session: Handle): void {
    if (this.#closed !== undefined) {
      this.drop(session);
      return;
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(session);
    else next.take(session);
  }

  /** Closes a session in which something failed: an operation may be left over in it. */
  drop(session: Handle): void {
    this.#open--;
    closeQuietly(this.#cryptoki, session);
    const next = this.#closed === undefined ? this.#waiting.shift() : undefined;
    if (next === undefined) return;
    try {
      const another = this.#another();
      if (another === undefined) this.#waiting.unshift(next);
      else next.take(another);
    } catch (error) {
      next.refuse(error instanceof Error ? error : tokenError(error, 'Opening a session'));
    }
  }

  /** Closes what is idle, and the rest as it comes back; whoever waits or comes later gets `reason`. */
  close(reason: KeyfoldError): void {
    this.#closed ??= reason;
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(reason);
    for (const session of this.#idle.splice(0)) this.drop(session);
  }

  /** Undefined when one that is lent has to be waited for. */
  #another(): Handle | undefined {
    if (this.#open >= this.#limit) return undefined;
    try {
      const session = this.#cryptoki.C_OpenSession(this.#slot, CKF.SERIAL_SESSION);
      this.#open++;
      return session;
    } catch (error) {
      // The token has fewer sessions than the option says.
      if (returnValue(error) === CKR.SESSION_COUNT && this.#open > 0) return undefined;
      throw error;
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<Handle> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        waiter.refuse(aborted());
      };
      const waiter: Waiter = {
        take: (session) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(session);
        },
        refuse: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }
}

/** A session that cannot be closed is gone already. */
export function closeQuietly(cryptoki: Cryptoki, session: Handle): void {
  try {
    cryptoki.C_CloseSession(session);
  } catch {
    // As above.
  }
}
