import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { GIB, MIB, randomData, stream } from '../data.mjs';
import { interleave } from '../interleave.mjs';
import { openStores } from '../keyfold.mjs';

export const title = 'Keys, calls to the KMS, size and start';

export async function run(context) {
  return [await rewraps(context), await kmsCalls(context), await overhead(context), await importTime(context)];
}

/** Records made ahead, then every one wrapped under a new version and verified. */
async function rewraps({ keyfold, quick, progress }) {
  const count = quick ? 1_000 : 10_000;
  progress(`rewrap of ${count} records`);
  const { KeyCache, keyPolicy, rewrapRecord, sealCheckpoint } = keyfold.core;
  const kms = new keyfold.testing.MemoryKms();
  const records = new keyfold.testing.MemoryKeyRecordStore();
  for (let n = 0; n < count; n++) {
    const { record } = await sealCheckpoint({ kms, tenant: 'bench', checkpoint: `record-${n}` });
    await records.create(`record-${n}`, record);
  }
  const policy = keyPolicy([kms], { requireAuthenticatedWraps: true });
  const run = async () => {
    const targetVersion = await kms.rotateKey();
    const cache = new KeyCache({ maxEntries: 0 });
    for (let n = 0; n < count; n++) {
      await rewrapRecord({ records, key: `record-${n}`, identity: { tenant: 'bench', checkpoint: `record-${n}` }, policy, target: kms, targetVersion, cache });
    }
  };
  const results = await interleave([{ name: 'keyfold', run }], { rounds: 3, warmups: 1 });
  const perSecond = Math.round((count / results.keyfold.medianMs) * 1_000);
  const perCpuSecond = Math.round((count / results.keyfold.cpuMs) * 1_000);
  return {
    name: `rewrap, verified, ${count} records in memory`,
    results,
    limits: [
      { what: 'records a second', value: perSecond, atLeast: 20_000 },
      { what: 'records a second of processor time', value: perCpuSecond },
    ],
  };
}

async function kmsCalls({ keyfold, temporary, progress }) {
  progress('calls to the KMS');
  const stores = await openStores(keyfold, join(temporary, 'calls'));
  const { kms } = stores;
  const counted = async (work) => {
    const total = () => [...kms.calls.values()].reduce((sum, calls) => sum + calls, 0);
    const before = total();
    await work();
    return total() - before;
  };
  const limits = [];
  const exactly = async (what, value, work) => limits.push({ what: `KMS calls: ${what}`, value: await counted(work), atMost: value, atLeast: value });
  await exactly('a save', 1, () => stores.encrypted.save('one', randomData(2 * MIB)));
  await exactly('the first load', 1, () => stores.encrypted.load('one'));
  await exactly('a load with its key in the cache', 0, () => stores.encrypted.load('one'));
  await exactly('rotation', 1, () => kms.rotateKey());
  return { name: 'calls to the KMS', limits };
}

async function overhead({ keyfold, temporary, quick, progress, freeBytes }) {
  const size = quick || freeBytes < 3 * GIB ? 64 * MIB : GIB;
  progress('size on the disk');
  const stores = await openStores(keyfold, join(temporary, 'size'));
  await stores.encrypted.save('large', stream(size));
  const objects = new keyfold.store.FileSystemObjectStore(join(temporary, 'size/encrypted'));
  let stored = 0;
  for await (const object of objects.list()) stored += object.size;
  const percent = ((stored - size) / size) * 100;
  return { name: `size added to ${size / MIB} MiB`, limits: [{ what: 'percent', value: Number(percent.toFixed(5)), atMost: 0.01 }, { what: 'bytes', value: stored - size }] };
}

async function importTime({ keyfold, quick, progress }) {
  progress('import of core');
  const core = join(keyfold.root, 'packages/core/dist/index.js');
  const start = (code) => () => {
    spawnSync(process.execPath, ['--input-type=module', '--eval', code]);
  };
  const results = await interleave(
    [
      { name: 'node alone', run: start('') },
      { name: 'node and core', run: start(`import ${JSON.stringify(core)}`) },
    ],
    { rounds: quick ? 10 : 40, warmups: 2 },
  );
  const difference = (which) => Number((results['node and core'][which] - results['node alone'][which]).toFixed(1));
  return {
    name: 'import of core',
    results,
    limits: [
      { what: 'milliseconds over node alone, medians', value: difference('medianMs'), atMost: 15 },
      { what: 'milliseconds over node alone, 20th percentiles', value: difference('quietMs') },
    ],
  };
}
