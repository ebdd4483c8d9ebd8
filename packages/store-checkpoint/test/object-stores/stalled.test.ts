import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystemObjectStore } from '../../src/object-stores/file-system-object-store.ts';
import type { Step } from '../../src/object-stores/file-system/steps.ts';
import { newTombstone } from '../../src/object-stores/file-system/tombstone.ts';
import { bytes, codeOf, etagOf, namesOf, textOf } from './conformance.ts';
import { everythingIn, hookedStore, laterStore, temporaryRoot } from './temporary-root.ts';

/** A writer that stops at each of the steps in turn, until it is let go on. */
class Stalled {
  readonly store: FileSystemObjectStore;
  readonly #stops: { readonly at: Step; readonly reached: Gate; readonly released: Gate }[];
  #passed = 0;

  constructor(root: string, ...steps: readonly Step[]) {
    this.#stops = steps.map((at) => ({ at, reached: new Gate(), released: new Gate() }));
    let current = 0;
    this.store = hookedStore(root, async (step) => {
      const stop = this.#stops[current];
      if (stop?.at !== step) return;
      current += 1;
      stop.reached.open();
      await stop.released.passed;
    });
  }

  get reached(): Promise<void> {
    return this.#stops[this.#passed]?.reached.passed ?? Promise.resolve();
  }

  resume(): void {
    this.#stops[this.#passed]?.released.open();
    this.#passed += 1;
  }
}

class Gate {
  open: () => void = () => undefined;
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

const SWAP_STEPS: readonly Step[] = [
  'stage:opened',
  'stage:written',
  'stage:synced',
  'swap:compared',
  'swap:enclosed',
  'swap:ready',
  'swap:entering',
  'swap:claimed',
  'swap:verified',
  'swap:published',
  'swap:cleaned',
  'unstaged',
];
const HELP_STEPS: readonly Step[] = ['help:found', 'help:verified', 'help:published'];
const RETIRE_STEPS: readonly Step[] = [
  'retire:enclosed',
  'retire:claimed',
  'retire:verified',
  'retire:taken',
  'retire:cleaned',
];

describe('a writer that stands still for any time', () => {
  let root: string;
  let cleanup: () => Promise<void>;
  let others: FileSystemObjectStore;

  beforeEach(async () => {
    ({ root, cleanup } = await temporaryRoot());
    others = laterStore(root);
    await others.put('x', bytes('zero'), { ifNoneMatch: '*' });
  });
  afterEach(() => cleanup());

  /** Reads and replaces until acknowledged, as any caller would. */
  async function write(content: string): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const there = await others.read('x', { maxBytes: 1_000 });
      const condition = there === undefined ? ({ ifNoneMatch: '*' } as const) : { ifMatch: there.etag };
      if ((await codeOf(others.put('x', bytes(content), condition))) === 'OK') return;
    }
    throw new Error('the stalled writer blocks the others');
  }

