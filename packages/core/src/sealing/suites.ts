import { AES_256_CBC_HMAC_SHA_256, cbcHmacSuite } from '../crypto/cbc-hmac-suite.ts';
import { AES_256_GCM_1M, COBBLESTONE_256 } from '../crypto/framed-aead.ts';
import { gcmSuite } from '../crypto/gcm-suite.ts';
import type { Suite } from '../crypto/suite.ts';

/** The suites that this version seals and opens, by the names of configuration. */
export const SUITES = {
  /** Suite 03: AES-256-GCM in 1 MiB frames; the default of checkpoints. */
  'aes-256-gcm': gcmSuite(AES_256_GCM_1M),
  /** Suite 01: AES-256-GCM in 16 KiB chunks (c2sp.org/chunked-encryption). */
  'cobblestone-256': gcmSuite(COBBLESTONE_256),
  /** Suite 02: AES-256-CBC, then HMAC-SHA-256, in 16 KiB chunks. */
  'aes-256-cbc-hmac-sha256': cbcHmacSuite(AES_256_CBC_HMAC_SHA_256),
} as const satisfies Record<string, Suite>;

/** How configuration names a suite. */
export type SuiteName = keyof typeof SUITES;

/** For configuration that no compiler has seen. */
export function isSuiteName(name: string): name is SuiteName {
  return Object.hasOwn(SUITES, name);
}

/** The suite of a header's byte, if the reader accepts it: anything else would be a way to downgrade. */
export function acceptedSuite(id: number, accepted: readonly SuiteName[]): Suite | undefined {
  return accepted.map((name) => SUITES[name]).find((suite) => suite.id === id);
}

export const DEFAULT_SUITE: SuiteName = 'aes-256-gcm';
/** Every suite that this version can open. */
export const ALL_SUITES: readonly SuiteName[] = ['aes-256-gcm', 'cobblestone-256', 'aes-256-cbc-hmac-sha256'];

/** What readers accept that were not told: who wants suite 02 asks for it. */
export const GCM_SUITES: readonly SuiteName[] = ['aes-256-gcm', 'cobblestone-256'];
