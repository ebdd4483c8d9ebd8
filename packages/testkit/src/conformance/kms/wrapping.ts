import assert from 'node:assert/strict';
import { KEY_RECORD_LIMITS } from '@keyfold/core';
import type { WrappedKey } from '@keyfold/core/provider';
import { eachOf, sameBytes } from '../expect.ts';
import { newContext, newDek, wrapNew, type KmsGroup } from './plan.ts';

const EVERY_LENGTH = Array.from({ length: 64 }, (_, index) => index + 1);
const AT_ONCE = 50;

/** What goes in comes out, under names that a key record can hold. */
export const wrappingCases: KmsGroup = ({ reopen }) => [
  {
    id: 'wrap.round-trip',
    title: 'opens what it wrapped, for keys of 1 to 64 bytes',
    run: async ({ client }) => {
      await eachOf(EVERY_LENGTH, async (length) => {
        const { dek, context, wrapped } = await wrapNew(client, length);
        sameBytes(await client.decrypt(wrapped, { context }), dek, `a key of ${length} bytes`);
      });
    },
  },
  {
    id: 'wrap.data-key',
    title: 'makes data keys of 32 bytes, in clear and wrapped',
    run: async ({ client }) => {
      const context = newContext();
      const { plaintext, wrapped } = await client.generateDataKey({ context });
      assert.equal(plaintext.byteLength, 32, 'a data key has 32 bytes');
      sameBytes(await client.decrypt(wrapped, { context }), plaintext, 'the data key');
    },
  },
  {
    id: 'wrap.random',
    title: 'never gives the same wrap or data key twice',
    run: async ({ client }) => {
      const context = newContext();
      const dek = newDek();
      const made: string[] = [];
      await eachOf(Array.from({ length: 8 }), async () => {
        made.push(hex((await client.encrypt(dek, { context })).ciphertext));
        const { plaintext, wrapped } = await client.generateDataKey({ context });
        made.push(hex(plaintext), hex(wrapped.ciphertext));
      });
      assert.equal(new Set(made).size, made.length, 'a wrap or a data key came twice');
    },
  },
  {
    id: 'wrap.hidden',
    title: 'shows nothing of the key in its wrap',
    run: async ({ client }) => {
      const { dek, wrapped } = await wrapNew(client, 64);
      const { plaintext, wrapped: generated } = await client.generateDataKey({ context: newContext() });
      for (const [key, wrap] of [[dek, wrapped], [plaintext, generated]] as const) {
        for (let at = 0; at + 8 <= key.byteLength; at++) {
          assert.ok(!Buffer.from(wrap.ciphertext).includes(Buffer.from(key.subarray(at, at + 8))), 'eight bytes of the key stand in its wrap');
        }
      }
    },
  },
  {
    id: 'wrap.names',
    title: 'wraps under its own provider and key id, within the limits of a key record',
    run: async ({ client }) => {
      const { wrapped } = await wrapNew(client);
      const generated = await client.generateDataKey({ context: newContext() });
      for (const wrap of [wrapped, generated.wrapped]) {
        assert.equal(wrap.provider, client.provider, 'the wrap names another provider');
        assert.equal(wrap.keyId, client.keyId, 'the wrap names another key');
        requireRecordable(wrap);
      }
      assert.equal(generated.wrapped.algorithm, wrapped.algorithm, 'one client, one way to wrap');
    },
  },
  {
    id: 'wrap.order-of-context',
    title: 'opens under the same context with its members in another order',
    run: async ({ client }) => {
      const { dek, context, wrapped } = await wrapNew(client);
      const reversed = Object.fromEntries(Object.entries(context).reverse());
      sameBytes(await client.decrypt(wrapped, { context: reversed }), dek, 'the key');
    },
  },
  {
    id: 'wrap.at-once',
    title: `does ${AT_ONCE} things at once and mixes none up`,
    run: async ({ client }) => {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, index) => {
          const context = newContext();
          const made = index % 2 === 0 ? await wrapNew(client) : { ...(await client.generateDataKey({ context })), context };
          const dek = 'dek' in made ? made.dek : made.plaintext;
          sameBytes(await client.decrypt(made.wrapped, { context: made.context }), dek, `key ${index} of ${AT_ONCE}`);
        }),
      );
    },
  },
  ...(reopen === undefined
    ? []
    : [
        {
          id: 'wrap.reopen',
          title: 'opens what another client of the same key wrapped',
          run: async (subject: Parameters<typeof reopen>[0]) => {
            const again = await reopen(subject);
            try {
              const { dek, context, wrapped } = await wrapNew(subject.client);
              sameBytes(await again.decrypt(wrapped, { context }), dek, 'the key');
            } finally {
              await again.close();
            }
          },
        },
      ]),
];

/** Key records say how long names may be and of which characters; what does not fit cannot be stored. */
function requireRecordable(wrap: WrappedKey): void {
  const { providerBytes, keyIdBytes, keyVersionBytes, algorithmBytes, wrappedBytes } = KEY_RECORD_LIMITS;
  assert.match(wrap.provider, /^[a-z0-9-]+$/, 'a provider is named by a-z, 0-9 and "-"');
  for (const [name, text, min, max] of [
    ['provider', wrap.provider, 1, providerBytes],
    ['keyId', wrap.keyId, 1, keyIdBytes],
    ['keyVersion', wrap.keyVersion, 0, keyVersionBytes],
    ['algorithm', wrap.algorithm, 1, algorithmBytes],
  ] as const) {
    assert.match(text, /^[\x20-\x7e]*$/, `${name} has to be printable ASCII`);
    assert.ok(text.length >= min && text.length <= max, `${name} has ${text.length} characters instead of ${min} to ${max}`);
  }
  const { byteLength } = wrap.ciphertext;
  assert.ok(byteLength >= 1 && byteLength <= wrappedBytes, `a wrap has ${byteLength} bytes instead of 1 to ${wrappedBytes}`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
