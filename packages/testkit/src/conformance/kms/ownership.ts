import assert from 'node:assert/strict';
import type { KmsClient, WrappedKey } from '@keyfold/core/provider';
import { sameBytes } from '../expect.ts';
import { newContext, newDek, wrapNew, type KmsGroup } from './plan.ts';

/** Who owns which array: keys are zeroed by their owners, so an array that two own is lost. */
export const ownershipCases: KmsGroup = () => [
  {
    id: 'own.copies',
    title: 'gives keys that are the caller’s to change and to zero',
    run: async ({ client }) => {
      const { dek, context, wrapped } = await wrapNew(client);
      const first = await client.decrypt(wrapped, { context });
      const second = await client.decrypt(wrapped, { context });
      const generated = await client.generateDataKey({ context });
      const kept = Uint8Array.from(generated.plaintext);
      first.fill(0);
      generated.plaintext.fill(0);
      sameBytes(second, dek, 'a key after another copy of it was zeroed');
      sameBytes(await client.decrypt(wrapped, { context }), dek, 'a key after a former copy of it was zeroed');
      sameBytes(await client.decrypt(generated.wrapped, { context }), kept, 'a data key after its first copy was zeroed');
    },
  },
  {
    id: 'own.memory',
    title: 'gives keys in memory that holds nothing else',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      const { plaintext } = await client.generateDataKey({ context });
      const keys = [await client.decrypt(wrapped, { context }), await client.decrypt(wrapped, { context }), plaintext];
      for (const key of keys) {
        assert.equal(key.buffer.byteLength, key.byteLength, 'a key lies in a larger ArrayBuffer, beside whatever else is in it');
      }
      assert.equal(new Set(keys.map(({ buffer }) => buffer)).size, keys.length, 'two keys share an ArrayBuffer');
    },
  },
  {
    id: 'own.arguments',
    title: 'changes no array that it is given',
    run: async ({ client }) => {
      const dek = newDek();
      const before = Uint8Array.from(dek);
      const context = newContext();
      const wrapped = await client.encrypt(dek, { context });
      sameBytes(dek, before, 'the key that was wrapped');
      const wrap = Uint8Array.from(wrapped.ciphertext);
      await client.decrypt(wrapped, { context });
      sameBytes(wrapped.ciphertext, wrap, 'the wrap that was opened');
      sameBytes(await client.decrypt({ ...wrapped, ciphertext: Buffer.from(wrap) }, { context }), before, 'the key from a Buffer');
    },
  },
  {
    id: 'own.at-once',
    title: 'has read every array when the call returns its promise',
    run: async ({ client }) => {
      const context = newContext();
      const dek = newDek();
      const original = Uint8Array.from(dek);
      const wrapping = client.encrypt(dek, { context });
      dek.fill(0);
      const wrapped = await wrapping;
      sameBytes(await client.decrypt(wrapped, { context }), original, 'a key that was zeroed as soon as encrypt() had been called');
      sameBytes(await decryptAndZero(client, wrapped, { context }), original, 'a wrap that was zeroed as soon as decrypt() had been called');
    },
  },
];

async function decryptAndZero(client: KmsClient, wrapped: WrappedKey, options: Parameters<KmsClient['decrypt']>[1]): Promise<Uint8Array> {
  const ciphertext = Uint8Array.from(wrapped.ciphertext);
  const opening = client.decrypt({ ...wrapped, ciphertext }, options);
  ciphertext.fill(0);
  return opening;
}
