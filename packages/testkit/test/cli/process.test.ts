import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DescribeKeyCommand, KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

beforeAll(() => {
  // The built command must be the one under test.
  execFileSync(process.execPath, [file('../../node_modules/typescript/bin/tsc'), '-b', file('tsconfig.build.json')]);
}, 120_000);

describe('keyfold-testkit in a process of its own', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('serves until %s and then ends cleanly', async (signal) => {
    const child = spawn(process.execPath, [file('dist/cli.js'), 'aws', '--json', '--alias', 'alias/app'], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const client = new KMSClient(JSON.parse(line) as KMSClientConfig);
    onTestFinished(() => {
      client.destroy();
    });
    await client.send(new DescribeKeyCommand({ KeyId: 'alias/app' }));
    const exit = once(child, 'exit');
    child.kill(signal);
    expect(await exit).toEqual([0, null]);
  });
});
