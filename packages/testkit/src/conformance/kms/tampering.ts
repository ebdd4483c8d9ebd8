import type { EncryptionContext, WrappedKey } from '@keyfold/core/provider';
import { eachOf, flipped, refusal } from '../expect.ts';
import { wrapNew, type KmsGroup } from './plan.ts';

const EXTENSIONS = [1, 2, 16, 64] as const;

/** Whatever is not the wrap that was made, under the context it was made for, does not open. */
export const tamperingCases: KmsGroup = () => [
  {
    id: 'tamper.flip',
    title: 'refuses a wrap with any byte changed',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await eachOf(wrapped.ciphertext.keys(), (at) =>
        refused(client.decrypt(changed(wrapped, flipped(wrapped.ciphertext, at)), { context }), `a wrap with byte ${at} changed`),
      );
    },
  },
  {
    id: 'tamper.truncate',
    title: 'refuses a wrap cut at any length',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await eachOf(wrapped.ciphertext.keys(), (length) =>
        refused(client.decrypt(changed(wrapped, wrapped.ciphertext.slice(0, length)), { context }), `a wrap cut to ${length} bytes`),
      );
    },
  },
  {
    id: 'tamper.extend',
    title: 'refuses a wrap with bytes added before or behind',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await eachOf(EXTENSIONS, async (length) => {
        const added = new Uint8Array(length);
        for (const parts of [[wrapped.ciphertext, added], [added, wrapped.ciphertext]]) {
          const ciphertext = Uint8Array.from(Buffer.concat(parts));
          await refused(client.decrypt(changed(wrapped, ciphertext), { context }), `a wrap with ${length} bytes added`);
        }
      });
    },
  },
  {
    id: 'tamper.algorithm',
    title: 'refuses a wrap that says it was made in another way',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await refused(client.decrypt({ ...wrapped, algorithm: 'keyfold-conformance-no-such' }, { context }), 'a wrap of an unknown algorithm');
    },
  },
  {
    id: 'tamper.other-key',
    title: 'refuses what another key wrapped, though it names this one',
    run: async ({ client, other }) => {
      const { wrapped: own } = await wrapNew(client);
      const { context, wrapped } = await wrapNew(other);
      await refused(client.decrypt({ ...own, ciphertext: wrapped.ciphertext }, { context }), 'a wrap of another key');
    },
  },
  {
    id: 'context.changed',
    title: 'refuses a wrap under a context with any member changed',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await eachOf(Object.entries(context), async ([name, value]) => {
        await refused(client.decrypt(wrapped, { context: { ...context, [name]: `${value}x` } }), `a context with another "${name}"`);
      });
    },
  },
  {
    id: 'context.removed',
    title: 'refuses a wrap under a context with any member left out',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      await eachOf(Object.keys(context), async (name) => {
        const rest = Object.fromEntries(Object.entries(context).filter(([each]) => each !== name));
        await refused(client.decrypt(wrapped, { context: rest }), `a context without "${name}"`);
      });
    },
  },
  {
    id: 'context.added',
    title: 'refuses a wrap under a context with a member added',
    run: async ({ client }) => {
      const { context, wrapped } = await wrapNew(client);
      for (const name of ['zone', 'a']) {
        await refused(client.decrypt(wrapped, { context: { ...context, [name]: 'x' } }), `a context with "${name}" added`);
      }
    },
  },
  {
    id: 'context.alike',
    title: 'keeps contexts apart that look alike',
    run: async ({ client }) => {
      const { dek, context: base } = await wrapNew(client);
      await eachOf(ALIKE, async ([one, two]) => {
        const wrapped = await client.encrypt(dek, { context: { ...base, ...one } });
        await client.decrypt(wrapped, { context: { ...base, ...one } });
        await refused(client.decrypt(wrapped, { context: { ...base, ...two } }), `a context with ${JSON.stringify(two)} for ${JSON.stringify(one)}`);
      });
    },
  },
];

/** Pairs that a careless encoding, a comparison of strings or a transport takes for the same. */
const ALIKE: readonly (readonly [EncryptionContext, EncryptionContext])[] = [
  [{ tenant: 'ab', scope: 'c' }, { tenant: 'a', scope: 'bc' }],
  [{ tenant: 'a', scope: 'b' }, { tenant: 'b', scope: 'a' }],
  [{ tenant: 'acme' }, { tenant: 'Acme' }],
  [{ tenant: 'acme' }, { tenant: 'acme ' }],
  [{ tenant: 'caf\u00e9' }, { tenant: 'cafe\u0301' }],
  [{ tenant: 'a","scope":"b' }, { tenant: 'a', scope: 'b' }],
  [{ tenant: 'a&scope=b' }, { tenant: 'a', scope: 'b' }],
  [{ tenant: '\u{1f512}' }, { tenant: '\u{1f513}' }],
];

function changed(wrapped: WrappedKey, ciphertext: Uint8Array): WrappedKey {
  return { ...wrapped, ciphertext };
}

/** Damage and a wrong context are one and the same to whoever asks. */
function refused(work: Promise<unknown>, what: string): Promise<unknown> {
  return refusal('INVALID_CIPHERTEXT', work, what);
}
