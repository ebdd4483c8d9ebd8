import { beforeAll, expect, test } from 'vitest';
import { buildForWorkers } from './object-stores/worker.ts';
import { runWorker } from './support/checkpoint-worker.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const BYTES = 256 * 1_048_576;
const ALLOWED_KIB = 96 * 1_024;

beforeAll(() => {
  buildForWorkers();
}, 120_000);

test('256 MiB are saved and loaded in less than 96 MiB more than 8 MB take', async () => {
  const peaks = (await runWorker([temporaryDirectory(), 'save-and-load', String(BYTES)])).map(Number);
  const [before = 0, after = Infinity] = peaks;
  expect(before).toBeGreaterThan(10_000);
  expect(after - before).toBeLessThan(ALLOWED_KIB);
}, 120_000);
