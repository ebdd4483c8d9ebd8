import { link, lstat, readdir, rename } from 'node:fs/promises';
import { KeyfoldError, isKeyfoldError, systemRandomSource, toHex } from '@keyfold/core/provider';
import { shellWord, storageError, systemCode, typed } from './error-codes.ts';
import { MAX_KEYRING_BYTES, parseKeyring, type SealedKeyring } from './keyring-format.ts';
import type { KeyringPaths } from './keyring-paths.ts';
import { restoreAdvice } from './keyring-restore.ts';
import {
  readPrivateFile,
  removeIfThere,
  requirePrivateDirectory,
  syncDirectory,
  writePrivateFile,
  type FileStamp,
} from './private-file.ts';

/** Called after each step of a change; tests stop the process there. */
export type StepHook = (step: string) => void;

/** What the current name held at one moment. */
export interface Snapshot {
  readonly sealed: SealedKeyring;
  readonly bytes: Uint8Array;
  readonly stamp: FileStamp;
}

/** Every lost race means that another process succeeded, so this is far above what contention needs. */
export const MAX_ATTEMPTS = 200;

/**
 * The files of one keyring and the protocol by which several processes replace
 * it without a lock (spec/local-keyring, "Changing a keyring").
 *
 * Generation g+1 is made in four steps: write `T = <name>.~<g+1>-<hash>` and
 * sync it; claim the generation by link(T, `<name>.<g+1>`); check that the
 * current file is still generation g; publish by rename(T, `<name>`).
 *
 * Why no change is lost and none comes back:
 * 1. Claims are never removed, only emptied, so link() succeeds once in
 *    history for each generation. The process that succeeds read generation g
 *    before, and generation g has one content, so g+1 is built upon it.
 * 2. The name T follows from the content, which is unique (a random salt), and
 *    T is created once, before the claim. rename() takes the name away: the
 *    publication of g+1 happens at most once in history. A process that
 *    stalled before its rename gets ENOENT later and changes nothing.
 * 3. Publishing g+1 is attempted only by those who saw generation g as
 *    current. By 2 and induction the current file goes g, g+1, g+2, ...
 * 4. Whoever finds g+1 claimed and g current publishes g+1 first (it computes
 *    T from the claim's content), so a crash between claim and publication
 *    blocks nobody.
 * 5. Temporary files are removed only when their generation is current or
 *    older: such a file was published, lost its race, or will lose it.
 * 6. The claim is durable before it is published: a power cut leaves a claim
 *    that the next reader publishes again, never a lost generation.
 */
export class KeyringFile {
  readonly paths: KeyringPaths;
  readonly #onStep: StepHook;

  constructor(paths: KeyringPaths, onStep: StepHook = () => undefined) {
    this.paths = paths;
    this.#onStep = onStep;
  }

