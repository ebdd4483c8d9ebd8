import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

const COMMAND = join(dirname(createRequire(import.meta.url).resolve('@keyfold/testkit/package.json')), 'dist/cli.js');

/** What the command of the server prints. */
interface Address {
  readonly endpoint: string;
  readonly control: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly key: { readonly arn: string; readonly aliasArn?: string };
}

/** A server of AWS KMS in a process of its own, which ends with the test. */
export class AwsServer {
  readonly address: Address;

  private constructor(address: Address) {
    this.address = address;
  }

  static async start(alias: string): Promise<AwsServer> {
    const child = spawn(process.execPath, [COMMAND, 'aws', '--json', '--region', 'eu-west-1', '--alias', alias], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => ended(child));
    for await (const line of createInterface(child.stdout)) return new AwsServer(JSON.parse(line) as Address);
    throw new Error('the server ended before it said where it is');
  }

  /** Makes requests fail, see Fault of `@keyfold/testkit/aws`. */
  async inject(fault: object): Promise<void> {
    await this.#control('POST', '/faults', fault);
  }

  async clearFaults(): Promise<void> {
    await this.#control('DELETE', '/faults');
  }

  /** How many requests of an operation have come so far. */
  async requests(operation: string): Promise<number> {
    const { requests } = (await this.#control('GET', `/requests?operation=${operation}`)) as { requests: unknown[] };
    return requests.length;
  }

  async #control(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.address.control}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.status === 204 ? undefined : response.json();
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
