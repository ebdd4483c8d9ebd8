import { notFound } from '../wire/gcp-error.ts';
import type { CryptoKey } from './crypto-key.ts';
import type { KeyVersion } from './key-version.ts';
import { idOf, parentOf, requireName } from './resource-name.ts';

/** A KeyRing: a name and a date. */
export interface KeyRing {
  readonly name: string;
  readonly createdAt: number;
}

/** Everything that the server knows of keys, in memory only. */
export class KmsState {
  /** How long new material of an HSM takes, by the clock of the keys. */
  readonly generationMs: number;
  readonly keyRings = new Map<string, KeyRing>();
  readonly cryptoKeys = new Map<string, CryptoKey>();

  constructor(generationMs: number) {
    this.generationMs = generationMs;
  }

  /** Completes whatever is due by now. */
  settle(now: number): void {
    for (const key of this.cryptoKeys.values()) key.settle(now);
  }

  /** @throws GcpError INVALID_ARGUMENT, NOT_FOUND */
  keyRing(name: string): KeyRing {
    const ring = this.keyRings.get(requireName('keyRing', name));
    if (ring === undefined) throw notFound(name);
    return ring;
  }

  /** @throws GcpError INVALID_ARGUMENT, NOT_FOUND */
  cryptoKey(name: string): CryptoKey {
    const key = this.cryptoKeys.get(requireName('cryptoKey', name));
    if (key === undefined) throw notFound(name);
    return key;
  }

  /** @throws GcpError INVALID_ARGUMENT, NOT_FOUND */
  version(name: string): { readonly key: CryptoKey; readonly version: KeyVersion } {
    const key = this.cryptoKey(parentOf(requireName('version', name)));
    return { key, version: key.version(idOf(name)) };
  }
}
