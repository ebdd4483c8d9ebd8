import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The AWS server of the testkit, in a process of its own, so that its work is not counted as ours. */
export async function startAwsServer(root) {
  const command = join(root, 'packages/testkit/dist/cli.js');
  const child = spawn(process.execPath, [command, 'aws', '--json', '--region', 'eu-west-1', '--alias', 'alias/bench'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  const { endpoint, control, region, credentials, key } = JSON.parse(line);
  return {
    keyId: key.aliasArn,
    keyArn: key.arn,
    client: { region, endpoint, credentials },
    /** How many requests came so far. */
    requests: async () => (await (await fetch(`${control}/requests`)).json()).requests.length,
    close: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}
