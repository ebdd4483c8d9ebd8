import { KeyfoldError, type KmsClient } from '@keyfold/core';
import { MemoryKms } from '@keyfold/core/testing';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { HookedObjectStore } from '../support/hooked-object-store.ts';
import { MemoryObjectStore } from '../../src/object-stores/memory-object-store.ts';
import { flipBit, joined } from '../support/bytes.ts';
import { rejection } from '../support/expect-code.ts';
import { bytesOf, namesIn, plant } from '../support/objects.ts';
import { type Opened, openStore } from '../support/open-store.ts';

const PLAINTEXT = 'plaintext-that-nobody-may-see-0123456789';
const METADATA = 'metadata-that-nobody-may-see-0123456789';

/** Keeps copies of the keys that it gives out. */
class TappedKms extends MemoryKms {
  readonly keys: Uint8Array[] = [];
  /** The very arrays that were given out. */
  readonly given: Uint8Array[] = [];

  override async generateDataKey(options: Parameters<KmsClient['generateDataKey']>[0]): ReturnType<KmsClient['generateDataKey']> {
    const answer = await super.generateDataKey(options);
    this.#tap(answer.plaintext);
    return answer;
  }

  override async decrypt(...args: Parameters<KmsClient['decrypt']>): Promise<Uint8Array> {
    const key = await super.decrypt(...args);
    this.#tap(key);
    return key;
  }

  #tap(key: Uint8Array): void {
    this.keys.push(Uint8Array.from(key));
    this.given.push(key);
  }
}

/** Everything that a program could print of a value, one way or another. */
function printed(value: unknown): string {
  const error = value instanceof Error ? [value.message, value.stack, String(value), inspect(value.cause, { depth: 9 })] : [];
  return [JSON.stringify(value), inspect(value, { depth: 9, showHidden: true, getters: true }), ...error].join('\n');
}

function secretsOf(keys: readonly Uint8Array[]): string[] {
  const key = (bytes: Uint8Array): string[] => {
    const buffer = Buffer.from(bytes);
    return [buffer.toString('hex'), buffer.toString('base64').slice(0, 40), buffer.toString('base64url').slice(0, 40), [...buffer].slice(0, 8).join(', '), [...buffer].slice(0, 8).join(','), buffer.toString('hex').replace(/(..)(?=.)/g, '$1 ').slice(0, 40)];
  };
  const text = (value: string): string[] => [value, ...key(Buffer.from(value))];
  return [...text(PLAINTEXT), ...text(METADATA), ...keys.flatMap(key)];
}

test('no error, event, metric, receipt or printed store holds a key, plaintext or metadata', async () => {
  const objects = new HookedObjectStore(new MemoryObjectStore());
  const kms = new TappedKms();
  const opened = await openStore({ objects, kms, kmsTimeoutMs: 20, inlineLimitBytes: 200 });
  const { store, audit, metrics } = opened;
  const output: unknown[] = [];
  const data = Buffer.from(PLAINTEXT);
  const metadata = { note: METADATA };
  const fail = async (run: () => Promise<unknown>): Promise<void> => {
    output.push(await rejection(run));
  };
  const failStorage = (): void => {
    throw new KeyfoldError('STORAGE_FAILURE', 'The storage has failed for good.', { cause: new Error(PLAINTEXT) });
  };

  output.push(await store.save('a', data, { metadata }));
  output.push(await store.save('b', Buffer.concat([data, new Uint8Array(2_000)]), { metadata }));
  await store.load('a');
  await store.readMetadata('a');
  output.push(await store.rewrap('a'));
  await fail(() => store.save('a', data, { metadata }));
  await fail(() => store.save('c', PLAINTEXT as never, { metadata }));
  await fail(() => store.save('c', data, { metadata: { note: METADATA.repeat(5_000) } }));
  await fail(() => store.save('c', data, { metadata: [METADATA] as never }));
  await fail(() => store.load('a', { maxBytes: 3 }));
  await fail(() => store.load('a', { expect: { objectId: '0'.repeat(32), commitment: '0'.repeat(64), generation: 1 } }));
  objects.before = failStorage;
  await fail(() => store.save('d', data, { metadata }));
  await fail(() => store.load('a'));
  await fail(() => store.delete('a'));
  objects.before = undefined;
  for (const name of await namesIn(objects)) {
    const bytes = await bytesOf(objects, name);
    await plant(objects, name, flipBit(bytes, 8 * (bytes.byteLength - 1)));
  }
  for (const id of ['a', 'b']) {
    await fail(() => joined(store.loadStream(id)));
    await fail(() => (id === 'a' ? store.load(id) : store.load(id, { maxBytes: 5 })));
  }
  const other = await openStore({ objects, kms, tenant: 'globex' });
  await fail(() => other.store.load('b'));
  kms.fault = () => {
    throw Object.assign(new Error(PLAINTEXT), { body: PLAINTEXT, key: kms.keys });
  };
  await fail(() => store.save('e', data, { metadata }));
  kms.fault = () => new Promise(() => undefined);
  await fail(() => store.save('e', data, { metadata }));

  expect(kms.keys.length).toBeGreaterThan(3);
  const all = [...output, audit.events, metrics.measurements, store, other.store].map(printed).join('\n');
  expect(all.length).toBeGreaterThan(5_000);
  for (const secret of secretsOf(kms.keys)) expect(all.includes(secret), `found ${secret}`).toBe(false);
});

test('the keys that a KMS gives out are zeroed once they are not needed any more', async () => {
  const kms = new TappedKms();
  const { store } = await openStore({ kms });
  const zeroed = (): boolean[] => kms.given.map((key) => key.every((byte) => byte === 0));
  await store.save('a', Buffer.from(PLAINTEXT));
  expect(zeroed()).toEqual([true]);
  await store.load('a');
  expect(zeroed()).toEqual([true, false]);
  await store.close();
  expect(zeroed()).toEqual([true, true]);
});

test.each([
  ['a load', async ({ store }: Opened) => store.load('a')],
  ['a stream that is left early', async ({ store }: Opened) => {
    for await (const chunk of store.loadStream('a')) if (chunk.byteLength > 0) break;
  }],
  ['a refused receipt', async ({ store }: Opened) => rejection(store.load('a', { expect: null as never }))],
  ['a limit', async ({ store }: Opened) => rejection(store.load('a', { maxBytes: 1 }))],
  ['absent data', async ({ store, objects }: Opened) => {
    for (const name of await namesIn(objects)) if (name.endsWith('.kfc')) await objects.delete(name);
    return rejection(store.load('a'));
  }],
  ['metadata', async ({ store }: Opened) => store.readMetadata('a')],
  ['a rewrap', async ({ store }: Opened) => store.rewrap('a')],
])('no key stays on loan after %s', async (_, use) => {
  const kms = new TappedKms();
  const opened = await openStore({ kms, keyCache: { maxEntries: 0 } });
  await opened.store.save('a', new Uint8Array(2_500_000));
  await use(opened);
  expect(kms.given.length).toBeGreaterThan(1);
  expect(kms.given.every((key) => key.every((byte) => byte === 0))).toBe(true);
});
