import { InvalidArgumentError } from 'commander';
import { isKeyfoldError } from '@keyfold/core/provider';
import type { Fault } from '../faults/fault.ts';
import { parseFault } from '../faults/parse-fault.ts';

/** What the commands of all servers take. */
export interface ServerFlags {
  readonly port: number;
  readonly controlPort: number;
  readonly fault: readonly Fault[];
  readonly json: boolean;
}

/** A port number. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a number of 0 to 65535.');
  return port;
}

/** A flag that may be repeated. */
export function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** A fault as JSON; may be repeated. */
export function parseJsonFault(text: string, before: readonly Fault[]): readonly Fault[] {
  try {
    return [...before, parseFault(JSON.parse(text))];
  } catch (error) {
    throw new InvalidArgumentError(isKeyfoldError(error) ? error.message : 'Write it as JSON.');
  }
}
