import { createLocalKeyFile, LocalKms } from '@keyfold/kms-local';
import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { DemoArguments } from './arguments.ts';
import { runThroughCrashes, runUninterrupted } from './crashes.ts';
import { lookAtRawBytes, provokeRefusals, rotateAndRewrap } from './evidence.ts';
import { findInput } from './input.ts';
import { Report } from './report.ts';
import { type Workspace, workspaceIn } from './store.ts';

/** Runs the whole demo in a directory of its own; resolves to whether everything held. */
export async function demo(options: DemoArguments, directory: string): Promise<boolean> {
  const started = performance.now();
  const root = resolve(options.input);
  const input = findInput(root, options.maxBytes);
  if (input.files.length === 0) throw new Error(`There are no text files at ${root}. Name a file or directory that has some.`);
  const report = new Report(options.json);
  report.input(relative(process.cwd(), root), input);
  const crashed = await prepare(join(directory, 'crashed'));
  const undisturbed = await prepare(join(directory, 'undisturbed'));
  const onSaved = (bytesDone: number): void => {
    report.advance(bytesDone);
  };
  const order = { input: root, maxBytes: options.maxBytes };

  report.begin('reference', input.bytes);
  const reference = await runUninterrupted({ ...order, directory: undisturbed.directory }, onSaved);
  report.finish();
  report.uninterrupted(reference);
  report.heading('Killed three times, resumed from encrypted checkpoints');
  const run = await runThroughCrashes({ ...order, directory: crashed.directory }, input, options.seed, {
    onStart: (number) => {
      report.begin(`process ${number}`, input.bytes);
    },
    onSaved,
    onEnd: (number, attempt) => {
      report.finish();
      report.attempt(number, attempt, input.bytes);
    },
  });
  report.same(run.final, reference);

  const { checkpoint } = run.final;
  report.heading('What the disk shows');
  const raw = await lookAtRawBytes(crashed.workspace, checkpoint);
  report.rawBytes(raw, relative(crashed.directory, raw.file));
  report.heading('What is refused');
  const refusals = await provokeRefusals(crashed.workspace, checkpoint, directory, options.seed);
  report.refusals(refusals);
  report.heading('Rotation');
  const rotation = await rotateAndRewrap(crashed.workspace, checkpoint);
  report.rotation(rotation, reference.sha256);

  const kills = run.attempts.filter((attempt) => attempt.killed !== undefined).length;
  const ok =
    kills === 3 &&
    run.final.sha256 === reference.sha256 &&
    raw.found === 0 &&
    refusals.every(({ code }) => code !== 'NOT_REFUSED') &&
    rotation.dataFilesUntouched &&
    rotation.readable === rotation.rewrapped &&
    rotation.sha256 === reference.sha256;
  const seconds = (performance.now() - started) / 1000;
  report.end(ok, seconds, options.keep ? directory : undefined);
  if (options.json) {
    console.log(JSON.stringify({ ok, seconds, kills, files: input.files.length, bytes: input.bytes, state: run.final, reference, raw, refusals, rotation }));
  }
  return ok;
}

async function prepare(directory: string): Promise<{ readonly directory: string; readonly workspace: Workspace }> {
  const workspace = workspaceIn(directory);
  mkdirSync(join(directory, 'keys'), { recursive: true, mode: 0o700 });
  await createLocalKeyFile(workspace.keyFile);
  await (await LocalKms.create(workspace.keyring, { keyFile: workspace.keyFile })).close();
  return { directory, workspace };
}
