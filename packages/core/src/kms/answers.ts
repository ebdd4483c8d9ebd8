import { isUint8Array } from 'node:util/types';
import { KeyfoldError, isKeyfoldError } from '../errors.ts';
import type { KmsClient, WrappedKey } from '../ports/kms-client.ts';

const DEK_BYTES = 32;

/** An answer of the provider's: checked before anybody sees it, zeroed when it comes too late or is refused. */
export interface Answer<T> {
  readonly check: (answer: T) => void;
  readonly discard: (answer: T) => void;
}

/** Made by generateDataKey(). */
export interface DataKey {
  readonly plaintext: Uint8Array;
  readonly wrapped: WrappedKey;
}

/** What a client may answer: keys of the right length, and wraps under its own key. */
export function answersOf(client: Pick<KmsClient, 'provider' | 'keyId'>): {
  readonly wrap: Answer<WrappedKey>;
  readonly dek: Answer<Uint8Array>;
  readonly dataKey: Answer<DataKey>;
} {
  const checkWrap = (wrapped: WrappedKey): void => {
    if (wrapped.provider !== client.provider || wrapped.keyId !== client.keyId) {
      throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${client.provider} KMS wrapped under another key than the configured one.`);
    }
  };
  const checkDataKey = ({ plaintext, wrapped }: DataKey): void => {
    checkDek(plaintext);
    checkWrap(wrapped);
  };
  const discardDataKey = ({ plaintext }: DataKey): void => {
    zero(plaintext);
  };
  return {
    wrap: { check: checkWrap, discard: () => undefined },
    dek: { check: checkDek, discard: zero },
    dataKey: { check: checkDataKey, discard: discardDataKey },
  };
}

/** @throws KeyfoldError KMS_PROTOCOL_ERROR for an answer that no KMS may give; what was in it is zeroed */
export function refuseBad<T>(provider: string, result: T, answer: Answer<T> | undefined): void {
  try {
    answer?.check(result);
  } catch (error) {
    discardQuietly(result, answer);
    throw isKeyfoldError(error)
      ? error
      : new KeyfoldError('KMS_PROTOCOL_ERROR', `The ${provider} KMS answered something that is no key or wrap.`, { cause: error });
  }
}

/** What a provider answers in defiance of its types may be anything. */
export function discardQuietly<T>(result: T, answer: Answer<T> | undefined): void {
  try {
    answer?.discard(result);
  } catch {
    // No key, then.
  }
}

function checkDek(dek: unknown): void {
  if (isUint8Array(dek) && dek.byteLength === DEK_BYTES) return;
  throw new KeyfoldError('KMS_PROTOCOL_ERROR', `The KMS returned something else than a key of ${DEK_BYTES} bytes.`);
}

function zero(key: Uint8Array): void {
  key.fill(0);
}
