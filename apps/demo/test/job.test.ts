import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalKms, createLocalKeyFile } from '@keyfold/kms-local';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runUninterrupted } from '../src/crashes.ts';
import { job, type JobPort } from '../src/job.ts';
import type { JobMessage, JobOrder } from '../src/job-protocol.ts';
import { runJob } from '../src/supervisor.ts';
import { openStore, workspaceIn } from '../src/store.ts';

describe('the job', () => {
  let scratch: string;
  let order: JobOrder;
  let told: JobMessage[];
  const port: JobPort = {
    tell: (message) => void told.push(message),
    // What a SIGKILL does to a process, an exception does to a call.
    awaitKill: (where) => Promise.reject(new Error(`killed ${where}`)),
  };

  beforeEach(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'keyfold-job-'));
    const input = join(scratch, 'input');
    mkdirSync(input);
    for (let file = 10; file < 30; file++) writeFileSync(join(input, `${file}.txt`), `common word${file} `.repeat(50));
    order = { directory: scratch, input, maxBytes: 1e9, checkpoints: 5 };
    const workspace = workspaceIn(scratch);
    mkdirSync(join(scratch, 'keys'), { mode: 0o700 });
    await createLocalKeyFile(workspace.keyFile);
    await (await LocalKms.create(workspace.keyring, { keyFile: workspace.keyFile })).close();
    told = [];
  });

  afterEach(() => {
    rmSync(scratch, { recursive: true });
  });

  it('tells of its checkpoints and keeps the newest three', async () => {
    await job(order, port);
    expect(told.map(({ type }) => type)).toEqual(['started', 'saved', 'saved', 'saved', 'saved', 'saved', 'finished']);
    const { store, close } = await openStore(workspaceIn(scratch));
    const ids: string[] = [];
    for await (const id of store.list()) ids.push(id);
    await close();
    expect(ids.sort()).toEqual(['word-index/chk-000003', 'word-index/chk-000004', 'word-index/chk-000005']);
  });

  it('ends with the same state when it was stopped between checkpoints and inside a save', async () => {
    await job({ ...order, directory: scratch }, port);
    const undisturbed = told.at(-1);
    rmSync(workspaceIn(scratch).checkpoints, { recursive: true });
    await expect(job({ ...order, killAt: { bytes: 6_000 } }, port)).rejects.toThrow('killed between checkpoints');
    await expect(job({ ...order, killAt: { insideSaveFrom: 9_000, chunk: 1 } }, port)).rejects.toThrow('killed inside a save');
    await expect(job({ ...order, killAt: { insideSaveFrom: 12_000, chunk: 99 } }, port)).rejects.toThrow('killed inside a save');
    told = [];
    await job(order, port);
    expect(told[0]).toMatchObject({ type: 'started' });
    expect(told.at(-1)).toEqual(undisturbed);
  });

  it('goes on from nothing new when everything was done already', async () => {
    await job(order, port);
    told = [];
    await job(order, port);
    expect(told.map(({ type }) => type)).toEqual(['started', 'finished']);
  });

  it('fails loudly when its process dies of something else', async () => {
    rmSync(workspaceIn(scratch).keyring);
    await expect(runJob(order, () => undefined)).rejects.toThrow('The job failed: There is no keyring');
  });

  it('fails loudly when its process does not even start', async () => {
    vi.stubEnv('NODE_OPTIONS', '--no-such-option');
    await expect(runJob(order, () => undefined)).rejects.toThrow('ended unexpectedly (exit code 9)');
    vi.unstubAllEnvs();
  });

  it('takes a process that stops where it was not asked to for a failure, not for a result', async () => {
    await expect(runUninterrupted({ ...order, killAt: { bytes: 1 } } as JobOrder, () => undefined)).rejects.toThrow('did not reach its end');
  });
});
