import { Server, ServerCredentials, status, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { KeyfoldError } from '@keyfold/core/provider';
import type { Service } from 'protobufjs';
import type { StatusName } from './gcp-error.ts';

/** A request as it came in. */
export interface IncomingCall {
  readonly operation: string;
  readonly body: Buffer;
  readonly authorization: string | undefined;
}

/** What becomes of it; `reset` breaks the connection, `nothing` leaves the caller waiting. */
export type CallResult =
  | { readonly kind: 'answer'; readonly body: Buffer }
  | { readonly kind: 'status'; readonly code: StatusName; readonly message: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'nothing' };

/** Answers a request; what it throws is a defect of the server and comes as INTERNAL. */
export type CallHandler = (call: IncomingCall) => Promise<CallResult>;

/**
 * A gRPC server on 127.0.0.1. It has the sockets itself, so that it can reset one, and end all of
 * them at once whatever they are doing.
 */
export class GrpcEndpoint {
  /** `127.0.0.1:<port>`. */
  readonly address: string;
  readonly #listener: NetServer;
  readonly #grpc: Server;
  readonly #sockets: Map<string, Socket>;
  readonly #cancelled: { count: number };

  private constructor(parts: { listener: NetServer; grpc: Server; sockets: Map<string, Socket>; cancelled: { count: number } }) {
    this.#listener = parts.listener;
    this.#grpc = parts.grpc;
    this.#sockets = parts.sockets;
    this.#cancelled = parts.cancelled;
    this.address = `127.0.0.1:${(parts.listener.address() as AddressInfo).port}`;
  }

  /** @throws KeyfoldError CONFIG_INVALID when the port is not to be had */
  static async start(port: number, service: Service, handle: CallHandler): Promise<GrpcEndpoint> {
    const sockets = new Map<string, Socket>();
    const grpc = new Server();
    const cancelled = { count: 0 };
    addService(grpc, service, { sockets, cancelled, handle });
    const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = createServer((socket) => {
      const peer = `${String(socket.remoteAddress)}:${String(socket.remotePort)}`;
      sockets.set(peer, socket);
      socket.on('close', () => sockets.delete(peer)).on('error', () => socket.destroy());
      injector.injectConnection(socket);
    });
    await listen(listener, port);
    return new GrpcEndpoint({ listener, grpc, sockets, cancelled });
  }

  /** How many calls their clients broke off before the answer. */
  get cancelled(): number {
    return this.#cancelled.count;
  }

  /** Ends every connection, idle, busy or hanging, and stops listening. */
  async close(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#grpc.forceShutdown();
    await closed;
  }
}

/** What the handlers of a service share. */
interface Handling {
  readonly sockets: ReadonlyMap<string, Socket>;
  readonly cancelled: { count: number };
  readonly handle: CallHandler;
}

/** Every method of the service, in bytes both ways: what is in them is not this file's business. */
function addService(grpc: Server, service: Service, { sockets, cancelled, handle }: Handling): void {
  const same = (bytes: Buffer): Buffer => bytes;
  const handler =
    (operation: string): handleUnaryCall<Buffer, Buffer> =>
    (call, respond) => {
      let answered = false;
      // gRPC says it of streams that close just after their answer, too.
      call.on('cancelled', () => {
        if (!answered) cancelled.count++;
      });
      const authorization = call.metadata.get('authorization')[0]?.toString();
      void handle({ operation, body: call.request, authorization })
        .catch((): CallResult => ({ kind: 'status', code: 'INTERNAL', message: 'The server has a defect.' }))
        .then((result) => {
          answered = result.kind !== 'nothing';
          if (result.kind === 'answer') respond(null, result.body);
          else if (result.kind === 'status') respond({ code: status[result.code], details: result.message });
          else if (result.kind === 'reset') sockets.get(call.getPeer())?.resetAndDestroy();
        });
    };
  const methods = service.methodsArray.map(({ name }) => ({
    name,
    path: `${service.fullName.replace(/^\./, '/')}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }));
  const definition: ServiceDefinition = Object.fromEntries(methods.map(({ name, ...method }) => [name, method]));
  grpc.addService(definition, Object.fromEntries(methods.map(({ name }) => [name, handler(name)])));
}

async function listen(listener: NetServer, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error) => {
      reject(new KeyfoldError('CONFIG_INVALID', `Port ${port} of 127.0.0.1 cannot be used; choose another, or 0 for any that is free.`, { cause: error }));
    });
    listener.listen({ host: '127.0.0.1', port }, resolve);
  });
}
