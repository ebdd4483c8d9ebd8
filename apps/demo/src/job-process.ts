/** The entry of the job's own process: takes one order, tells how it goes, ends. */
import { job } from './job.ts';
import type { JobMessage, JobOrder } from './job-protocol.ts';

const tell = (message: JobMessage): void => {
  process.send?.(message);
};

async function awaitKill(where: string): Promise<never> {
  tell({ type: 'kill-me', where });
  return new Promise<never>(() => {
    setInterval(() => undefined, 60_000);
  });
}

// Nothing may outlive the demo: without a supervisor there is nobody to work for.
process.once('disconnect', () => {
  process.exit();
});

process.once('message', (order) => {
  job(order as JobOrder, { tell, awaitKill })
    .catch((error: unknown) => {
      tell({ type: 'failed', message: (error as Error).message });
      process.exitCode = 1;
    })
    .finally(() => {
      process.disconnect();
    });
});
