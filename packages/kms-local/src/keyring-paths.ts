import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { KeyfoldError, toHex } from '@keyfold/core/provider';

/** What a name in the keyring's directory is to the keyring. */
export interface OwnEntry {
  readonly kind: 'claim' | 'temporary';
  readonly generation: number;
}

/**
 * The names of one keyring: `<name>` is current, `<name>.<g>` claims
 * generation g, `<name>.~<g>-<32 hex digits>` is a temporary file for it.
 */
export class KeyringPaths {
  readonly current: string;
  readonly directory: string;
  readonly #name: string;

  /** @throws KeyfoldError INVALID_ARGUMENT for a path that is empty or that another keyring could own */
  constructor(path: string) {
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw new KeyfoldError('INVALID_ARGUMENT', 'The path of a keyring must be a non-empty string without zero characters.');
    }
    this.current = resolve(path);
    this.directory = dirname(this.current);
    this.#name = basename(this.current);
    if (this.#name === '' || /\.(\d+|~[^.]*)$/.test(this.#name)) {
      throw new KeyfoldError(
        'INVALID_ARGUMENT',
        'The name of a keyring must not end in "." and digits, nor in ".~...": such names are its backups. Pass the keyring itself.',
      );
    }
  }

  /** The name whose creation decides who made generation `generation`. */
  claim(generation: number): string {
    return `${this.current}.${generation}`;
  }

  /** Follows from the content, so that whoever reads a claim knows the file that publishes it. */
  temporary(generation: number, content: Uint8Array): string {
    return this.temporaryNamed(generation, toHex(createHash('sha256').update(content).digest().subarray(0, 16)));
  }

  temporaryNamed(generation: number, hex: string): string {
    return `${this.current}.~${generation}-${hex}`;
  }

  /** Undefined for a name that is none of this keyring's own. */
  classify(entry: string): OwnEntry | undefined {
    if (!entry.startsWith(`${this.#name}.`)) return undefined;
    const match = /^(?:(?<claim>[1-9]\d{0,15})|~(?<temporary>[1-9]\d{0,15})-[0-9a-f]{32})$/.exec(
      entry.slice(this.#name.length + 1),
    );
    const { claim, temporary } = match?.groups ?? {};
    if (claim !== undefined) return { kind: 'claim', generation: Number(claim) };
    if (temporary !== undefined) return { kind: 'temporary', generation: Number(temporary) };
    return undefined;
  }

  absolute(entry: string): string {
    return join(this.directory, entry);
  }
}
