import { KeyfoldError, type Clock } from '@keyfold/core/provider';
import type { GcpPrincipalOptions } from './auth/principals.ts';

/** How a server is to be. Everything has a default. */
export interface GcpKmsServerOptions {
  /** The project of keys that are made without a name; `test-project` when left out. */
  readonly project?: string | undefined;
  /** Their location; `europe-west3` when left out. */
  readonly location?: string | undefined;
  /** A port of 127.0.0.1; 0, the default, takes any that is free. */
  readonly port?: number | undefined;
  /** The token of the first principal, which may do everything; drawn at random when left out. */
  readonly token?: string | undefined;
  /** Further principals; `addPrincipal` adds more of them later. */
  readonly principals?: readonly GcpPrincipalOptions[] | undefined;
  /** Whether calls without a token are refused. Without TLS the SDK sends none by itself, so false, the default, lets them do everything. */
  readonly requireToken?: boolean | undefined;
  /** Dates keys and drives generation, rotation and destruction; the machine's clock when left out. */
  readonly clock?: Clock | undefined;
  /** Judges the expiry of tokens; the machine's clock when left out. */
  readonly tokenClock?: Clock | undefined;
  /** How long the material of a new HSM version takes, in milliseconds by `clock`; 100 when left out. */
  readonly generationMs?: number | undefined;
}

/** Options with their defaults. */
export interface CheckedOptions {
  readonly project: string;
  readonly location: string;
  readonly generationMs: number;
}

/** @throws KeyfoldError CONFIG_INVALID */
export function checkOptions(options: GcpKmsServerOptions): CheckedOptions {
  const { project = 'test-project', location = 'europe-west3', generationMs = 100, port = 0 } = options;
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project)) throw invalid('project must be the id of a project, such as test-project');
  if (!/^[a-z0-9-]{1,63}$/.test(location)) throw invalid('location must be the name of a location, such as europe-west3');
  if (!Number.isSafeInteger(generationMs) || generationMs < 0) throw invalid('generationMs must be a whole number of milliseconds, 0 or more');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid('port must be a whole number of 0 to 65535');
  return { project, location, generationMs };
}

function invalid(what: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `GcpKmsServer: ${what}.`);
}
