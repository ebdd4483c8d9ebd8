import type { Directories } from './paths.ts';
import type { StepHook } from './steps.ts';

/** What every part of one store shares. */
export interface FileSystemContext {
  readonly directories: Directories;
  readonly step: StepHook;
}
