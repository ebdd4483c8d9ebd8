import { Command, CommanderError } from 'commander';
import { isKeyfoldError } from '@keyfold/core/provider';
import { awsCommand } from './aws-command.ts';
import { gcpCommand } from './gcp-command.ts';
import type { CommandIo } from './io.ts';

/** Each server has its command here. */
const COMMANDS: readonly ((io: CommandIo) => Command)[] = [awsCommand, gcpCommand];

/**
 * Runs the command line.
 *
 * @param args what follows the program's name
 * @returns the exit code
 */
export async function runCli(args: readonly string[], io: CommandIo): Promise<number> {
  const program = new Command('keyfold-testkit').description('Local key services for tests; none of them is for production.');
  for (const make of COMMANDS) program.addCommand(make(io));
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: io.out, writeErr: io.err });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (!isKeyfoldError(error)) throw error;
    io.err(`${error.message}\n`);
    return 1;
  }
}
