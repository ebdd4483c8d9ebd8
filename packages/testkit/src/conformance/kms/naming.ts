import assert from 'node:assert/strict';
import type { KmsClient, WrappedKey } from '@keyfold/core/provider';
import { rejection, refusal } from '../expect.ts';
import { newContext, newDek, wrapNew, type KmsGroup } from './plan.ts';

/** Wraps that were made elsewhere, and arguments that nobody may pass. */
export const namingCases: KmsGroup = ({ capabilities, calls }) => [
  {
    id: 'name.declared',
    title: 'declares what it was said to be able to do, and names itself',
    run: ({ client, other }) => {
      assert.deepEqual({ ...client.capabilities }, { ...capabilities }, 'the client declares other capabilities');
      assert.equal(client.provider, other.provider, 'both keys are of one provider');
      assert.notEqual(client.keyId, other.keyId, 'two keys have two ids');
      return Promise.resolve();
    },
  },
  {
    id: 'name.foreign',
    title: 'finds no key for wraps of another provider or key',
    run: async ({ client, other }) => {
      for (const { what, wrapped } of await foreign(client, other)) {
        await refusal('KEY_NOT_FOUND', client.decrypt(wrapped, { context: newContext() }), what);
      }
    },
  },
  {
    id: 'name.arguments',
    title: 'refuses keys to wrap that have not 1 to 64 bytes, and contexts that are none',
    run: async ({ client }) => {
      await refuseArguments(client);
    },
  },
  ...(calls === undefined
    ? []
    : [
        {
          id: 'name.foreign-unsent',
          title: 'sends no wrap of another provider or key to the service',
          run: async (subject: Parameters<typeof calls>[0]) => {
            const wraps = await foreign(subject.client, subject.other);
            const before = calls(subject);
            for (const { what, wrapped } of wraps) await rejection(subject.client.decrypt(wrapped, { context: newContext() }), what);
            assert.equal(calls(subject), before, 'a foreign wrap was sent to the service');
            await subject.client.encrypt(newDek(), { context: newContext() });
            assert.ok(calls(subject) > before, 'the counter of calls does not count');
          },
        },
        {
          id: 'name.arguments-unsent',
          title: 'sends no key of a wrong length and no impossible context to the service',
          run: async (subject: Parameters<typeof calls>[0]) => {
            const before = calls(subject);
            await refuseArguments(subject.client, true);
            assert.equal(calls(subject), before, 'an argument that nobody may pass was sent to the service');
          },
        },
      ]),
];

async function foreign(client: KmsClient, other: KmsClient): Promise<{ what: string; wrapped: WrappedKey }[]> {
  const { wrapped: own } = await wrapNew(client);
  const { wrapped: others } = await wrapNew(other);
  return [
    { what: 'a wrap of another key', wrapped: others },
    { what: 'a wrap that names another key', wrapped: { ...own, keyId: other.keyId } },
    { what: 'a wrap whose key id has one character more', wrapped: { ...own, keyId: `${own.keyId}0` } },
    { what: 'a wrap of another provider', wrapped: { ...own, provider: 'keyfold-conformance' } },
  ];
}

/** @param anyhow whatever the refusal is called; another case looks at that */
async function refuseArguments(client: KmsClient, anyhow = false): Promise<void> {
  const context = newContext();
  const bad: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a key of no bytes', () => client.encrypt(new Uint8Array(0), { context })],
    ['a key of 65 bytes', () => client.encrypt(newDek(65), { context })],
    ['an empty context', () => client.encrypt(newDek(), { context: {} })],
    ['an empty context for a data key', () => client.generateDataKey({ context: {} })],
    ['a context with an impossible name', () => client.encrypt(newDek(), { context: { 'No Such Name': 'x' } })],
    ['a context that is no Unicode', () => client.encrypt(newDek(), { context: { tenant: '\ud800' } })],
    ['a context that is too long', () => client.encrypt(newDek(), { context: { tenant: 'x'.repeat(5_000) } })],
  ];
  for (const [what, work] of bad) await (anyhow ? rejection(work, what) : refusal('INVALID_ARGUMENT', work, what));
}
