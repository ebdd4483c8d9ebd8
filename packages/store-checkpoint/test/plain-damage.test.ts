import { expect, test } from 'vitest';
import { MemoryObjectStore } from '../src/object-stores/memory-object-store.ts';
import { PlainCheckpointStore } from '../src/plain/plain-checkpoint-store.ts';
import { joined, patterned } from './support/bytes.ts';
import { expectCode } from './support/expect-code.ts';
import { HookedObjectStore } from './support/hooked-object-store.ts';
import { bytesOf, plant } from './support/objects.ts';

test('a plain checkpoint is a line of metadata and the data as they are', async () => {
  const objects = new MemoryObjectStore();
  const store = new PlainCheckpointStore({ objects });
  const receipt = await store.save('Job/1', Buffer.from('one\ntwo\n'), { metadata: { text: 'a\nb' } });
  expect(Buffer.from(await bytesOf(objects, '%4aob/1.kfp')).toString()).toBe('{"text":"a\\nb"}\none\ntwo\n');
  expect(receipt).toEqual({ size: 8 });
  expect(Buffer.from(await store.load('Job/1')).toString()).toBe('one\ntwo\n');
});

test.each([
  ['empty', ''],
  ['without a line feed', '{"a":1}'],
  ['whose first line is no JSON', 'hello\nworld'],
  ['whose first line is an array', '[]\nx'],
  ['whose first line is null', 'null\nx'],
  ['whose first line is text', '"a"\nx'],
  ['whose first line is empty', '\nx'],
])('metadata of an object %s are INTEGRITY_FAILURE', async (_, text) => {
  const objects = new MemoryObjectStore();
  const store = new PlainCheckpointStore({ objects });
  await objects.put('a.kfp', Buffer.from(text));
  await expectCode(store.readMetadata('a'), 'INTEGRITY_FAILURE', /backup/);
});

test('metadata that are no UTF-8, or longer than metadata may be, are INTEGRITY_FAILURE', async () => {
  const objects = new MemoryObjectStore();
  const store = new PlainCheckpointStore({ objects });
  for (const line of [Buffer.from([0x7b, 0xff, 0x7d]), Buffer.from('{}'.padEnd(65_417)), Buffer.from('{}'.padEnd(3_000_000))]) {
    await plant(objects, 'a.kfp', new Uint8Array(Buffer.concat([line, Buffer.from('\n')])));
    await expectCode(store.readMetadata('a'), 'INTEGRITY_FAILURE');
  }
  for (const text of ['', '{}']) {
    await plant(objects, 'a.kfp', Buffer.from(text));
    await expectCode(store.load('a'), 'INTEGRITY_FAILURE');
  }
});

test('an object store may give its chunks as small as it likes', async () => {
  const bytes = patterned(50);
  const objects = new HookedObjectStore(new MemoryObjectStore());
  const store = new PlainCheckpointStore({ objects });
  await store.save('a', bytes, { metadata: { job: 'j' } });
  const open = objects.open.bind(objects);
  objects.open = async (...args) => {
    const object = await open(...args);
    if (object === undefined) return undefined;
    const single = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of object.body) for (const byte of chunk) yield Uint8Array.of(byte);
    };
    return { ...object, body: single() };
  };
  expect(await joined(store.loadStream('a'))).toEqual(bytes);
  expect(await store.readMetadata('a')).toEqual({ job: 'j' });
});
