import type { Handle } from './sdk.ts';
import type { VersionId } from './version-id.ts';

/** What the attributes of a key permit. */
export interface Permissions {
  readonly encrypt: boolean;
  readonly decrypt: boolean;
  readonly wrap: boolean;
  readonly unwrap: boolean;
}

/** One version of the key: an AES key on the token with the configured label. */
export interface Kek {
  readonly id: VersionId;
  readonly handle: Handle;
  readonly may: Permissions;
  /** Why it must not be used, as the end of a sentence. */
  readonly problem: string | undefined;
}

/** What is remembered of the keys of one connection. */
export interface KnownKeks {
  /** Newest first. */
  keks: readonly Kek[];
  /** Of a version, by its id: a wrap that is known to open, to tell a bad wrap from a bad token. */
  readonly probes: Map<string, Uint8Array>;
}
