import type { Input } from './input.ts';
import type { JobOrder, JobResult, KillPoint } from './job-protocol.ts';
import { seededRandom } from './seeded-random.ts';
import { type Attempt, runJob } from './supervisor.ts';

const CHECKPOINTS = 12;

export interface CrashRun {
  readonly attempts: readonly Attempt[];
  readonly final: JobResult;
}

/** Told how the processes of the job come and go; they are numbered from 1. */
export interface JobObserver {
  readonly onStart: (number: number) => void;
  readonly onSaved: (bytesDone: number) => void;
  readonly onEnd: (number: number, attempt: Attempt) => void;
}

/** Runs the job to its end through three kills: between checkpoints, inside a save, and between checkpoints again. */
export async function runThroughCrashes(
  order: Omit<JobOrder, 'checkpoints' | 'killAt'>,
  input: Input,
  seed: number,
  observer: JobObserver,
): Promise<CrashRun> {
  const attempts: Attempt[] = [];
  for (const killAt of [...killPoints(input.bytes, seed), undefined]) {
    const number = attempts.length + 1;
    observer.onStart(number);
    const attempt = await runJob({ ...order, checkpoints: CHECKPOINTS, ...(killAt && { killAt }) }, observer.onSaved);
    attempts.push(attempt);
    observer.onEnd(number, attempt);
  }
  return { attempts, final: requireResult(attempts.at(-1)) };
}

/** The same job in one go. */
export async function runUninterrupted(
  order: Omit<JobOrder, 'checkpoints' | 'killAt'>,
  onSaved: (bytesDone: number) => void,
): Promise<JobResult> {
  return requireResult(await runJob({ ...order, checkpoints: CHECKPOINTS }, onSaved));
}

function requireResult(attempt: Attempt | undefined): JobResult {
  if (attempt?.result === undefined) throw new Error('The job did not reach its end.');
  return attempt.result;
}

/** Each in its own third of the input, so that every restart has something to resume. */
function killPoints(bytes: number, seed: number): KillPoint[] {
  const random = (purpose: string): number => seededRandom(seed, purpose);
  return [
    { bytes: Math.ceil(bytes * (0.12 + 0.2 * random('first'))) },
    { insideSaveFrom: Math.ceil(bytes * (0.42 + 0.2 * random('save'))), chunk: 1 + Math.floor(4 * random('chunk')) },
    { bytes: Math.ceil(bytes * (0.75 + 0.2 * random('third'))) },
  ];
}
