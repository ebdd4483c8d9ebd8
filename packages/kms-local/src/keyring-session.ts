import type { KeyObject } from 'node:crypto';
import { KeyfoldError, isKeyfoldError, throwIfAborted } from '@keyfold/core/provider';
import { disposeKeks, type KekSet } from './kek-set.ts';
import { MAX_ATTEMPTS, contention, withAdvice, type KeyringFile, type Snapshot } from './keyring-file.ts';
import { openKeyring, sealKeyring } from './keyring-format.ts';
import { kdfIdentity, type KeyringHeader } from './keyring-header.ts';
import { restoreAdvice } from './keyring-restore.ts';
import { currentStamp, type FileStamp } from './private-file.ts';

export interface SessionOptions {
  readonly file: KeyringFile;
  readonly key: KeyObject;
  readonly minimumGeneration: number;
}

interface Loaded {
  readonly header: KeyringHeader;
  readonly keks: KekSet;
  readonly stamp: FileStamp;
}

/** A new set of KEKs, or undefined when there is nothing to change. */
export type KekChange = (keks: KekSet) => KekSet | undefined;

/**
 * An opened keyring: its KEKs in memory, brought up to date whenever the file
 * has changed. Loading and changing happen one at a time.
 */
export class KeyringSession {
  readonly #options: SessionOptions;
  #loaded: Loaded;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(options: SessionOptions, loaded: Loaded) {
    this.#options = options;
    this.#loaded = loaded;
  }

  /** @throws KeyfoldError AUTHENTICATION_FAILED, INTEGRITY_FAILURE, KEY_NOT_FOUND, CONFIG_INVALID, STORAGE_* */
  static async start(options: SessionOptions): Promise<KeyringSession> {
    return new KeyringSession(options, await load(options, undefined));
  }

  get keyId(): string {
    return this.#loaded.header.keyId;
  }

  get generation(): number {
    return this.#loaded.header.generation;
  }

  /** The KEKs; use them before the next `await`, for a reload disposes of them. @throws KeyfoldError CLOSED */
  get keks(): KekSet {
    this.requireOpen();
    return this.#loaded.keks;
  }

  requireOpen(): void {
    if (this.#closed) throw new KeyfoldError('CLOSED', 'This keyring was closed.');
  }

  /** Reads the file again if it is another one than before; costs one lstat() when it is not. */
  async refresh(): Promise<void> {
    this.requireOpen();
    if (await this.#isFresh()) return;
    await this.#exclusive(async () => {
      // Calls that waited behind another's reload find its result.
      if (!(await this.#isFresh())) await this.#reload();
    });
  }

  /** Reads the file again in any case. */
  async reload(): Promise<void> {
    await this.#exclusive(() => this.#reload());
  }

  /**
   * Applies `change` to the newest generation and commits the result; when
   * another process comes first, `change` is applied again to what it made.
   * Once this resolves, the change is durable.
   * @returns the set that was made, for its names and states: a later reload disposes of the keys
   * @throws KeyfoldError CONFLICT after too many lost races; what `change` throws; STORAGE_*
   */
  async update(change: KekChange, signal: AbortSignal | undefined): Promise<KekSet> {
    return this.#exclusive(async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        throwIfAborted(signal);
        await this.#reload();
        const next = change(this.#loaded.keks);
        if (next === undefined || (await this.#commit(next))) return this.#loaded.keks;
      }
      throw contention();
    });
  }

  /** Empties every claim older than the one backup; unlike after an update, failing to is an error. */
  async tidy(): Promise<void> {
    await this.#exclusive(() => this.#options.file.tidy(this.generation));
  }

  /** Waits for what is under way, then overwrites the KEKs; calling it again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#tail;
    disposeKeks(this.#loaded.keks);
  }

  async #commit(next: KekSet): Promise<boolean> {
    const { file, key } = this.#options;
    const header = { ...this.#loaded.header, generation: this.generation + 1 };
    if (!(await file.commit(sealKeyring(header, next, key), header.generation))) return false;
    // The change is made. What tidying leaves behind is harmless and the next change takes it up.
    await file.tidy(header.generation).catch(() => undefined);
    await this.#reload();
    return true;
  }

  async #reload(): Promise<void> {
    const previous = this.#loaded;
    this.#loaded = await load(this.#options, previous.header);
    disposeKeks(previous.keks);
  }

  async #isFresh(): Promise<boolean> {
    return (await currentStamp(this.#options.file.paths.current)) === this.#loaded.stamp;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    this.requireOpen();
    const run = this.#tail.then(work);
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

async function load(options: SessionOptions, previous: KeyringHeader | undefined): Promise<Loaded> {
  const snapshot = await options.file.read();
  const { header } = snapshot.sealed;
  if (previous !== undefined) requireSameKeyring(header, previous);
  const keks = await open(options, snapshot);
  const minimum = Math.max(options.minimumGeneration, previous?.generation ?? 1);
  if (header.generation < minimum) {
    disposeKeks(keks);
    throw new KeyfoldError(
      'INTEGRITY_FAILURE',
      `The keyring is of generation ${header.generation}, and at least ${minimum} was expected: an older copy was put back.`,
    );
  }
  return { header, keks, stamp: snapshot.stamp };
}

async function open({ file, key }: SessionOptions, { sealed, bytes }: Snapshot): Promise<KekSet> {
  try {
    return openKeyring(sealed, key);
  } catch (error) {
    const advice = isKeyfoldError(error) ? await restoreAdvice(file.paths, bytes) : '';
    throw withAdvice(error, advice === '' ? '' : ` If the password or key is right:${advice}`);
  }
}

function requireSameKeyring(header: KeyringHeader, previous: KeyringHeader): void {
  if (header.keyId !== previous.keyId || kdfIdentity(header.kdf) !== kdfIdentity(previous.kdf)) {
    throw new KeyfoldError(
      'AUTHENTICATION_FAILED',
      'Another keyring has taken the place of the one that was opened. If that is intended, open it anew.',
    );
  }
}
