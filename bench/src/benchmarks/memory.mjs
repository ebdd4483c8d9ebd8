import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB, MIB, sizeName } from '../data.mjs';

export const title = 'Memory while streaming';

/** Each size in a process of its own, whose peak is compared with the same after 32 MiB. */
export async function run({ temporary, quick, freeBytes, keyfold, progress }) {
  const cases = [];
  for (const wanted of quick ? [256 * MIB] : [GIB, 4 * GIB]) {
    const size = freeBytes > 1.5 * wanted ? wanted : Math.floor(freeBytes / 4 / MIB) * MIB;
    progress(`memory while ${sizeName(size)} are saved and loaded`);
    const root = join(temporary, String(size));
    await mkdir(root);
    const measure = (how) => {
      const child = spawnSync(process.execPath, [join(import.meta.dirname, '../memory-child.mjs'), keyfold.root, join(root, how), String(size), how], { encoding: 'utf8' });
      if (child.status !== 0) throw new Error(`The measured process failed: ${child.stderr}`);
      rmSync(join(root, how), { recursive: true });
      return JSON.parse(child.stdout);
    };
    const transient = measure('transient');
    const { baseKiB, savedKiB, loadedKiB } = measure('kept');
    const grown = (kib, base = baseKiB) => Number(((kib - base) / 1_024).toFixed(1));
    cases.push({
      name: `memory, ${sizeName(size)}${size === wanted ? '' : ` (there was no room for ${sizeName(wanted)})`}`,
      limits: [
        { what: 'MiB that the peak grew while saving', value: grown(savedKiB), atMost: 32 },
        { what: 'MiB that the peak grew while saving and loading', value: grown(loadedKiB), atMost: 32 },
        { what: 'the same with transientChunks', value: grown(transient.loadedKiB, transient.baseKiB), atMost: 32 },
        { what: 'MiB at the peak, the whole process', value: Number((loadedKiB / 1_024).toFixed(1)) },
      ],
    });
    await rm(root, { recursive: true });
  }
  return cases;
}
