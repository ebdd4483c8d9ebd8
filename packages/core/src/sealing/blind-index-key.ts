import { createSecretKey, type KeyObject } from 'node:crypto';
import { hkdfExpandSha512 } from '../crypto/hkdf.ts';
import { type BlindIndexName, blindIndexInfo } from '../format/blind-index.ts';

const KEY_BYTES = 32;

/** The key of one version of one index. */
export function blindIndexKey(root: KeyObject, name: BlindIndexName): KeyObject {
  const bytes = hkdfExpandSha512(root, blindIndexInfo(name), KEY_BYTES);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
