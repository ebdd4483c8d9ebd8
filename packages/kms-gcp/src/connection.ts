import { makeClient, type MadeClient } from './make-client.ts';
import { sameSettings, type ClientSettings } from './options.ts';
import type { GcpKmsApi } from './sdk.ts';

/** A client that has its credentials, and what its calls have to send with them. */
export interface Ready {
  readonly api: GcpKmsApi;
  readonly headers: Readonly<Record<string, string>>;
}

/** A way to a client of the SDK. */
export interface Connection {
  /** Rejects with what the SDK gives when there are no credentials. */
  ready(): Promise<Ready>;
  close(): Promise<void>;
}

/** A client of the user's, which stays the user's to close. */
export function yours(api: GcpKmsApi): Connection {
  return {
    ready: async () => {
      // Without this a call of a client that has no credentials ends the process, by an unhandled rejection.
      await api.initialize();
      return { api, headers: {} };
    },
    close: () => Promise.resolve(),
  };
}

/** A client that was made here, and how many keys are open with it. */
interface Shared {
  readonly settings: ClientSettings;
  client: Promise<MadeClient> | undefined;
  users: number;
}

/** The clients of this process: each costs a channel and memory that gRPC does not give back, so keys with the same settings share one. */
const clients: Shared[] = [];

/** A share in the process's client of these settings; the last one to close ends it. */
export function share(settings: ClientSettings): Connection {
  const shared = clients.find((each) => sameSettings(each.settings, settings)) ?? added(settings);
  shared.users++;
  return {
    ready: async () => {
      const { api, headers } = await initialized(shared);
      return { api, headers: await headers() };
    },
    close: async () => {
      shared.users--;
      if (shared.users > 0) return;
      clients.splice(clients.indexOf(shared), 1);
      await end(shared.client);
    },
  };
}

/** How many clients of the SDK this process has; for tests. */
export function openClients(): number {
  return clients.length;
}

function added(settings: ClientSettings): Shared {
  const shared: Shared = { settings, client: undefined, users: 0 };
  clients.push(shared);
  return shared;
}

/** A client keeps the failure of its first initialisation for ever: one that failed is given up, and the next call makes another. */
async function initialized(shared: Shared): Promise<MadeClient> {
  shared.client ??= makeClient(shared.settings);
  const { client } = shared;
  try {
    return await client;
  } catch (error) {
    if (shared.client === client) shared.client = undefined;
    throw error;
  }
}

/** What does not close is of no use to anybody either. */
async function end(client: Promise<MadeClient> | undefined): Promise<void> {
  await client?.then(({ api }) => api.close()).catch(() => undefined);
}
