import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { concatBytes, encodeUtf8, toHex } from '../bytes.ts';
import { hkdfExpandSha512 } from '../crypto/hkdf.ts';
import { openMessage } from '../crypto/message.ts';
import { sealMessage } from '../crypto/seal-message.ts';
import { label } from '../format/context.ts';
import {
  decodeHiddenId,
  encodeHiddenId,
  encodeHiddenPrefix,
  hiddenIdBinding,
  hiddenNameInput,
  parseHiddenRecord,
} from '../format/hidden-name.ts';
import { lengthPrefixed } from '../format/writer.ts';

/**
 * The checkpoint under which a tenant's name key is kept. It begins with a
 * slash, so it is no id that a store accepts, and no checkpoint can take its place.
 */
export const NAME_KEY_CHECKPOINT = '/keyfold/hidden-names/v1';

/** Where a tenant's objects stand: 32 hex digits that whoever guesses the tenant can check. */
export function hiddenTenantName(tenant: string): string {
  const input = concatBytes(label('keyfold/hidden-names-tenant/v1'), lengthPrefixed(16, encodeUtf8(tenant, 'The tenant')));
  return createHash('sha256').update(input).digest('hex').slice(0, 32);
}

/**
 * One tenant's hidden names (spec/hidden-names): ids become HMACs, and stand
 * sealed in front of their records so that whoever has the name key can list them.
 */
export class HiddenNames {
  readonly #tenant: string;
  readonly #nameKey: KeyObject;
  readonly #idKey: KeyObject;

  /** @param dek that of {@link NAME_KEY_CHECKPOINT} */
  constructor(dek: KeyObject, tenant: string) {
    this.#tenant = tenant;
    this.#nameKey = derive(dek, 'keyfold/hidden-names-mac-key/v1');
    this.#idKey = derive(dek, 'keyfold/hidden-names-id-key/v1');
  }

  /** 64 hex digits. */
  nameOf(id: string): string {
    return toHex(this.#mac(id));
  }

  /** What stands in front of the record of `id`; other bytes every time. */
  prefixOf(id: string): Uint8Array {
    return encodeHiddenPrefix(sealMessage(this.#idKey, hiddenIdBinding(this.#mac(id)), encodeHiddenId(id)));
  }

  /** The id of an object of this name that begins with `bytes`, or undefined when it is not one of this tenant's. */
  idOf(name: string, bytes: Uint8Array): string | undefined {
    const sealedId = parseHiddenRecord(bytes)?.sealedId;
    if (sealedId === undefined || !/^[0-9a-f]{64}$/.test(name)) return undefined;
    const padded = openMessage(this.#idKey, hiddenIdBinding(Uint8Array.from(Buffer.from(name, 'hex'))), sealedId);
    const id = padded === undefined ? undefined : decodeHiddenId(padded);
    return id !== undefined && this.nameOf(id) === name ? id : undefined;
  }

  #mac(id: string): Uint8Array {
    return createHmac('sha256', this.#nameKey).update(hiddenNameInput(this.#tenant, id)).digest();
  }
}

function derive(dek: KeyObject, use: string): KeyObject {
  const bytes = hkdfExpandSha512(dek, label(use), 32);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}
