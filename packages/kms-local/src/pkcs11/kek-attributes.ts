import { toHex } from '@keyfold/core/provider';
import { CKA, CKK, CKO_SECRET_KEY } from './constants.ts';
import { unsigned } from './handles.ts';
import type { Kek, Permissions } from './kek.ts';
import type { Attribute, Cryptoki, Handle } from './sdk.ts';
import { parseVersionId } from './version-id.ts';

const KEK_BYTES = 32;

/** What finds all versions of a key: its AES keys are told from others by their label alone. */
export function searchTemplate(label: string): Attribute[] {
  return [
    { type: CKA.CLASS, value: CKO_SECRET_KEY },
    { type: CKA.KEY_TYPE, value: CKK.AES },
    { type: CKA.TOKEN, value: true },
    { type: CKA.LABEL, value: label },
  ];
}

/** A new version: it never leaves the token, and does nothing but what `may` says. */
export function generationTemplate(label: string, id: Uint8Array, may: Permissions): Attribute[] {
  return [
    ...searchTemplate(label),
    { type: CKA.ID, value: Buffer.from(id) },
    { type: CKA.VALUE_LEN, value: KEK_BYTES },
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: true },
    { type: CKA.EXTRACTABLE, value: false },
    { type: CKA.SIGN, value: false },
    { type: CKA.VERIFY, value: false },
    { type: CKA.DERIVE, value: false },
    ...permissionTemplate(may),
  ];
}

/** The four attributes that say what a key may be used for; tokens enforce them. */
export function permissionTemplate(may: Permissions): Attribute[] {
  return [
    { type: CKA.ENCRYPT, value: may.encrypt },
    { type: CKA.DECRYPT, value: may.decrypt },
    { type: CKA.WRAP, value: may.wrap },
    { type: CKA.UNWRAP, value: may.unwrap },
  ];
}

/**
 * Reads a key. Undefined when it is no version of `label`: another label, or a
 * CKA_ID that is empty or too long to name one.
 */
export function readKek(cryptoki: Cryptoki, session: Handle, handle: Handle, label: string, acceptImported: boolean): Kek | undefined {
  const types = [
    CKA.LABEL, CKA.ID, CKA.VALUE_LEN, CKA.PRIVATE, CKA.SENSITIVE, CKA.EXTRACTABLE,
    CKA.ALWAYS_SENSITIVE, CKA.NEVER_EXTRACTABLE, CKA.ENCRYPT, CKA.DECRYPT, CKA.WRAP, CKA.UNWRAP,
  ];
  const read = cryptoki.C_GetAttributeValue(session, handle, types.map((type) => ({ type })));
  const values = new Map(read.map(({ type, value }) => [type, value]));
  const bytes = (type: number): Buffer => values.get(type) ?? Buffer.alloc(0);
  const yes = (type: number): boolean => bytes(type).some((byte) => byte !== 0);
  const id = parseVersionId(bytes(CKA.ID));
  if (id === undefined || toHex(bytes(CKA.LABEL)) !== toHex(Buffer.from(label))) return undefined;
  const may = { encrypt: yes(CKA.ENCRYPT), decrypt: yes(CKA.DECRYPT), wrap: yes(CKA.WRAP), unwrap: yes(CKA.UNWRAP) };
  const problem = problemOf({
    bits: bytes(CKA.VALUE_LEN).length > 0 ? 8 * unsigned(bytes(CKA.VALUE_LEN)) : 0,
    sensitive: yes(CKA.SENSITIVE),
    extractable: yes(CKA.EXTRACTABLE),
    isPrivate: yes(CKA.PRIVATE),
    pristine: acceptImported || (yes(CKA.ALWAYS_SENSITIVE) && yes(CKA.NEVER_EXTRACTABLE)),
  });
  return { id, handle, may, problem };
}

interface Protection {
  readonly bits: number;
  readonly sensitive: boolean;
  readonly extractable: boolean;
  readonly isPrivate: boolean;
  readonly pristine: boolean;
}

function problemOf({ bits, sensitive, extractable, isPrivate, pristine }: Protection): string | undefined {
  if (extractable) return 'is extractable (CKA_EXTRACTABLE): it can be taken off the token';
  if (!sensitive) return 'is not sensitive (CKA_SENSITIVE): the token shows it in clear';
  if (!isPrivate) return 'is not private (CKA_PRIVATE): it can be used without the PIN';
  if (bits !== 8 * KEK_BYTES) return `has ${bits} bits, not 256`;
  if (!pristine) {
    return 'was imported, or could be taken off the token before (CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE); if that is as it should be, set acceptImportedKeys';
  }
  return undefined;
}
