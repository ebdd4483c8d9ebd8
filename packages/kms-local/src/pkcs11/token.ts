import { KeyfoldError, throwIfAborted } from '@keyfold/core/provider';
import { abortable } from './abortable.ts';
import { CKF } from './constants.ts';
import { isLoss, tokenError } from './error-codes.ts';
import type { KnownKeks } from './kek.ts';
import { Login, isLoggedIn } from './login.ts';
import type { Settings } from './options.ts';
import { initialize, type Cryptoki, type Handle } from './sdk.ts';
import { SessionPool, closeQuietly } from './session-pool.ts';
import { findToken } from './slots.ts';

/** What stays the same from one connection to the token to the next loss. */
interface Connection {
  readonly slot: Handle;
  /** Kept open and used for nothing: the login ends with the last session. */
  readonly anchor: Handle;
  readonly loginRequired: boolean;
  readonly pool: SessionPool;
  /** Handles mean nothing in another connection, so what is known of the keys ends with this one. */
  readonly known: KnownKeks;
  /** What is under way. */
  readonly calls: Set<Promise<unknown>>;
}

/** What an operation on the token is given. */
export interface TokenCall {
  readonly cryptoki: Cryptoki;
  readonly slot: Handle;
  /** Belongs to this operation until it ends. */
  readonly session: Handle;
  /** What earlier operations saw of the keys. */
  readonly known: KnownKeks;
  /** @throws KeyfoldError KMS_UNAVAILABLE when the token is gone, which some modules show only as keys that are missing */
  requireAlive(): void;
  /** Runs `work` in a further session that is closed afterwards. */
  inSession<T>(flags: number, work: (session: Handle) => Promise<T>): Promise<T>;
}

/** How an operation is run. */
export interface RunOptions<T> {
  /** For messages: "Wrapping a key". */
  readonly doing: string;
  readonly signal?: AbortSignal | undefined;
  /** Zeroes a result that nobody waits for any more. */
  readonly discard?: (late: T) => void;
}

/** A token: found, logged in to, and found again after it was lost, by the call that comes next. */
export class Token {
  readonly #cryptoki: Cryptoki;
  readonly #settings: Settings;
  readonly #login: Login;
  #connection: Promise<Connection> | undefined;
  #last: Connection | undefined;
  #label: string | undefined;
  #closing: Promise<void> | undefined;
  #attempts = 0;

  constructor(cryptoki: Cryptoki, settings: Settings) {
    this.#cryptoki = cryptoki;
    this.#settings = settings;
    this.#login = new Login(settings);
  }

  /** The token's label; known once something ran. */
  get label(): string {
    return this.#label ?? '';
  }

  /** @throws KeyfoldError CLOSED */
  requireOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  /**
   * Runs `work` in a session of its own and types what it throws.
   * @throws KeyfoldError of any code of the token's, ABORTED, CLOSED
   */
  async run<T>({ doing, signal, discard = () => undefined }: RunOptions<T>, work: (call: TokenCall) => Promise<T>): Promise<T> {
    this.requireOpen();
    throwIfAborted(signal);
    return abortable(this.#perform(doing, signal, work), signal, discard);
  }

  /** Waits for what is under way, then closes every session. The module stays initialised: others may use it. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async #perform<T>(doing: string, signal: AbortSignal | undefined, work: (call: TokenCall) => Promise<T>): Promise<T> {
    const connection = await this.#connected(doing);
    this.requireOpen();
    const running = this.#inPool(connection, signal, work);
    connection.calls.add(running);
    try {
      return await running;
    } catch (error) {
      if (isLoss(error)) this.#lose(connection);
      throw tokenError(error, doing);
    } finally {
      connection.calls.delete(running);
    }
  }

  async #inPool<T>(connection: Connection, signal: AbortSignal | undefined, work: (call: TokenCall) => Promise<T>): Promise<T> {
    const session = await connection.pool.take(signal);
    try {
      const result = await work(this.#call(connection, session));
      connection.pool.give(session);
      return result;
    } catch (error) {
      connection.pool.drop(session);
      throw error;
    }
  }

  #call(connection: Connection, session: Handle): TokenCall {
    const { slot, known } = connection;
    return {
      cryptoki: this.#cryptoki,
      slot,
      session,
      known,
      requireAlive: () => {
        if (this.#isAlive(connection)) return;
        this.#lose(connection);
        throw new KeyfoldError('KMS_UNAVAILABLE', 'The token does not answer, or the user was logged out. The next call looks for it again.');
      },
      inSession: async (flags, work) => {
        const further = this.#cryptoki.C_OpenSession(slot, CKF.SERIAL_SESSION | flags);
        try {
          return await work(further);
        } finally {
          closeQuietly(this.#cryptoki, further);
        }
      },
    };
  }

  #isAlive({ slot, anchor, loginRequired }: Connection): boolean {
    try {
      this.#cryptoki.C_GetTokenInfo(slot);
      return !loginRequired || isLoggedIn(this.#cryptoki, anchor);
    } catch {
      return false;
    }
  }

  /** One connection for all who ask at the same time; a failed one is made anew by the next call. */
  async #connected(doing: string): Promise<Connection> {
    const attempt = (this.#connection ??= this.#connect());
    try {
      return await attempt;
    } catch (error) {
      if (this.#connection === attempt) this.#connection = undefined;
      throw tokenError(error, doing);
    }
  }

  async #connect(): Promise<Connection> {
    if (this.#attempts++ > 0 && this.#settings.exclusive) await this.#finalize();
    initialize(this.#cryptoki);
    const { slot, info, label } = findToken(this.#cryptoki, this.#settings.token);
    if (this.#label !== undefined && this.#label !== label) {
      throw new KeyfoldError('CONFIG_INVALID', `Another token is in its place: ${JSON.stringify(label)}, not ${JSON.stringify(this.#label)}.`);
    }
    const anchor = this.#cryptoki.C_OpenSession(slot, CKF.SERIAL_SESSION);
    try {
      await this.#login.ensure(this.#cryptoki, anchor, info);
    } catch (error) {
      closeQuietly(this.#cryptoki, anchor);
      throw error;
    }
    this.#label = label;
    const pool = new SessionPool(this.#cryptoki, slot, this.#settings.sessions);
    const loginRequired = (info.flags & CKF.LOGIN_REQUIRED) !== 0;
    this.#last = { slot, anchor, loginRequired, pool, known: { keks: [], probes: new Map() }, calls: new Set() };
    return this.#last;
  }

  /** Some modules look for tokens in C_Initialize alone. Permitted only while no thread is inside of the module. */
  async #finalize(): Promise<void> {
    await Promise.allSettled([...(this.#last?.calls ?? [])]);
    try {
      this.#cryptoki.C_Finalize();
    } catch {
      // It was not initialised.
    }
  }

  #lose(connection: Connection): void {
    if (this.#last === connection) this.#connection = undefined;
    connection.pool.close(new KeyfoldError('KMS_UNAVAILABLE', 'The token was lost. The next call looks for it again.'));
    closeQuietly(this.#cryptoki, connection.anchor);
  }

  async #end(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.pool.close(closed());
    // Of a connection that was lost, too: the token may still be at work on keys of this process.
    await Promise.allSettled([...(this.#last?.calls ?? [])]);
    if (connection !== undefined) closeQuietly(this.#cryptoki, connection.anchor);
    this.#connection = undefined;
    this.#last = undefined;
  }
}

function closed(): KeyfoldError {
  return new KeyfoldError('CLOSED', 'This PKCS#11 client was closed.');
}
