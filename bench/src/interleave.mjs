import { performance } from 'node:perf_hooks';
import { median, quantile, quiet } from './statistics.mjs';

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {() => Promise<number | void>} run one measurement; the milliseconds it took, if it measures itself
 * @property {() => Promise<void> | void} [after] what tidies up, unmeasured
 */

/**
 * Runs every contestant in turn, A B C B C A C A B ..., so that whatever else
 * the machine does meanwhile meets all of them alike.
 * @param {readonly Contestant[]} contestants
 * @param {{ rounds: number, warmups?: number }} options
 */
export async function interleave(contestants, { rounds, warmups = 1 }) {
  const samples = new Map(contestants.map(({ name }) => [name, { ms: [], cpuMs: [] }]));
  for (let round = -warmups; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const { name, run, after } = contestants[(turn + Math.max(round, 0)) % contestants.length];
      globalThis.gc?.();
      const cpu = process.cpuUsage();
      const start = performance.now();
      const measured = await run();
      const ms = measured ?? performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      await after?.();
      if (round < 0) continue;
      samples.get(name).ms.push(ms);
      samples.get(name).cpuMs.push((user + system) / 1_000);
    }
  }
  return Object.fromEntries(
    [...samples].map(([name, { ms, cpuMs }]) => [name, { medianMs: median(ms), quietMs: quiet(ms), cpuMs: median(cpuMs), samples: ms.length }]),
  );
}

/** Repeats something short until it took `ms`, and gives the milliseconds of one. */
export async function perCall(call, ms = 30) {
  let calls = 0;
  const start = performance.now();
  let elapsed;
  do {
    for (let i = 0; i < 10; i++) await call();
    calls += 10;
    elapsed = performance.now() - start;
  } while (elapsed < ms);
  return elapsed / calls;
}

/**
 * Single calls in turn, many of them: for what is short and whose slowest matter. No
 * collection is forced between them, as none is in a program.
 * @param {readonly { name: string, run: () => Promise<unknown> }[]} contestants
 * @param {{ rounds: number, warmups?: number }} options
 */
export async function interleaveCalls(contestants, { rounds, warmups = 20 }) {
  const samples = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = -warmups; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const { name, run } = contestants[(turn + Math.max(round, 0)) % contestants.length];
      const start = performance.now();
      await run();
      const ms = performance.now() - start;
      if (round >= 0) samples.get(name).push(ms);
    }
  }
  return Object.fromEntries([...samples].map(([name, ms]) => [name, { medianMs: median(ms), quietMs: quiet(ms), p99Ms: quantile(ms, 0.99), samples: ms.length }]));
}
