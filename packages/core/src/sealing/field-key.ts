import type { KeyObject } from 'node:crypto';

/** A data key for fields, as long as it is loaded. */
export interface FieldKey {
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  /** 32 bytes. */
  readonly dek: KeyObject;
}
