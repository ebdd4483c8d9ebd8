import { systemClock } from '../clock.ts';
import { systemRandomSource } from '../crypto/random.ts';
import { CheckpointSealer, type SealCheckpointOptions } from './checkpoint-sealer.ts';

export type { CheckpointSealer, SealCheckpointOptions };

/**
 * Begins to seal a checkpoint, with random from the operating system: no caller
 * ever supplies a nonce, a salt or a DEK. One call to the KMS.
 * @throws KeyfoldError INVALID_ARGUMENT, LIMIT_EXCEEDED, and what the KMS gives
 */
export function sealCheckpoint(options: SealCheckpointOptions): Promise<CheckpointSealer> {
  return CheckpointSealer.begin(options, { random: systemRandomSource, clock: options.clock ?? systemClock });
}
