import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Another site on this machine: one page of HTML at every path. */
export class Elsewhere {
  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(html: () => string): Promise<Elsewhere> {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html());
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    return new Elsewhere(server, (server.address() as AddressInfo).port);
  }

  /** Another origin of the same site: browsers send it the cookies that are `SameSite=Lax`. */
  get sibling(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Another site altogether. */
  get stranger(): string {
    return `http://localhost:${this.port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