  async function remove(): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      if ((await codeOf(others.delete('x', { ifMatch: await etagOf(others, 'x') }))) === 'OK') return;
    }
    throw new Error('the stalled writer blocks the others');
  }

  it.each(SWAP_STEPS)('at %s of a replacement rolls nothing back', async (step) => {
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    for (const content of ['one', 'two', 'three']) await write(content);
    stalled.resume();
    const code = await result;
    expect(await textOf(others, 'x')).toBe('three');
    // From the claim on the others complete it before they go on, and then it has to be told so.
    const claimed = SWAP_STEPS.indexOf(step) >= SWAP_STEPS.indexOf('swap:claimed');
    expect(code).toBe(claimed ? 'OK' : 'CONFLICT');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(SWAP_STEPS)('at %s of a replacement brings nothing back that was deleted', async (step) => {
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    await remove();
    expect(await others.head('x')).toBeUndefined();
    stalled.resume();
    await result;
    expect(await others.head('x')).toBeUndefined();
    expect(await everythingIn(root)).toEqual([]);
  });

  it.each(SWAP_STEPS)('at %s of a replacement leaves alone what was created anew', async (step) => {
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    await remove();
    await write('anew');
    stalled.resume();
    await result;
    expect(await textOf(others, 'x')).toBe('anew');
  });

  it.each([...SWAP_STEPS, ...RETIRE_STEPS])('at %s of a delete takes nothing away that is newer', async (step) => {
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.delete('x', { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    for (const content of ['one', 'two', 'three']) await write(content);
    await remove();
    await write('four');
    stalled.resume();
    expect(['OK', 'CONFLICT']).toContain(await result);
    expect(await textOf(others, 'x')).toBe('four');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(HELP_STEPS)('at %s of helping another rolls nothing back', async (step) => {
    // Known to both before either begins: who reads later reads what is begun.
    const ifMatch = await etagOf(others, 'x');
    const owner = new Stalled(root, 'swap:verified');
    const first = codeOf(owner.store.put('x', bytes('owned'), { ifMatch }));
    await owner.reached;
    const helper = new Stalled(root, step);
    const second = codeOf(helper.store.put('x', bytes('helper'), { ifMatch }));
    await helper.reached;
    for (const content of ['one', 'two']) await write(content);
    helper.resume();
    expect(await second).toBe('CONFLICT');
    expect(await textOf(others, 'x')).toBe('two');
    await write('three');
    owner.resume();
    expect(await first).toBe('OK');
    expect(await textOf(others, 'x')).toBe('three');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(SWAP_STEPS)('at %s of creating over a tombstone leaves the newest acknowledged', async (step) => {
    await leaveTombstone('x');
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifNoneMatch: '*' }));
    await stalled.reached;
    for (const content of ['one', 'two']) await write(content);
    stalled.resume();
    const code = await result;
    expect(['OK', 'ALREADY_EXISTS']).toContain(code);
    expect(await textOf(others, 'x')).toBe('two');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(SWAP_STEPS)('at %s of creating over a tombstone that is swept creates or is refused', async (step) => {
    await leaveTombstone('x');
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifNoneMatch: '*' }));
    await stalled.reached;
    await others.sweep();
    stalled.resume();
    expect(await result).toBe('OK');
    expect(await textOf(others, 'x')).toBe('stalled');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(RETIRE_STEPS)('at %s of sweeping a tombstone takes no object away', async (step) => {
    await leaveTombstone('x');
    const sweeper = new Stalled(root, step);
    const swept = sweeper.store.sweep();
    await sweeper.reached;
    await write('one');
    await write('two');
    sweeper.resume();
    await swept;
    expect(await textOf(others, 'x')).toBe('two');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it('and whose replacement was swept as dead is told that it failed', async () => {
    const stalled = new Stalled(root, 'swap:ready');
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    await others.sweep({ olderThanMs: 0 });
    stalled.resume();
    expect(await result).toBe('STORAGE_FAILURE');
    expect(await textOf(others, 'x')).toBe('zero');
  });

  it.each(['stage:synced', 'stage:opened'] as const)('and whose body was swept at %s is told that it failed', async (step) => {
    const stalled = new Stalled(root, step);
    const results = [codeOf(stalled.store.put('y', bytes('stalled'), { ifNoneMatch: '*' }))];
    await stalled.reached;
    const report = await others.sweep({ olderThanMs: 0 });
    expect(report).toEqual({ temporaries: 1, claims: 0, tombstones: 0 });
    stalled.resume();
    expect(await results[0]).toBe('STORAGE_FAILURE');
    expect(await namesOf(others)).toEqual(['x']);
  });

  it('with a claim that came too late hinders nobody, and takes it back', async () => {
    const late = new Stalled(root, 'swap:entering', 'swap:claimed', 'swap:verified');
    const result = codeOf(late.store.put('x', bytes('late'), { ifMatch: await etagOf(others, 'x') }));
    for (const content of ['one', 'two', 'three']) {
      await late.reached;
      await write(content);
      late.resume();
    }
    expect(await result).toBe('CONFLICT');
    expect(await textOf(others, 'x')).toBe('three');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(['swap:claimed', 'swap:verified'] as const)(
    'with a claim that came too late and was swept at %s is not told that it succeeded',
    async (step) => {
      const late = new Stalled(root, 'swap:entering', step);
      const result = codeOf(late.store.put('x', bytes('late'), { ifMatch: await etagOf(others, 'x') }));
      await late.reached;
      await write('one');
      late.resume();
      await late.reached;
      expect((await others.sweep({ olderThanMs: 3_600_000 })).claims).toBe(0);
      expect((await others.sweep({ olderThanMs: 0 })).claims).toBe(1);
      late.resume();
      expect(await result).toBe('CONFLICT');
      expect(await textOf(others, 'x')).toBe('one');
      expect(await everythingIn(root)).toEqual(['x']);
    },
  );

  it('with a claim that came too late may still succeed when the same content returned', async () => {
    const late = new Stalled(root, 'swap:entering', 'swap:verified');
    const result = codeOf(late.store.put('x', bytes('late'), { ifMatch: await etagOf(others, 'x') }));
    await late.reached;
    await write('one');
    late.resume();
    await late.reached;
    await write('zero');
    await write('two');
    late.resume();
    expect(await result).toBe('OK');
    expect(await textOf(others, 'x')).toBe('two');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(HELP_STEPS)('at %s of reading what another has begun rolls nothing back, and reads what is there by then', async (step) => {
    const ifMatch = await etagOf(others, 'x');
    const owner = new Stalled(root, 'swap:verified');
    const first = codeOf(owner.store.put('x', bytes('owned'), { ifMatch }));
    await owner.reached;
    const reader = new Stalled(root, step);
    const read = textOf(reader.store, 'x');
    await reader.reached;
    for (const content of ['one', 'two']) await write(content);
    reader.resume();
    expect(await read).toBe('two');
    expect(await textOf(others, 'x')).toBe('two');
    owner.resume();
    expect(await first).toBe('OK');
    expect(await textOf(others, 'x')).toBe('two');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it.each(['swap:claimed', 'swap:verified'] as const)('at %s is completed by a sweep, and told so', async (step) => {
    const stalled = new Stalled(root, step);
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    expect((await others.sweep()).claims).toBe(1);
    expect(await textOf(others, 'x')).toBe('stalled');
    stalled.resume();
    expect(await result).toBe('OK');
  });

  it('is told that it failed when the object was removed without a condition and its claim was swept', async () => {
    const stalled = new Stalled(root, 'swap:verified');
    const result = codeOf(stalled.store.put('x', bytes('stalled'), { ifMatch: await etagOf(others, 'x') }));
    await stalled.reached;
    expect(await others.delete('x')).toBe(true);
    expect((await others.sweep({ olderThanMs: 0 })).claims).toBe(1);
    stalled.resume();
    expect(await result).toBe('CONFLICT');
    expect(await everythingIn(root)).toEqual([]);
  });

  it('between two sweepers takes a tombstone away once', async () => {
    await leaveTombstone('x');
    const first = new Stalled(root, 'retire:verified');
    const report = first.store.sweep();
    await first.reached;
    expect((await others.sweep()).tombstones).toBe(1);
    await others.put('x', bytes('one'), { ifNoneMatch: '*' });
    first.resume();
    expect((await report).tombstones).toBe(0);
    expect(await textOf(others, 'x')).toBe('one');
    expect(await everythingIn(root)).toEqual(['x']);
  });

  it('leaves a tombstone to whoever claimed it first', async () => {
    await leaveTombstone('x');
    const second = new Stalled(root, 'retire:enclosed');
    const secondReport = second.store.sweep();
    await second.reached;
    const first = new Stalled(root, 'retire:claimed');
    const firstReport = first.store.sweep();
    await first.reached;
    second.resume();
    expect((await secondReport).tombstones).toBe(0);
    first.resume();
    expect((await firstReport).tombstones).toBe(1);
    expect(await everythingIn(root)).toEqual([]);
  });

  /** What a delete leaves that is killed before it has tidied up. */
  async function leaveTombstone(name: string): Promise<void> {
    await writeFile(join(root, name), newTombstone());
  }
});
