import { Command } from 'commander';
import { KeyfoldError, systemClock } from '@keyfold/core/provider';
import { AwsKmsServer, type CreatedKey } from '../aws/aws-kms-server.ts';
import type { AwsCredentials } from '../aws/auth/principals.ts';
import { ControlServer } from '../control/control-server.ts';
import { ShiftedClock } from '../control/shifted-clock.ts';
import { collect, parseJsonFault, parsePort, type ServerFlags } from './flags.ts';
import type { CommandIo } from './io.ts';

/** The command line of the AWS KMS server. */
interface AwsFlags extends ServerFlags {
  readonly region: string;
  readonly otherRegion: readonly string[];
  readonly alias?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

const BANNER = 'Local AWS KMS server for tests. Keys live in memory and end with it: this is no KMS for production.';

/** `aws`: starts a server with one key and prints how to reach it. */
export function awsCommand(io: CommandIo): Command {
  return new Command('aws')
    .description(BANNER)
    .option('--port <number>', 'port of 127.0.0.1; 0 takes any that is free', parsePort, 0)
    .option('--control-port <number>', 'port of the control endpoint: /faults, /requests, /clock', parsePort, 0)
    .option('--region <name>', 'region that it plays', 'us-east-1')
    .option('--other-region <name>', 'further region; may be repeated', collect, [])
    .option('--alias <alias/name>', 'alias of the key that it starts with')
    .option('--access-key-id <id>', 'credentials to accept; drawn at random by default')
    .option('--secret-access-key <secret>', 'the secret of --access-key-id')
    .option('--fault <json>', 'fault to inject, such as {"kind":"throttle","operation":"Decrypt","count":3}; may be repeated', parseJsonFault, [])
    .option('--json', 'print one line of JSON', false)
    .action((flags: AwsFlags) => serve(flags, io));
}

async function serve(flags: AwsFlags, io: CommandIo): Promise<void> {
  const clock = new ShiftedClock(systemClock);
  const server = await AwsKmsServer.start({
    port: flags.port,
    region: flags.region,
    otherRegions: flags.otherRegion,
    clock,
    credentials: credentialsOf(flags),
  });
  let control: ControlServer | undefined;
  try {
    const key = server.createKey({ alias: flags.alias });
    for (const fault of flags.fault) server.faults.inject(fault);
    control = await ControlServer.start(flags.controlPort, { ...pick(server), clock });
    io.out(flags.json ? asJson(server, control, key) : asShell(server, control, key));
    await io.ended;
  } finally {
    await Promise.all([server.close(), control?.close()]);
  }
}

function credentialsOf({ accessKeyId, secretAccessKey }: AwsFlags): AwsCredentials | undefined {
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  throw new KeyfoldError('CONFIG_INVALID', 'Give --access-key-id and --secret-access-key together, or neither.');
}

function pick({ faults, requests }: AwsKmsServer): Pick<AwsKmsServer, 'faults' | 'requests'> {
  return { faults, requests };
}

function asJson({ endpoint, region, credentials }: AwsKmsServer, control: ControlServer, key: CreatedKey): string {
  return `${JSON.stringify({ notForProduction: true, endpoint, control: control.endpoint, region, credentials, key })}\n`;
}

/** Comments and assignments, so that a shell can take them over; every AWS SDK reads these variables. */
function asShell({ endpoint, region, credentials }: AwsKmsServer, control: ControlServer, key: CreatedKey): string {
  const lines = [
    `# ${BANNER}`,
    `export AWS_ENDPOINT_URL_KMS=${endpoint}`,
    `export AWS_REGION=${region}`,
    `export AWS_ACCESS_KEY_ID=${credentials.accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY='${credentials.secretAccessKey}'`,
    `# key      ${key.arn}`,
    ...(key.aliasArn === undefined ? [] : [`# alias    ${key.aliasArn}`]),
    `# control  ${control.endpoint}`,
    '# Ctrl-C ends it.',
  ];
  return `${lines.join('\n')}\n`;
}
