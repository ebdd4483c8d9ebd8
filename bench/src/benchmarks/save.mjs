import { rmSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB, KIB, MIB, randomData, sizeName, stream } from '../data.mjs';
import { interleave } from '../interleave.mjs';
import { openStores } from '../keyfold.mjs';

export const title = 'Saves made durable (fsync)';

const SIZES = [KIB, 64 * KIB, MIB, 2 * MIB, 8 * MIB, 16 * MIB, 64 * MIB, GIB];

function targets(size, node) {
  const naive = size <= 64 * KIB ? 1.1 : size <= MIB ? 1.2 : size <= 8 * MIB ? 1.1 : node >= 24 ? 0.95 : 1.05;
  const own = size < 16 * MIB ? undefined : node >= 24 ? 1.05 : 1.25;
  return { naive, own };
}

/** What most programs do. */
async function saveNaively(path, data) {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'wx');
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** The same with the directory made durable as well, as the stores do. */
async function saveDurably(directory, path, data) {
  await saveNaively(path, data);
  const folder = await open(directory, 'r');
  await folder.sync();
  await folder.close();
}

export async function run({ temporary, quick, against, keyfold, node, sizes, freeBytes, progress }) {
  const cases = [];
  const naive = join(temporary, 'naive');
  await mkdir(naive);
  const stores = await openStores(keyfold, temporary);
  const before = against && (await openStores(against, join(temporary, 'against')));
  for (const size of sizes ?? SIZES) {
    if (freeBytes < 6 * size || (quick && size > 64 * MIB)) {
      cases.push({ name: `save ${sizeName(size)}`, skipped: 'not enough room on the disk, or --quick' });
      continue;
    }
    progress(`save ${sizeName(size)}`);
    const whole = size <= 64 * MIB;
    const data = randomData(Math.min(size, 64 * MIB));
    const body = () => (whole ? data : stream(size, 64 * MIB, data));
    let n = 0;
    const saver = (name, save, remove) => {
      let id = '';
      return { name, run: () => save((id = `${name.replaceAll(/[^a-z]/g, '')}-${n++}`)), after: () => remove(id) };
    };
    const contestants = [
      saver('keyfold', (id) => stores.encrypted.save(id, body()).then(() => undefined), (id) => stores.encrypted.delete(id).then(() => undefined)),
      saver('naive plain code', (id) => saveNaively(join(naive, id), body()), (id) => rmSync(join(naive, id))),
      saver('naive, directory synced', (id) => saveDurably(naive, join(naive, id), body()), (id) => rmSync(join(naive, id))),
      saver('plain store', (id) => stores.plain.save(id, body()).then(() => undefined), (id) => stores.plain.delete(id).then(() => undefined)),
      ...(before === undefined
        ? []
        : [
            saver('keyfold before', (id) => before.encrypted.save(id, body()).then(() => undefined), (id) => before.encrypted.delete(id).then(() => undefined)),
            saver('plain store before', (id) => before.plain.save(id, body()).then(() => undefined), (id) => before.plain.delete(id).then(() => undefined)),
          ]),
    ];
    const most = size >= GIB ? 5 : size >= 64 * MIB ? 15 : size >= 8 * MIB ? 30 : 100;
    const rounds = quick ? Math.max(3, most / 5) : most;
    const target = targets(size, node);
    cases.push({
      name: `save ${sizeName(size)}`,
      bytes: size,
      results: await interleave(contestants, { rounds, warmups: size >= GIB ? 0 : 3 }),
      ratios: [
        { of: 'keyfold', against: 'naive plain code', atMost: target.naive },
        { of: 'keyfold', against: 'naive, directory synced' },
        { of: 'keyfold', against: 'plain store', ...(target.own && { atMost: target.own }) },
        ...(before === undefined ? [] : [{ of: 'keyfold', against: 'keyfold before' }, { of: 'plain store', against: 'plain store before' }]),
      ],
    });
  }
  return cases;
}
