import { createHash } from 'node:crypto';

/** Numbers in [0, 1) that a seed and a purpose determine, so that a run can be repeated. */
export function seededRandom(seed: number, purpose: string): number {
  const digest = createHash('sha256').update(`${seed}/${purpose}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}
