import { isKeyfoldError } from '@keyfold/core';
import { describe, expect, test } from 'vitest';
import {
  BIG,
  type Content,
  INLINE,
  type Product,
  STREAMED,
  createProduct,
  digestOf,
  everything,
  filesIn,
  openProduct,
  save,
} from './support/product.ts';
import { SmallDisk } from './support/small-disk.ts';

const KEPT: ReadonlyMap<string, Content> = new Map([
  ['kept/inline', { name: 'kept inline', length: INLINE }],
  ['kept/big', { name: 'kept big', length: BIG }],
]);

interface Operation {
  readonly name: string;
  readonly before: Content | undefined;
  readonly after: Content | undefined;
  readonly run: (product: Product) => Promise<unknown>;
  /** It is made of several changes, and may stop with some of them made. */
  readonly several?: true;
}

function saving(before: Content | undefined, after: Content): Operation {
  const name = `saving ${after.length} bytes${before === undefined ? '' : ` over ${before.length}`}`;
  return { name, before, after, run: ({ store }) => save(store, 'target', after, before !== undefined) };
}

const OLD = { name: 'old', length: INLINE };
const OLD_BIG = { name: 'old', length: BIG };
const NEW = { name: 'new', length: INLINE };
const NEW_BIG = { name: 'new', length: BIG };

const OPERATIONS: readonly Operation[] = [
  saving(undefined, NEW),
  saving(undefined, NEW_BIG),
  saving(undefined, { name: 'new', length: STREAMED }),
  saving(OLD, NEW_BIG),
  saving(OLD_BIG, NEW),
  saving(OLD_BIG, NEW_BIG),
  { name: 'deleting', before: OLD_BIG, after: undefined, run: ({ store }) => store.delete('target') },
  { name: 'rewrapping', before: OLD, after: OLD, several: true, run: ({ store }) => store.rewrap('target') },
  { name: 'rotating the key', before: OLD, after: OLD, run: ({ kms }) => kms.rotateKey() },
];

/** One block more at a time where it matters, and steps of a tenth in the middle of long writes. */
function next(free: number): number {
  return free < 8 || (free >= 72 && free < 82) ? free + 1 : Math.floor(free * 1.1) + 1;
}

async function check(product: Product, operation: Operation, content: Content | undefined): Promise<void> {
  const all = await everything(product.store);
  const expected = [...KEPT].map(([id, kept]) => [id, digestOf(kept)] as const);
  expect(all).toEqual(new Map([...expected, ...(content === undefined ? [] : [['target', digestOf(content)] as const])]));
}

/** Runs it with more and more room until it succeeds. Gives how often it did not. */
async function untilThereIsRoom(disk: SmallDisk, operation: Operation, leave: (free: number) => void): Promise<number> {
  let refused = 0;
  for (let free = 0; free < 2_000; free = next(free)) {
    leave(free);
    const files = filesIn(disk.path);
    const product = await openProduct(disk.path);
    try {
      await operation.run(product);
      disk.leaveBlocks(1_000);
      await check(await openProduct(disk.path), operation, operation.after);
      await product.close();
      return refused;
    } catch (error) {
      if (!isKeyfoldError(error, 'STORAGE_FULL')) throw error;
      refused++;
      if (operation.several !== true) expect(filesIn(disk.path)).toEqual(files);
      expect(filesIn(disk.path).filter((name) => name.includes('~'))).toEqual([]);
      await check(product, operation, operation.before);
      await product.close();
    }
  }
  throw new Error('There is never room enough.');
}

const LIMITS = [
  ['blocks', (disk: SmallDisk, free: number) => { disk.leaveBlocks(free); }],
  ['files', (disk: SmallDisk, free: number) => { disk.leaveFiles(free); }],
] as const;

describe.each(LIMITS)('on a disk that has not enough %s', (_what, leave) => {
  for (const operation of OPERATIONS) {
    test(`${operation.name} is STORAGE_FULL, leaves nothing half-written, and succeeds as soon as there is room`, async (context) => {
      const disk = SmallDisk.mount(context);
      const product = await createProduct(disk.path);
      for (const [id, kept] of KEPT) await save(product.store, id, kept);
      if (operation.before !== undefined) await save(product.store, 'target', operation.before);
      if (operation.several === true) await product.kms.rotateKey();
      await product.close();
      const refused = await untilThereIsRoom(disk, operation, (free) => {
        leave(disk, free);
      });
      expect(refused).toBeGreaterThan(0);
    });
  }
});
