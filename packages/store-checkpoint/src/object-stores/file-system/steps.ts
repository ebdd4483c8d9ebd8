/**
 * The moments between two effects on the disk, in the order in which they come
 * to pass. Tests stop, kill or fail a writer at each; nothing else uses them.
 */
export type Step =
  | 'stage:opened'
  | 'stage:written'
  | 'stage:synced'
  | 'replace:renamed'
  | 'create:linked'
  | 'swap:compared'
  | 'swap:enclosed'
  | 'swap:ready'
  | 'swap:entering'
  | 'swap:claimed'
  | 'swap:verified'
  | 'swap:published'
  | 'swap:cleaned'
  | 'help:found'
  | 'help:verified'
  | 'help:published'
  | 'retire:enclosed'
  | 'retire:claimed'
  | 'retire:verified'
  | 'retire:taken'
  | 'retire:cleaned'
  | 'delete:unlinked'
  | 'unstaged'
  | 'directory:synced';

export type StepHook = (step: Step) => void | Promise<void>;

/** Where a test puts its hook in the options; not part of the package's entry. */
export const STEP_HOOK: unique symbol = Symbol('keyfold.file-system.step-hook');
