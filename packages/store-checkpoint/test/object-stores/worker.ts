import { execFile, execFileSync, type ExecFileException } from 'node:child_process';
import { join } from 'node:path';

const PACKAGE = join(import.meta.dirname, '../..');
const WORKER = join(PACKAGE, 'test/fixtures/object-store-worker.mjs');

/** The workers run what was built: a killed process must not take the test runner's loader with it. */
export function buildForWorkers(): void {
  const tsc = join(PACKAGE, '../../node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-b', join(PACKAGE, 'tsconfig.build.json')], { stdio: 'pipe' });
}

export interface WorkerResult {
  readonly lines: readonly string[];
  readonly signal: NodeJS.Signals | undefined;
}

export function runWorker(
  root: string,
  action: string,
  dieAt = -1,
  environment: Readonly<Record<string, string>> = {},
): Promise<WorkerResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [WORKER, root, action, String(dieAt)],
      { env: { ...process.env, ...environment } },
      (error: ExecFileException | null, stdout, stderr) => {
        const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
        resolve({ lines, signal: error?.signal ?? undefined });
      },
    );
  });
}
