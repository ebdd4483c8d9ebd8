// Saves and loads as many bytes as it is told, and prints how large it became.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MIB, randomData, stream } from './data.mjs';
import { loadKeyfold, openStores } from './keyfold.mjs';

const [checkout, root, bytes, how] = process.argv.slice(2);
const { encrypted } = await openStores(await loadKeyfold(checkout), root);
const source = randomData(MIB);

function peakKiB() {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
}

async function load(id) {
  const hash = createHash('sha256');
  for await (const chunk of encrypted.loadStream(id, { transientChunks: how === 'transient' })) hash.update(chunk.subarray(0, 64));
  return hash.digest('hex');
}

await encrypted.save('warm-up', stream(32 * MIB, MIB, source));
await load('warm-up');
const baseKiB = peakKiB();
await encrypted.save('large', stream(Number(bytes), MIB, source));
const savedKiB = peakKiB();
await load('large');
console.log(JSON.stringify({ baseKiB, savedKiB, loadedKiB: peakKiB() }));
