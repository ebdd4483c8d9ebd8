import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DemoArguments, USAGE, parseArguments } from './arguments.ts';
import { demo } from './demo.ts';

const DEFAULT_INPUT = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** The command: resolves to the exit code; 0 only when everything held. */
export async function run(argv: readonly string[]): Promise<number> {
  let options: DemoArguments | undefined;
  try {
    options = parseArguments(argv, DEFAULT_INPUT);
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-demo-'));
  const cleanUp = (): void => {
    if (!options.keep) rmSync(directory, { recursive: true, force: true });
  };
  const interrupted = (signal: NodeJS.Signals): void => {
    cleanUp();
    process.kill(process.pid, signal);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return (await demo(options, directory)) ? 0 : 1;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    cleanUp();
  }
}

function messageOf(error: unknown): string {
  return (error as Error).message;
}
