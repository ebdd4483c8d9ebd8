import { randomBytes } from 'node:crypto';

/** How key material came to be the current one; undefined for the first. */
export type RotationType = 'AUTOMATIC' | 'ON_DEMAND';

/** One key material of a KMS key. */
export interface KeyMaterial {
  /** 64 hex digits. */
  readonly id: string;
  /** 256 bits; never leaves this process. */
  readonly secret: Uint8Array;
  /** When the rotation to it completed, Unix milliseconds; undefined for the first. */
  readonly rotatedAt: number | undefined;
  readonly rotationType: RotationType | undefined;
}

/** Draws new key material. */
export function drawKeyMaterial(rotation?: { readonly at: number; readonly type: RotationType }): KeyMaterial {
  return {
    id: randomBytes(32).toString('hex'),
    secret: randomBytes(32),
    rotatedAt: rotation?.at,
    rotationType: rotation?.type,
  };
}