  /**
   * The newest generation; one that is claimed and not published is published first.
   * @throws KeyfoldError KEY_NOT_FOUND, INTEGRITY_FAILURE, CONFIG_INVALID, STORAGE_*
   */
  async read(): Promise<Snapshot> {
    await requirePrivateDirectory(this.paths.directory);
    let spentAt = -1;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const current = await this.#readCurrent();
      const generation = current?.sealed.header.generation ?? 0;
      const claim = await this.#readClaim(generation + 1);
      if (claim === undefined) return current ?? (await this.#missing());
      // After a spent claim the current file is newer (3); if it is not, somebody put an old one back.
      if (generation <= spentAt) throw await this.#replaced(current, generation);
      try {
        if (!(await this.#finish(claim, generation + 1))) spentAt = generation;
      } catch (error) {
        // Who may only read cannot complete another's change, which nobody was promised yet.
        if (current !== undefined && isKeyfoldError(error, 'STORAGE_DENIED')) return current;
        throw error;
      }
    }
    throw contention();
  }

  /** Whether there is a keyring or a trace of one under this name. */
  async exists(): Promise<boolean> {
    return (await isThere(this.paths.current)) || (await isThere(this.paths.claim(1)));
  }

  /**
   * Makes `content`, built upon generation - 1, the current file.
   * @returns false when another process made that generation; read again and retry
   */
  async commit(content: Uint8Array, generation: number): Promise<boolean> {
    const temporary = this.paths.temporary(generation, content);
    await writePrivateFile(temporary, content, () => {
      this.#onStep('temporary created');
    });
    this.#onStep('temporary durable');
    if (!(await this.#claim(temporary, generation))) return false;
    this.#onStep('claimed');
    await syncDirectory(this.paths.directory);
    this.#onStep('claim durable');
    const current = (await this.#readCurrent())?.sealed.header.generation ?? 0;
    if (current === generation - 1) {
      await this.#publish(temporary);
      return true;
    }
    // A helper published it already, or numbered files were removed by hand and the claim is worth nothing.
    const withdrawn = await removeIfThere(temporary);
    if (withdrawn) await this.#emptyClaim(generation, current);
    return !withdrawn;
  }

  /** Keeps one backup before `generation`, empties older claims and sweeps what crashes left behind. */
  async tidy(generation: number): Promise<void> {
    const entries = await typed(`Listing ${this.paths.directory}`, () => readdir(this.paths.directory));
    const own = entries.map((entry) => ({ path: this.paths.absolute(entry), entry: this.paths.classify(entry) }));
    for (const { path, entry } of own) {
      if (entry?.kind !== 'claim' || entry.generation >= generation - 1) continue;
      if ((await typed(`Looking at ${path}`, () => lstat(path))).size > 0) await this.#emptyClaim(entry.generation, generation);
    }
    for (const { path, entry } of own) {
      if (entry?.kind === 'temporary' && entry.generation <= generation && (await removeIfThere(path))) {
        this.#onStep('temporary swept');
      }
    }
    await syncDirectory(this.paths.directory);
    this.#onStep('tidied');
  }

  async #readCurrent(): Promise<Snapshot | undefined> {
    const file = await readPrivateFile(this.paths.current, 'The keyring', MAX_KEYRING_BYTES);
    if (file === undefined) return undefined;
    try {
      return { sealed: parseKeyring(file.bytes), ...file };
    } catch (error) {
      throw withAdvice(error, await restoreAdvice(this.paths, file.bytes));
    }
  }

  async #readClaim(generation: number): Promise<Uint8Array | undefined> {
    return (await readPrivateFile(this.paths.claim(generation), 'The numbered file', MAX_KEYRING_BYTES))?.bytes;
  }

  /** Publishes another's claim; false when that has happened already or the claim is none. */
  async #finish(claim: Uint8Array, generation: number): Promise<boolean> {
    if (!isGeneration(claim, generation)) return false;
    await syncDirectory(this.paths.directory);
    return this.#publish(this.paths.temporary(generation, claim));
  }

  async #publish(temporary: string): Promise<boolean> {
    this.#onStep('about to publish');
    try {
      await rename(temporary, this.paths.current);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw storageError(error, `Publishing ${this.paths.current}`);
    }
    this.#onStep('published');
    await syncDirectory(this.paths.directory);
    this.#onStep('publication durable');
    return true;
  }

  async #claim(temporary: string, generation: number): Promise<boolean> {
    try {
      await link(temporary, this.paths.claim(generation));
      return true;
    } catch (error) {
      await removeIfThere(temporary);
      // ENOENT: swept, because the generation had become current (5).
      if (systemCode(error) === 'EEXIST' || systemCode(error) === 'ENOENT') return false;
      throw storageError(error, `Linking ${this.paths.claim(generation)}`);
    }
  }

  /** Replaces a claim by an empty file in one step, so that the name is never free. */
  async #emptyClaim(generation: number, current: number): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const marker = this.paths.temporaryNamed(current + 1, toHex(systemRandomSource.bytes(16)));
      await writePrivateFile(marker, new Uint8Array(0));
      this.#onStep('marker created');
      try {
        await rename(marker, this.paths.claim(generation));
        this.#onStep('claim emptied');
        return;
      } catch (error) {
        // Swept by a process that is a generation ahead: once more.
        if (systemCode(error) !== 'ENOENT') throw storageError(error, `Emptying ${this.paths.claim(generation)}`);
      }
    }
    throw contention();
  }

  async #missing(): Promise<never> {
    const advice = await restoreAdvice(this.paths, undefined);
    throw new KeyfoldError(
      'KEY_NOT_FOUND',
      `There is no keyring ${this.paths.current}.${advice === '' ? ' Create it with LocalKms.create.' : advice}`,
    );
  }

  async #replaced(current: Snapshot | undefined, generation: number): Promise<KeyfoldError> {
    if (current === undefined) return this.#missing();
    return new KeyfoldError(
      'INTEGRITY_FAILURE',
      `The keyring ${this.paths.current} holds generation ${generation}, but ${this.paths.claim(generation + 1)} shows that it ` +
        'was newer: an older copy was put back, or a restore was not completed. To accept the older one, stop every process ' +
        `that uses the keyring and remove the files ${shellWord(this.paths.current)}.N with N above ${generation}.` +
        (await restoreAdvice(this.paths, current.bytes)),
    );
  }
}

/** The same error with a further sentence. */
export function withAdvice(error: unknown, advice: string): unknown {
  return isKeyfoldError(error) && advice !== '' ? new KeyfoldError(error.code, error.message + advice, { cause: error }) : error;
}

export function contention(): KeyfoldError {
  return new KeyfoldError('CONFLICT', 'Other processes kept changing the keyring; nothing was changed. Try again.');
}

function isGeneration(content: Uint8Array, generation: number): boolean {
  try {
    return parseKeyring(content).header.generation === generation;
  } catch {
    // An emptied claim, or no claim of this protocol at all: either way not one to publish.
    return false;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw storageError(error, `Looking at ${path}`);
  }
}
