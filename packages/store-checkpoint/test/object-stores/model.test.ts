import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { bytes, chunksOf, codeOf, collect, namesOf } from './conformance.ts';
import { laterStore, temporaryRoot } from './temporary-root.ts';

const NAMES = ['a', 'a-b', 'a.b', 'b/a', 'b/c/d', 'b0', '%41/_'] as const;

type Operation =
  | { readonly kind: 'put' | 'create' | 'put-stream'; readonly name: string; readonly content: string }
  /** `stale` names a state of the object's past, when it has one. */
  | { readonly kind: 'replace'; readonly name: string; readonly content: string; readonly stale: boolean }
  | { readonly kind: 'delete-if'; readonly name: string; readonly stale: boolean }
  | { readonly kind: 'delete' | 'read'; readonly name: string }
  | { readonly kind: 'list'; readonly prefix: string }
  | { readonly kind: 'sweep' | 'restart' };

const name = fc.constantFrom(...NAMES);
// 32 bytes are as long as a tombstone.
const content = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('', 'x'.repeat(32)));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('put', 'create', 'put-stream'), name, content }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('replace'), name, content, stale: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete-if'), name, stale: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('delete', 'read'), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('list'), prefix: fc.constantFrom('', 'a', 'b', 'b/', 'b/c', '%') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('sweep', 'restart') }) },
);

it('any sequence of operations does what a map would do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const { root, cleanup } = await temporaryRoot();
      try {
        await runAgainstModel(root, operations);
      } finally {
        await cleanup();
      }
    }),
    { numRuns: 60 },
  );
});

async function runAgainstModel(root: string, operations: readonly Operation[]): Promise<void> {
  let store = new FileSystemObjectStore(root);
  const model = new Map<string, string>();
  const etags = new Map<string, string>();
  const past = new Map<string, string>();

  const wrote = async (key: string, value: string | undefined): Promise<void> => {
    const before = etags.get(key);
    if (before !== undefined) past.set(key, before);
    etags.delete(key);
    if (value === undefined) {
      model.delete(key);
    } else {
      model.set(key, value);
      const read = await store.read(key, { maxBytes: 1_000 });
      etags.set(key, read?.etag ?? 'missing');
    }
  };
  const etagFor = (key: string, stale: boolean): string => (stale ? past : etags).get(key) ?? 'no such state';

  for (const step of operations) {
    switch (step.kind) {
      case 'put':
      case 'put-stream': {
        const body = step.kind === 'put' ? bytes(step.content) : chunksOf(bytes(step.content), 7);
        expect(await store.put(step.name, body)).toEqual({ size: bytes(step.content).byteLength });
        await wrote(step.name, step.content);
        break;
      }
      case 'create': {
        const code = await codeOf(store.put(step.name, bytes(step.content), { ifNoneMatch: '*' }));
        expect(code).toBe(model.has(step.name) ? 'ALREADY_EXISTS' : 'OK');
        if (code === 'OK') await wrote(step.name, step.content);
        break;
      }
      case 'replace': {
        const ifMatch = etagFor(step.name, step.stale);
        // A state is its content: what came back to it is in it again.
        const allowed = ifMatch === etags.get(step.name) && model.get(step.name) !== step.content;
        const code = await codeOf(store.put(step.name, bytes(step.content), { ifMatch }));
        expect(code).toBe(allowed ? 'OK' : 'CONFLICT');
        if (allowed) await wrote(step.name, step.content);
        break;
      }
      case 'delete-if': {
        const ifMatch = etagFor(step.name, step.stale);
        const allowed = ifMatch === etags.get(step.name);
        expect(await codeOf(store.delete(step.name, { ifMatch }))).toBe(allowed ? 'OK' : 'CONFLICT');
        if (allowed) await wrote(step.name, undefined);
        break;
      }
      case 'delete':
        expect(await store.delete(step.name)).toBe(model.has(step.name));
        await wrote(step.name, undefined);
        break;
      case 'read':
        break;
      case 'list':
        expect(await namesOf(store, step.prefix)).toEqual(
          [...model.keys()].filter((key) => key.startsWith(step.prefix)).sort(),
        );
        break;
      case 'sweep':
        await laterStore(root).sweep({ olderThanMs: 0 });
        break;
      case 'restart':
        store = new FileSystemObjectStore(root);
        break;
    }
    if ('name' in step) await expectSame(store, step.name, model.get(step.name));
  }
  for (const key of NAMES) await expectSame(store, key, model.get(key));
  expect(await namesOf(store)).toEqual([...model.keys()].sort());
}

async function expectSame(store: FileSystemObjectStore, key: string, expected: string | undefined): Promise<void> {
  const read = await store.read(key, { maxBytes: 1_000 });
  expect(read && new TextDecoder().decode(read.bytes)).toBe(expected);
  const opened = await store.open(key);
  expect(opened && (await collect(opened.body)).toString()).toBe(expected);
  expect((await store.head(key))?.size).toBe(expected === undefined ? undefined : bytes(expected).byteLength);
}
