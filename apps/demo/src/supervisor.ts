import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { JobMessage, JobOrder, JobResult } from './job-protocol.ts';

/** Compiled: the child is plain Node, also when this file runs in a test. */
const JOB = fileURLToPath(new URL('../dist/job-process.js', import.meta.url));

/** How one process of the job went. */
export interface Attempt {
  /** Bytes of input that its first checkpoint spared it. */
  readonly from: number;
  /** Checkpoints that it saved. */
  readonly saved: number;
  /** Where it was killed, or undefined when it reached the end. */
  readonly killed: string | undefined;
  /** Bytes of input behind the last checkpoint it saved or started from. */
  readonly reached: number;
  readonly result: JobResult | undefined;
}

/** Starts the job, kills it with SIGKILL when it reaches the ordered point, and waits until it is gone. */
export async function runJob(order: JobOrder, onSaved: (bytesDone: number) => void): Promise<Attempt> {
  const child = fork(JOB, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const attempt = { from: 0, saved: 0, killed: undefined as string | undefined, reached: 0, result: undefined as JobResult | undefined };
  let failure: string | undefined;
  child.on('message', (raw) => {
    const message = raw as JobMessage;
    switch (message.type) {
      case 'started':
        attempt.from = attempt.reached = message.from;
        break;
      case 'saved':
        attempt.saved++;
        attempt.reached = message.bytesDone;
        onSaved(message.bytesDone);
        break;
      case 'kill-me':
        attempt.killed = message.where;
        child.kill('SIGKILL');
        break;
      case 'failed':
        failure = message.message;
        break;
      case 'finished':
        attempt.result = message;
    }
  });
  child.send(order);
  const { code, signal } = await exit(child);
  if (failure !== undefined) throw new Error(`The job failed: ${failure}`);
  if (signal === null ? code !== 0 : attempt.killed === undefined) throw new Error(`The job ended unexpectedly (${signal ?? `exit code ${String(code)}`}).`);
  return attempt;
}

async function exit(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    // Nothing may outlive the demo, however it ends.
    const stop = (): void => void child.kill('SIGKILL');
    process.once('exit', stop);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('exit', stop);
      resolve({ code, signal });
    });
  });
}
