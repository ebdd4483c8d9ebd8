import { Command } from 'commander';
import { systemClock } from '@keyfold/core/provider';
import { ControlServer } from '../control/control-server.ts';
import { ShiftedClock } from '../control/shifted-clock.ts';
import type { CreatedCryptoKey, GcpKmsServer } from '../gcp/gcp-kms-server.ts';
import type { ProtectionLevel } from '../gcp/keys/key-version.ts';
import { parseJsonFault, parsePort, type ServerFlags } from './flags.ts';
import type { CommandIo } from './io.ts';

/** The command line of the Google Cloud KMS server. */
interface GcpFlags extends ServerFlags {
  readonly project: string;
  readonly location: string;
  readonly keyRing: string;
  readonly key: string;
  readonly hsm: boolean;
  readonly token?: string;
  readonly requireToken: boolean;
}

const BANNER = 'Local Google Cloud KMS server for tests. Keys live in memory and end with it: this is no KMS for production.';

/** `gcp`: starts a server with one key and prints how to reach it. */
export function gcpCommand(io: CommandIo): Command {
  return new Command('gcp')
    .description(BANNER)
    .option('--port <number>', 'port of 127.0.0.1; 0 takes any that is free', parsePort, 0)
    .option('--control-port <number>', 'port of the control endpoint: /faults, /requests, /clock', parsePort, 0)
    .option('--project <id>', 'project of the key that it starts with', 'test-project')
    .option('--location <name>', 'location of that key', 'europe-west3')
    .option('--key-ring <id>', 'KeyRing of that key', 'ring')
    .option('--key <id>', 'last part of the name of that key', 'app')
    .option('--hsm', 'make it a key of an HSM', false)
    .option('--token <token>', 'bearer token to accept; drawn at random by default')
    .option('--require-token', 'refuse calls without a token', false)
    .option('--fault <json>', 'fault to inject, such as {"kind":"throttle","operation":"Decrypt","count":3}; may be repeated', parseJsonFault, [])
    .option('--json', 'print one line of JSON', false)
    .action((flags: GcpFlags) => serve(flags, io));
}

async function serve(flags: GcpFlags, io: CommandIo): Promise<void> {
  const { port, project, location, token, requireToken } = flags;
  const clock = new ShiftedClock(systemClock);
  // gRPC is loaded here and nowhere else: the other servers do without.
  const { GcpKmsServer: Server } = await import('../gcp/gcp-kms-server.ts');
  const server = await Server.start({ port, project, location, token, requireToken, clock });
  let control: ControlServer | undefined;
  try {
    const protectionLevel: ProtectionLevel = flags.hsm ? 'HSM' : 'SOFTWARE';
    const key = server.createCryptoKey({ keyRing: flags.keyRing, id: flags.key, protectionLevel });
    for (const fault of flags.fault) server.faults.inject(fault);
    const { faults, requests } = server;
    control = await ControlServer.start(flags.controlPort, { faults, requests, clock });
    io.out(flags.json ? asJson(server, control, key) : asShell(server, control, key));
    await io.ended;
  } finally {
    await Promise.all([server.close(), control?.close()]);
  }
}

function asJson({ address, host, port, token }: GcpKmsServer, control: ControlServer, key: CreatedCryptoKey): string {
  return `${JSON.stringify({ notForProduction: true, address, host, port, control: control.endpoint, token, key })}\n`;
}

/** Comments and assignments, so that a shell can take them over. Google's SDKs read none of these by themselves. */
function asShell({ address, token }: GcpKmsServer, control: ControlServer, key: CreatedCryptoKey): string {
  const lines = [
    `# ${BANNER}`,
    `export KMS_ADDRESS=${address}`,
    `export KMS_TOKEN='${token}'`,
    `export KMS_KEY=${key.name}`,
    `# control  ${control.endpoint}`,
    '# Ctrl-C ends it.',
  ];
  return `${lines.join('\n')}\n`;
}
