import { performance } from 'node:perf_hooks';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIB, randomData } from '../data.mjs';
import { interleave } from '../interleave.mjs';
import { openStores } from '../keyfold.mjs';
import { quantile } from '../statistics.mjs';

export const title = 'Loads of what the page cache holds';

async function drain(chunks) {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.byteLength;
  return bytes;
}

export async function run({ temporary, quick, against, keyfold, progress }) {
  const stores = await openStores(keyfold, temporary);
  const before = against && (await openStores(against, join(temporary, 'against')));
  const path = join(temporary, 'plain-file');
  const size = 64 * MIB;
  const data = randomData(size);
  progress('load 64 MiB');
  await writeFile(path, data);
  for (const store of [stores.encrypted, stores.plain, ...(before ? [before.encrypted, before.plain] : [])]) await store.save('large', data);
  const results = await interleave(
    [
      { name: 'readFile', run: async () => void (await readFile(path)) },
      { name: 'keyfold, stream', run: async () => void (await drain(stores.encrypted.loadStream('large'))) },
      { name: 'keyfold, stream of transient chunks', run: async () => void (await drain(stores.encrypted.loadStream('large', { transientChunks: true }))) },
      { name: 'keyfold, one buffer', run: async () => void (await stores.encrypted.load('large')) },
      { name: 'plain store, stream', run: async () => void (await drain(stores.plain.loadStream('large'))) },
      { name: 'plain store, one buffer', run: async () => void (await stores.plain.load('large')) },
      ...(before
        ? [
            { name: 'keyfold before, stream', run: async () => void (await drain(before.encrypted.loadStream('large'))) },
            { name: 'keyfold before, one buffer', run: async () => void (await before.encrypted.load('large')) },
          ]
        : []),
    ],
    { rounds: quick ? 8 : 30, warmups: 2 },
  );
  return [
    {
      name: 'load 64 MiB',
      bytes: size,
      results,
      ratios: [
        { of: 'keyfold, stream', against: 'readFile', atMost: 0.6 },
        { of: 'keyfold, stream of transient chunks', against: 'readFile', atMost: 0.6 },
        { of: 'keyfold, one buffer', against: 'readFile', atMost: 1.15 },
        ...(before
          ? [
              { of: 'keyfold, stream', against: 'keyfold before, stream' },
              { of: 'keyfold, one buffer', against: 'keyfold before, one buffer' },
            ]
          : []),
      ],
    },
    await latencies({ stores, temporary, quick, progress }),
  ];
}

async function latencies({ stores, temporary, quick, progress }) {
  progress('p99 of loads of 1 MiB');
  const data = randomData(MIB);
  const path = join(temporary, 'small-file');
  await writeFile(path, data);
  await stores.encrypted.save('small', data);
  const samples = { keyfold: [], readFile: [] };
  const timed = async (list, work) => {
    const start = performance.now();
    await work();
    list.push(performance.now() - start);
  };
  const rounds = quick ? 300 : 2_000;
  for (let round = -50; round < rounds; round++) {
    const warm = round < 0;
    await timed(warm ? [] : samples.keyfold, () => stores.encrypted.load('small'));
    await timed(warm ? [] : samples.readFile, () => readFile(path));
  }
  const results = Object.fromEntries(
    Object.entries(samples).map(([name, ms]) => [name, { medianMs: quantile(ms, 0.99), quietMs: quantile(ms, 0.5), samples: ms.length }]),
  );
  return {
    name: 'load 1 MiB, cached key: 99th percentile (quiet column: median)',
    bytes: MIB,
    results,
    ratios: [{ of: 'keyfold', against: 'readFile', atMost: 2 }],
    limits: [{ what: 'milliseconds', of: 'keyfold', value: results.keyfold.medianMs, atMost: 10 }],
  };
}
