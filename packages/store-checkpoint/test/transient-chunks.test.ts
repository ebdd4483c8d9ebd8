import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { EncryptedCheckpointStore, FileSystemObjectStore, MemoryObjectStore, PlainCheckpointStore } from '../src/index.ts';
import { pattern } from './object-stores/conformance.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const DATA = pattern(3 * 1_048_576 + 5);

describe('chunks of a loaded stream', () => {
  it.each([true, false, undefined])('are right while they last (transientChunks: %s), over files', async (transientChunks) => {
    const store = await EncryptedCheckpointStore.open({ objects: new FileSystemObjectStore(temporaryDirectory()), kms: new MemoryKms(), tenant: 'acme' });
    await store.save('a', DATA);
    const options = transientChunks === undefined ? {} : { transientChunks };
    const kept: Uint8Array[] = [];
    let offset = 0;
    for await (const chunk of store.loadStream('a', options)) {
      expect(Buffer.from(chunk).equals(DATA.subarray(offset, offset + chunk.byteLength))).toBe(true);
      offset += chunk.byteLength;
      kept.push(chunk);
    }
    expect(offset).toBe(DATA.byteLength);
    const gone = kept.filter((chunk) => chunk.byteLength === 0);
    expect(gone.length > 0).toBe(transientChunks === true);
    if (transientChunks !== true) expect(Buffer.concat(kept).equals(DATA)).toBe(true);
    expect(Buffer.from(await store.load('a', options)).equals(DATA)).toBe(true);
  });

  it('a save neither frees nor changes what the caller gave', async () => {
    for (const objects of [new FileSystemObjectStore(temporaryDirectory()), new MemoryObjectStore()]) {
      const encrypted = await EncryptedCheckpointStore.open({ objects, kms: new MemoryKms(), tenant: 'acme' });
      const plain = new PlainCheckpointStore({ objects });
      const whole = pattern(2_500_000);
      const chunks = [pattern(1_048_576), pattern(70_000), pattern(1_500_000)];
      async function* given(): AsyncGenerator<Uint8Array> {
        for (const chunk of chunks) yield await Promise.resolve(chunk);
      }
      for (const store of [encrypted, plain]) {
        await store.save('whole', whole);
        await store.save('stream', given());
        expect(Buffer.from(await store.load('stream')).equals(Buffer.concat(chunks))).toBe(true);
      }
      expect(whole.byteLength).toBe(2_500_000);
      expect(chunks.map((chunk) => chunk.byteLength)).toEqual([1_048_576, 70_000, 1_500_000]);
    }
  });
});
