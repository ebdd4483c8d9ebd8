import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Interface, createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { patterned } from './support/bytes.ts';
import { DAY, states, vaultBench } from './support/vault.ts';

const WORKER = fileURLToPath(new URL('fixtures/vault-worker.mjs', import.meta.url));
const START = 1_700_000_000_000;

/** A process of its own with a vault; see the fixture for what it can do. */
class VaultProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(directory: string) {
    const options = JSON.stringify({ directory, kek: Buffer.from(patterned(32, 'kek')).toString('hex'), now: START });
    this.#child = spawn(process.execPath, [WORKER, options], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('no output');
    const lines: Interface = createInterface({ input: this.#child.stdout });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  async ask(command: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error('the process ended');
    const { result, error } = JSON.parse(answer.value) as { result?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return result;
  }

  async seal(value: string): Promise<string> {
    return String(await this.ask({ do: 'seal', value }));
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

describe('several processes over one store', () => {
  let directory = '';
  let processes: VaultProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyfold-vault-'));
    processes = [];
  });

  afterEach(() => {
    for (const process of processes) process.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (): VaultProcess => {
    const process = new VaultProcess(directory);
    processes.push(process);
    return process;
  };

  const all = <T>(run: (process: VaultProcess) => Promise<T>): Promise<T[]> => Promise.all(processes.map(run));

  async function converged(values: readonly string[]): Promise<void> {
    // Every value opens everywhere, whichever key its process had.
    for (const process of processes) {
      for (const [i, stored] of values.entries()) expect(await process.ask({ do: 'open', stored })).toBe(`value ${i}`);
    }
    // One more look, and all seal with the same key.
    await all(async (process) => process.ask({ do: 'advance', ms: 300_000 }));
    await all(async (process) => process.ask({ do: 'prime' }));
    const ids = await all(async (process) => process.ask({ do: 'id', stored: await process.seal('x') }));
    expect(new Set(ids).size).toBe(1);
    const [seen] = await all(async (process) => process.ask({ do: 'states' }));
    expect((seen as string[]).filter((state) => state === 'active')).toHaveLength(1);
  }

  test('that start at once in an empty one end with one key, and lose no value', async () => {
    for (let i = 0; i < 4; i++) start();
    await all(async (process) => process.ask({ do: 'prime' }));
    await converged(await Promise.all(processes.map((process, i) => process.seal(`value ${i}`))));
  }, 60_000);

  test('that find the key too old at once end with one successor, and lose no value', async () => {
    const first = start();
    await first.ask({ do: 'prime' });
    const before = await first.seal('value 0');
    for (let i = 0; i < 3; i++) start();
    await all(async (process) => process.ask({ do: 'advance', ms: 29 * DAY }));
    await all(async (process) => process.ask({ do: 'prime' }));
    const after = await Promise.all(processes.map((process, i) => process.seal(`value ${i + 1}`)));
    const ids = await Promise.all([before, ...after].map(async (stored) => first.ask({ do: 'id', stored })));
    expect(ids.slice(1)).not.toContain(ids[0]);
    await converged([before, ...after]);
  }, 60_000);

  test('of which one dies in the middle leave nothing that the others cannot go on with', async () => {
    const [one, two] = [start(), start()];
    const dying = one.ask({ do: 'prime' });
    one.stop();
    await expect(dying).rejects.toThrow('ended');
    processes = [two];
    await two.ask({ do: 'prime' });
    await converged([await two.seal('value 0')]);
  }, 60_000);
});

describe('interleaved looks at the records', () => {
  test('any number of vaults that roll at once converge, and every value opens', async () => {
    const bench = vaultBench({ maxMemoryAgeMs: 90 * DAY });
    const vaults = [bench, ...Array.from({ length: 7 }, () => bench.another())];
    const sealed: string[] = [];
    for (let round = 0; round < 3; round++) {
      await Promise.all(vaults.map(({ vault }) => vault.prime()));
      sealed.push(...vaults.map(({ column }) => column.seal('x')));
      bench.clock.advance(300_000);
      await Promise.all(vaults.map(({ vault }) => vault.prime()));
      const ids = new Set(vaults.map(({ column }) => column.dekIdOf(column.seal('x'))));
      expect(ids.size).toBe(1);
      expect((await states(bench.vault)).filter((state) => state === 'active')).toHaveLength(1);
      bench.clock.advance(28 * DAY);
    }
    const later = bench.another();
    await later.vault.load();
    expect(new Set(sealed.map((value) => later.column.open(value).value))).toEqual(new Set(['x']));
  });

  test('a forced roll of one is noticed by the others at their next look', async () => {
    const bench = vaultBench();
    const other = bench.another();
    await bench.vault.prime();
    await other.vault.prime();
    await bench.vault.roll('field');
    const id = bench.column.dekIdOf(bench.column.seal('x'));
    expect(other.column.dekIdOf(other.column.seal('x'))).not.toBe(id);
    bench.clock.advance(300_000);
    await other.vault.prime();
    expect(other.column.dekIdOf(other.column.seal('x'))).toBe(id);
  });

  test('rolls that are asked for while a look is under way are carried out', async () => {
    const bench = vaultBench();
    await bench.vault.prime();
    const before = bench.column.dekIdOf(bench.column.seal('x'));
    bench.clock.advance(300_000);
    await Promise.all([bench.vault.prime(), bench.vault.roll('field'), bench.vault.roll('field')]);
    expect(bench.column.dekIdOf(bench.column.seal('x'))).not.toBe(before);
    expect(await states(bench.vault)).toEqual(['active', 'decrypt-only', 'decrypt-only']);
  });

  test('a failed look under way does not stop a roll', async () => {
    const bench = vaultBench();
    const failing = bench.vault.prime();
    bench.kms.fault = () => {
      bench.kms.fault = undefined;
      throw new Error('once');
    };
    const roll = bench.vault.roll('field');
    await expect(failing).rejects.toMatchObject({ code: 'KMS_UNAVAILABLE' });
    await roll;
    expect(await states(bench.vault)).toEqual(['active']);
  });

  test('a writer whose clock is far ahead does not seal for ever: its key is retired', async () => {
    const bench = vaultBench();
    const ahead = bench.another({ clock: { now: () => bench.clock.now() + 365 * DAY } });
    await ahead.vault.prime();
    await bench.vault.prime();
    expect(bench.column.dekIdOf(bench.column.seal('x'))).not.toBe(ahead.column.dekIdOf(ahead.column.seal('x')));
    expect(await states(bench.vault)).toEqual(['decrypt-only', 'active']);
    expect((await bench.column.openAsync(ahead.column.seal('y'))).value).toBe('y');
  });

  test('a writer whose clock is a little ahead is believed', async () => {
    const bench = vaultBench();
    const ahead = bench.another({ clock: { now: () => bench.clock.now() + 3_600_000 } });
    await ahead.vault.prime();
    await bench.vault.prime();
    expect(bench.column.dekIdOf(bench.column.seal('x'))).toBe(ahead.column.dekIdOf(ahead.column.seal('x')));
    await bench.vault.roll('field');
    expect(bench.column.dekIdOf(bench.column.seal('x'))).not.toBe(ahead.column.dekIdOf(ahead.column.seal('x')));
    expect(await states(bench.vault)).toEqual(['active', 'decrypt-only']);
  });
});
