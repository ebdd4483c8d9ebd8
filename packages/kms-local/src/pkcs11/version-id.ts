import { concatBytes, toHex, type RandomSource } from '@keyfold/core/provider';

/*
 * A version is named by its CKA_ID (spec/pkcs11, section 3). PKCS#11 has no
 * compare-and-swap and no unique attribute, so two processes that rotate at
 * once cannot be kept from making a version each. What can be had: their ids
 * differ, because each ends in random bytes, and every process puts all ids in
 * the same order, so all agree on which is the newest.
 */

/** "KF" and the version of this layout. */
const PREFIX = Uint8Array.of(0x4b, 0x46, 0x01);
const ID_BYTES = 20;
const RANDOM_BYTES = 7;
const COUNTER_OFFSET = PREFIX.length;
const TIME_OFFSET = COUNTER_OFFSET + 4;

/** The largest counter: 32 bits. */
export const MAX_COUNTER = 0xffff_ffff;

/** A CKA_ID that is longer names no version: as hex it must fit into a key record. */
export const MAX_ID_BYTES = 128;

/** What an id says. Ids that this client did not make have counter 0 and no time. */
export interface VersionId {
  /** Lower-case hex of the CKA_ID. */
  readonly text: string;
  readonly counter: number;
  /** Unix milliseconds. */
  readonly createdAt: number | undefined;
}

/** `"KF" 01 || u32 counter || u48 created || 7 random bytes`. */
export function newVersionId(counter: number, createdAt: number, random: RandomSource): Uint8Array {
  const fixed = new Uint8Array(10);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, counter);
  view.setUint16(4, Math.floor(createdAt / 2 ** 32));
  view.setUint32(6, createdAt % 2 ** 32);
  return concatBytes(PREFIX, fixed, random.bytes(RANDOM_BYTES));
}

/** Undefined for what cannot name a version. */
export function parseVersionId(id: Uint8Array): VersionId | undefined {
  if (id.byteLength < 1 || id.byteLength > MAX_ID_BYTES) return undefined;
  const text = toHex(id);
  if (id.byteLength !== ID_BYTES || !PREFIX.every((byte, index) => id[index] === byte)) {
    return { text, counter: 0, createdAt: undefined };
  }
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  return {
    text,
    counter: view.getUint32(COUNTER_OFFSET),
    createdAt: view.getUint16(TIME_OFFSET) * 2 ** 32 + view.getUint32(TIME_OFFSET + 2),
  };
}

/** Below zero when `a` is older. Foreign ids are older than all of ours and are ordered as numbers. */
export function compareVersionIds(a: VersionId, b: VersionId): number {
  if (a.counter !== b.counter) return a.counter - b.counter;
  const [left, right] = [a, b].map(({ text }) => text.replace(/^(?:00)+(?=..)/, ''));
  const [x = '', y = ''] = [left, right];
  if (x.length !== y.length) return x.length - y.length;
  return x === y ? a.text.length - b.text.length : x < y ? -1 : 1;
}
