import { KeyfoldError } from '@keyfold/core/provider';
import { CKF, CKM } from './constants.ts';
import { gcmWrapping } from './gcm-wrapping.ts';
import type { Wrapping as WrappingOption } from './options.ts';
import type { Cryptoki, Handle } from './sdk.ts';
import { seedWrapping } from './seed-wrapping.ts';
import type { Wrapping } from './wrapping.ts';

/** How keys are wrapped with a token. */
export interface Wrappings {
  /** What wraps. */
  readonly preferred: Wrapping;
  /** What the token can unwrap. */
  readonly all: readonly Wrapping[];
}

/**
 * What the token can do, by its own list of mechanisms.
 * @throws KeyfoldError INVALID_KEY_USAGE when it cannot do what `wanted` says; what the binding throws
 */
export function wrappingsOf(cryptoki: Cryptoki, slot: Handle, wanted: WrappingOption): Wrappings {
  const listed = cryptoki.C_GetMechanismList(slot);
  const can = (mechanism: number, flags: number): boolean =>
    listed.includes(mechanism) && (cryptoki.C_GetMechanismInfo(slot, mechanism).flags & flags) === flags;
  const gcm = can(CKM.AES_GCM, CKF.ENCRYPT | CKF.DECRYPT) ? gcmWrapping : undefined;
  const keyWrap = [CKM.AES_KEY_WRAP_KWP, CKM.AES_KEY_WRAP_PAD].find((mechanism) => can(mechanism, CKF.WRAP | CKF.UNWRAP));
  const seed = keyWrap === undefined ? undefined : seedWrapping(keyWrap);
  const preferred = wanted === 'aes-gcm' ? gcm : wanted === 'aes-key-wrap' ? seed : (gcm ?? seed);
  if (preferred === undefined) {
    throw new KeyfoldError(
      'INVALID_KEY_USAGE',
      `The token cannot wrap by ${wanted === 'auto' ? 'CKM_AES_GCM, CKM_AES_KEY_WRAP_KWP or CKM_AES_KEY_WRAP_PAD' : wanted}. Use another token, or another value of the option wrapping.`,
    );
  }
  return { preferred, all: [gcm, seed].filter((wrapping) => wrapping !== undefined) };
}
