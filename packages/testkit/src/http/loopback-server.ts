import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeyfoldError } from '@keyfold/core/provider';

/** Answers a request; what it throws is a defect of the server and resets the connection. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** An HTTP server on 127.0.0.1 that ends at once, whatever its connections are doing. */
export class LoopbackServer {
  readonly #server: Server;
  /** For example `http://127.0.0.1:40321`. */
  readonly endpoint: string;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @throws KeyfoldError CONFIG_INVALID when the port is not to be had */
  static async start(port: number, handler: RequestHandler): Promise<LoopbackServer> {
    const server = createServer((request, response) => {
      handler(request, response).catch(() => request.socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        reject(
          new KeyfoldError('CONFIG_INVALID', `Port ${port} of 127.0.0.1 cannot be used; choose another, or 0 for any that is free.`, {
            cause: error,
          }),
        );
      });
      server.listen({ host: '127.0.0.1', port }, resolve);
    });
    return new LoopbackServer(server);
  }

  /** Ends every connection, idle, busy or hanging, and stops listening. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeAllConnections();
    await closed;
  }
}
