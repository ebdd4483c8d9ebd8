import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isKeyfoldError } from '@keyfold/core/provider';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import { newTombstone } from '../../src/object-stores/file-system/tombstone.ts';
import {
  bytes,
  chunksOf,
  codeOf,
  collect,
  etagOf,
  namesOf,
  objectStoreConformance,
  pattern,
  textOf,
} from './conformance.ts';
import { everythingIn, hookedStore, laterStore, temporaryRoot } from './temporary-root.ts';

const MIB = 1_048_576;

objectStoreConformance('FileSystemObjectStore', async () => {
  const { root, cleanup } = await temporaryRoot();
  return { store: new FileSystemObjectStore(root), cleanup };
});

describe('FileSystemObjectStore', () => {
  let root: string;
  let cleanup: () => Promise<void>;
  let store: FileSystemObjectStore;

  beforeEach(async () => {
    ({ root, cleanup } = await temporaryRoot());
    store = new FileSystemObjectStore(root);
  });
  afterEach(() => cleanup());

  async function messageOf(promise: Promise<unknown>): Promise<string> {
    try {
      await promise;
    } catch (error) {
      if (isKeyfoldError(error)) return `${error.code}: ${error.message}`;
    }
    throw new Error('a Keyfold error was expected');
  }

  it('reads into the memory that it is given', async () => {
    await store.put('x', pattern(3 * MIB));
    const given: Uint8Array[] = [];
    const memory = (length: number): Uint8Array => {
      given.push(new Uint8Array(length));
      return given.at(-1) ?? new Uint8Array(0);
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await store.open('x', { memory }))?.body ?? []) chunks.push(chunk);
    expect(chunks).toHaveLength(3);
    expect(chunks.every((chunk, index) => chunk === given[index])).toBe(true);
  });

  it('leaves no file of what was prepared and discarded, refused or aborted', async () => {
    await store.put('x', bytes('one'));
    const before = await everythingIn(root);
    const discarded = await store.prepare('y', bytes('two'));
    expect(await everythingIn(root)).toHaveLength(before.length + 1);
    await discarded.discard();
    const controller = new AbortController();
    const aborted = await store.prepare('y', bytes('two'), { signal: controller.signal });
    controller.abort();
    expect(await codeOf(aborted.publish())).toBe('ABORTED');
    expect(await codeOf(store.prepare('x', bytes('two'), { ifNoneMatch: '*' }))).toBe('ALREADY_EXISTS');
    expect(await everythingIn(root)).toEqual(before);
  });

  function openDescriptors(): number {
    return fs.readdirSync('/proc/self/fd').length;
  }

  describe('root and modes', () => {
    it('touches no disk until it is used, and creates nothing to read', async () => {
      expect(fs.existsSync(root)).toBe(false);
      await store.read('a/b', { maxBytes: 1 });
      await store.open('a/b');
      await store.head('a/b');
      await store.delete('a/b');
      await namesOf(store);
      await store.sweep();
      await codeOf(store.put('a/b', bytes('x'), { ifMatch: 'x' }));
      expect(fs.existsSync(root)).toBe(false);
    });

    it('creates root and directories with mode 0700 and files with 0600', async () => {
      await store.put('a/b/c', bytes('x'));
      await store.put('a/b/d', bytes('x'), { ifNoneMatch: '*' });
      await store.put('a/b/d', bytes('y'), { ifMatch: await etagOf(store, 'a/b/d') });
      for (const directory of ['', 'a', 'a/b']) expect((await stat(join(root, directory))).mode & 0o777).toBe(0o700);
      for (const file of ['a/b/c', 'a/b/d']) expect((await stat(join(root, file))).mode & 0o777).toBe(0o600);
    });

    it('does not build what is above its root', async () => {
      const lost = new FileSystemObjectStore(join(root, 'typo', 'store'));
      expect(await messageOf(lost.put('x', bytes('x')))).toMatch(/STORAGE_FAILURE: .*typo does not exist/);
      expect(fs.existsSync(root)).toBe(false);
    });

    it('says so when its root is a file', async () => {
      await writeFile(root, 'not a directory');
      for (const call of [() => store.put('x', bytes('x')), () => store.read('x', { maxBytes: 1 }), () => namesOf(store), () => store.sweep()]) {
        expect(await messageOf(call())).toMatch(/STORAGE_FAILURE: .*root is a file, not a directory/);
      }
    });

    it('says so when its root is a link to nowhere', async () => {
      await symlink(join(root, '..', 'nowhere'), root);
      expect(await messageOf(store.put('x', bytes('x')))).toMatch(/STORAGE_FAILURE: .*leads nowhere/);
    });

    it('takes a root that is a link to a directory', async () => {
      await mkdir(`${root}-target`);
      await symlink(`${root}-target`, root);
      await store.put('x', bytes('there'));
      expect(await readFile(`${root}-target/x`, 'utf8')).toBe('there');
    });

    it.each(['', 'a\0b', 7 as unknown as string])('refuses %j as a root', (bad) => {
      expect(() => new FileSystemObjectStore(bad)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    });

    it('writes on when somebody removed its empty directories', async () => {
      await store.put('a/b', bytes('one'));
      await rm(join(root, 'a'), { recursive: true });
      await store.put('a/b', bytes('two'));
      expect(await textOf(store, 'a/b')).toBe('two');
      await rm(root, { recursive: true });
      await store.put('a/b', chunksOf(bytes('three'), 1), { ifNoneMatch: '*' });
      expect(await textOf(store, 'a/b')).toBe('three');
    });
  });

  describe('what is not its own', () => {
    it('follows no link in the place of a directory', async () => {
      await mkdir(join(root, '..', 'elsewhere'));
      await writeFile(join(root, '..', 'elsewhere', 'secret'), 'secret');
      await mkdir(root);
      await symlink(join(root, '..', 'elsewhere'), join(root, 'link'));
      for (const call of [
        () => store.put('link/x', bytes('x')),
        () => store.put('link/x', bytes('x'), { ifNoneMatch: '*' }),
        () => store.put('link/secret', bytes('x'), { ifMatch: 'x' }),
        () => store.read('link/secret', { maxBytes: 10 }),
        () => store.open('link/secret'),
        () => store.head('link/secret'),
        () => store.delete('link/secret'),
        () => store.delete('link/secret', { ifMatch: 'x' }),
        () => namesOf(store, 'link/'),
      ]) {
        expect(await messageOf(call())).toMatch(/STORAGE_FAILURE: .*link is a symbolic link/);
      }
      expect(await namesOf(store)).toEqual([]);
      expect(await store.sweep()).toEqual({ temporaries: 0, claims: 0, tombstones: 0 });
      expect(await readdir(join(root, '..', 'elsewhere'))).toEqual(['secret']);
    });

    it('follows no link in the place of a file', async () => {
      await writeFile(join(root, '..', 'secret'), 'secret');
      await mkdir(root);
      await symlink(join(root, '..', 'secret'), join(root, 'link'));
      for (const call of [
        () => store.put('link', bytes('x')),
        () => store.put('link', bytes('x'), { ifNoneMatch: '*' }),
        () => store.put('link', bytes('x'), { ifMatch: 'x' }),
        () => store.read('link', { maxBytes: 10 }),
        () => store.open('link'),
        () => store.head('link'),
        () => store.delete('link'),
        () => store.delete('link', { ifMatch: 'x' }),
      ]) {
        expect(await messageOf(call())).toMatch(/STORAGE_FAILURE: .*symbolic link/);
      }
      expect(await namesOf(store)).toEqual([]);
      expect(await readFile(join(root, '..', 'secret'), 'utf8')).toBe('secret');
      expect(await everythingIn(root)).toEqual(['link']);
    });

    it('names the file that stands where a directory should', async () => {
      await store.put('a', bytes('x'));
      for (const call of [() => store.put('a/b', bytes('x')), () => store.read('a/b', { maxBytes: 1 }), () => namesOf(store, 'a/b')]) {
        expect(await messageOf(call())).toMatch(/STORAGE_FAILURE: .*root\/a is a file, not a directory/);
      }
    });

    it('names the directory that stands where a file should', async () => {
      await store.put('a/b', bytes('x'));
      for (const call of [
        () => store.put('a', bytes('x')),
        () => store.put('a', bytes('x'), { ifNoneMatch: '*' }),
        () => store.read('a', { maxBytes: 1 }),
        () => store.open('a'),
        () => store.head('a'),
        () => store.delete('a'),
      ]) {
        expect(await messageOf(call())).toMatch(/STORAGE_FAILURE: .*is no file but a directory/);
      }
      expect(await everythingIn(root)).toEqual(['a', 'a/b']);
    });

    it('does not wait at a pipe', async () => {
      await mkdir(root);
      execFileSync('mkfifo', [join(root, 'pipe')]);
      expect(await messageOf(store.read('pipe', { maxBytes: 1 }))).toMatch(/STORAGE_FAILURE: .*device, pipe or socket/);
      expect(await namesOf(store)).toEqual([]);
    });

    it('lists no foreign names', async () => {
      await store.put('a', bytes('x'));
      for (const name of ['README', 'ä', 'with space', 'x'.repeat(201), '~', 'a.~backup']) {
        await writeFile(join(root, name), 'foreign');
      }
      await mkdir(join(root, 'UPPER'));
      await writeFile(join(root, 'UPPER', 'a'), 'foreign');
      expect(await namesOf(store)).toEqual(['a']);
      expect(await laterStore(root).sweep({ olderThanMs: 0 })).toEqual({ temporaries: 0, claims: 0, tombstones: 0 });
      expect(await everythingIn(root)).toHaveLength(9);
    });

    it('refuses a part of a name that is too long for a file', async () => {
      const name = `a/${'x'.repeat(201)}`;
      expect(await messageOf(store.put(name, bytes('x')))).toMatch(/INVALID_ARGUMENT: .*200/);
      expect(await codeOf(store.read(name, { maxBytes: 1 }))).toBe('INVALID_ARGUMENT');
    });

    it('refuses a path that is too long for the system', async () => {
      const deep = join(root, ...Array.from({ length: 8 }, () => 'z'.repeat(150)));
      await mkdir(deep, { recursive: true });
      const long = `${'y'.repeat(190)}/`.repeat(16).slice(0, -1);
      expect(await messageOf(new FileSystemObjectStore(deep).put(long, bytes('x')))).toMatch(
        /INVALID_ARGUMENT: .*too long/,
      );
    });
  });

  describe('contents', () => {
    it('has the hash of the content as etag', async () => {
      await store.put('x', bytes('abc'));
      expect(await etagOf(store, 'x')).toBe('ba7816bf8f01cfea414140de5dae2223');
    });

    it('refuses to replace a content by itself', async () => {
      await store.put('x', bytes('one'));
      const ifMatch = await etagOf(store, 'x');
      expect(await messageOf(store.put('x', bytes('one'), { ifMatch }))).toMatch(/CONFLICT: .*already has/);
    });

    it('replaces objects larger than a chunk', async () => {
      await store.put('x', pattern(2 * MIB + 3));
      await store.put('x', pattern(3 * MIB), { ifMatch: await etagOf(store, 'x') });
      expect((await store.head('x'))?.size).toBe(3 * MIB);
    });

    it('yields chunks that end where mebibytes do', async () => {
      await store.put('x', pattern(3 * MIB + 5));
      const opened = await store.open('x', { range: { start: 10, end: 3 * MIB + 1 } });
      const sizes: number[] = [];
      for await (const chunk of opened?.body ?? []) sizes.push(chunk.byteLength);
      expect(sizes).toEqual([MIB - 10, MIB, MIB, 1]);
    });

    it('fails rather than ends early when a file shrinks while it is read', async () => {
      await store.put('x', pattern(4 * MIB));
      const opened = await store.open('x');
      await truncate(join(root, 'x'), MIB + 1);
      expect(await messageOf(collect(opened?.body ?? ([] as never)))).toMatch(/STORAGE_FAILURE: .*became shorter/);
    });

    it('refuses a body that would count as deleted', async () => {
      expect(await codeOf(store.put('x', newTombstone()))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(store.put('x', chunksOf(newTombstone(), 5), { ifNoneMatch: '*' }))).toBe('INVALID_ARGUMENT');
      expect(await everythingIn(root)).toEqual([]);
    });

    it('keeps objects as long as a tombstone apart from one', async () => {
      const content = pattern(32);
      await store.put('x', content);
      expect(await namesOf(store)).toEqual(['x']);
      expect((await store.head('x'))?.size).toBe(32);
      expect((await laterStore(root).sweep({ olderThanMs: 0 })).tombstones).toBe(0);
      expect(await store.delete('x', { ifMatch: await etagOf(store, 'x') })).toBe(true);
    });

    it('leaks no descriptor, however an open object ends', async () => {
      await store.put('x', pattern(3 * MIB));
      await store.put('dead', bytes('x'));
      await writeFile(join(root, 'dead'), newTombstone());
      const before = openDescriptors();
      for (let round = 0; round < 5; round += 1) {
        await (await store.open('x'))?.cancel();
        await collect((await store.open('x'))?.body ?? ([] as never));
        for await (const chunk of (await store.open('x'))?.body ?? []) {
          expect(chunk.byteLength).toBe(MIB);
          break;
        }
        const unstarted = (await store.open('x'))?.body[Symbol.asyncIterator]();
        await unstarted?.return?.();
        const cancelled = await store.open('x');
        const iterator = cancelled?.body[Symbol.asyncIterator]();
        await iterator?.next();
        await cancelled?.cancel();
        await codeOf(store.open('x', { range: { start: 1, end: 99 * MIB } }));
        await codeOf(store.read('x', { maxBytes: 1 }));
        await store.open('dead');
      }
      expect(openDescriptors()).toBe(before);
    });

    it('cancels while a chunk is on its way', async () => {
      await store.put('x', pattern(3 * MIB));
      const opened = await store.open('x');
      const iterator = opened?.body[Symbol.asyncIterator]();
      const next = codeOf(Promise.resolve(iterator?.next()));
      await opened?.cancel();
      expect(['OK', 'ABORTED']).toContain(await next);
      expect(await codeOf(Promise.resolve(iterator?.next()))).toBe('ABORTED');
    });
  });

  describe('tidiness', () => {
    it('leaves nothing but objects after creating, replacing and deleting', async () => {
      await store.put('d/x', bytes('one'), { ifNoneMatch: '*' });
      await store.put('d/x', bytes('two'), { ifMatch: await etagOf(store, 'd/x') });
      await store.put('d/x', bytes('three'));
      expect(await everythingIn(root)).toEqual(['d', 'd/x']);
      await store.delete('d/x', { ifMatch: await etagOf(store, 'd/x') });
      expect(await everythingIn(root)).toEqual(['d']);
    });

    it.each([
      'stage:opened',
      'stage:written',
      'stage:synced',
      'swap:compared',
      'swap:enclosed',
      'swap:ready',
      'swap:entering',
      'swap:claimed',
      'swap:verified',
    ])('leaves nothing and the old content when %s fails', async (at) => {
      await store.put('x', bytes('old'));
      const failure = new Error('the test says so');
      const failing = hookedStore(root, (step) => {
        if (step === at) throw failure;
      });
      const ifMatch = await etagOf(store, 'x');
      await expect(failing.put('x', bytes('new'), { ifMatch })).rejects.toBe(failure);
      await expect(failing.delete('x', { ifMatch })).rejects.toBe(failure);
      expect(await textOf(store, 'x')).toBe('old');
      expect(await everythingIn(root)).toEqual(['x']);
    });

    it('has replaced when a helper published before the failure', async () => {
      await store.put('x', bytes('old'));
      const failing = hookedStore(root, async (step) => {
        if (step !== 'swap:claimed') return;
        await store.sweep();
        throw new Error('the test says so');
      });
      await failing.put('x', bytes('new'), { ifMatch: await etagOf(store, 'x') });
      expect(await textOf(store, 'x')).toBe('new');
    });

    it.each(['retire:claimed', 'retire:verified', 'retire:taken'])('has deleted even when %s fails', async (at) => {
      await store.put('x', bytes('old'));
      const failing = hookedStore(root, (step) => {
        if (step === at) throw new Error('the test says so');
      });
      expect(await failing.delete('x', { ifMatch: await etagOf(store, 'x') })).toBe(true);
      expect(await store.head('x')).toBeUndefined();
      expect(await namesOf(store)).toEqual([]);
      await store.sweep();
      expect(await everythingIn(root)).toEqual([]);
    });

    it('sweeps only what is old enough', async () => {
      await mkdir(join(root, 'd'), { recursive: true });
      const id = '0'.repeat(32);
      await writeFile(join(root, 'd', `~${id}.tmp`), 'abandoned');
      await mkdir(join(root, `~${id}.tmp`));
      await writeFile(join(root, `~${id}.tmp`, `${id}.new`), 'abandoned');
      await writeFile(join(root, `x.~${id}.void`), 'abandoned');
      const later = laterStore(root);
      expect(await later.sweep()).toEqual({ temporaries: 0, claims: 0, tombstones: 0 });
      expect(await later.sweep({ olderThanMs: 61_000 })).toEqual({ temporaries: 0, claims: 0, tombstones: 0 });
      expect(await later.sweep({ olderThanMs: 59_000 })).toEqual({ temporaries: 3, claims: 0, tombstones: 0 });
      expect(await everythingIn(root)).toEqual(['d']);
    });

    it('sweeps empty claims, revoked claims and tombstones at any age', async () => {
      await mkdir(join(root, `x.~${'0'.repeat(32)}`), { recursive: true });
      await mkdir(join(root, `x.~${'1'.repeat(32)}`, `${'2'.repeat(32)}.gone`), { recursive: true });
      await writeFile(join(root, 'y'), newTombstone());
      expect(await store.sweep()).toEqual({ temporaries: 0, claims: 2, tombstones: 1 });
      expect(await everythingIn(root)).toEqual([]);
    });

    it('leaves a foreign directory alone that looks like a claim', async () => {
      const claim = join(root, `x.~${'0'.repeat(32)}`);
      await mkdir(claim, { recursive: true });
      await writeFile(join(claim, 'foreign'), '');
      expect((await laterStore(root).sweep({ olderThanMs: 0 })).claims).toBe(0);
      expect(fs.existsSync(join(claim, 'foreign'))).toBe(true);
    });

    it.each([-1, NaN, Infinity])('refuses a grace of %d', async (olderThanMs) => {
      expect(await codeOf(store.sweep({ olderThanMs }))).toBe('INVALID_ARGUMENT');
    });

    it('honours an abort of a sweep', async () => {
      await store.put('x', bytes('x'));
      expect(await codeOf(store.sweep({ signal: AbortSignal.abort() }))).toBe('ABORTED');
    });
  });

  it('passes over what vanishes between listing and looking', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `x${String(index).padStart(2, '0')}`);
    await mkdir(root);
    for (const name of names) await writeFile(join(root, name), '');
    const seen: string[] = [];
    for await (const info of store.list()) {
      seen.push(info.name);
      if (info.name === 'x00') {
        await rm(join(root, 'x90'));
        await rm(join(root, 'x91'));
        await mkdir(join(root, 'x91'));
      }
    }
    expect(seen).toEqual(names.filter((name) => name !== 'x90' && name !== 'x91'));
  });

  it('passes on what stands in the way of creating over a tombstone', async () => {
    await mkdir(root);
    await writeFile(join(root, 'x'), newTombstone());
    const failure = new Error('the test says so');
    const failing = hookedStore(root, (step) => {
      if (step === 'swap:ready') throw failure;
    });
    await expect(failing.put('x', bytes('x'), { ifNoneMatch: '*' })).rejects.toBe(failure);
    expect(await everythingIn(root)).toEqual(['x']);
    expect(await store.head('x')).toBeUndefined();
  });

  it('reports a claim that is no directory', async () => {
    await store.put('x', bytes('one'));
    const ifMatch = await etagOf(store, 'x');
    await writeFile(join(root, `x.~${ifMatch}`), 'foreign');
    expect(await codeOf(store.put('x', bytes('two'), { ifMatch }))).toBe('STORAGE_FAILURE');
    expect(await textOf(store, 'x')).toBe('one');
    expect(await everythingIn(root)).toEqual(['x', `x.~${ifMatch}`]);
  });

  it('treats a leftover tombstone as absence everywhere', async () => {
    await mkdir(root);
    await writeFile(join(root, 'x'), newTombstone());
    expect(await store.read('x', { maxBytes: 1 })).toBeUndefined();
    expect(await store.open('x')).toBeUndefined();
    expect(await store.head('x')).toBeUndefined();
    expect(await store.delete('x')).toBe(false);
    expect(await codeOf(store.delete('x', { ifMatch: 'x' }))).toBe('CONFLICT');
    expect(await codeOf(store.put('x', bytes('x'), { ifMatch: 'x' }))).toBe('CONFLICT');
    expect(await namesOf(store)).toEqual([]);
    await store.put('x', bytes('anew'), { ifNoneMatch: '*' });
    expect(await textOf(store, 'x')).toBe('anew');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it('names object, path and remedy, and nothing of the content', async () => {
    await mkdir(root);
    await writeFile(join(root, 'd'), 'the secret content');
    const message = await messageOf(store.put('d/x', bytes('another secret')));
    expect(message).not.toMatch(/secret/);
    expect(message).toContain(join(root, 'd'));
    expect(message).toMatch(/Move it away/);
  });

});
