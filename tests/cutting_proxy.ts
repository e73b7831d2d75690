/** A TCP proxy whose connections can be cut. */
export class CuttingProxy implements AsyncDisposable {
  readonly url: string;
  readonly #listener: Deno.TcpListener;
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;

  /** @param target where new connections lead, such as `http://127.0.0.1:8000` */
  constructor(public target: string) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.url = `http://127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  async #accept(): Promise<void> {
    const passing: Promise<void>[] = [];
    for await (const near of this.#listener) {
      const port = Number(new URL(this.target).port);
      const far = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      if (far === undefined) {
        near.close();
        continue;
      }
      this.#sockets.add(near).add(far);
      passing.push(this.#pass(near, far), this.#pass(far, near));
    }
    await Promise.all(passing);
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    await from.readable.pipeTo(to.writable).catch(() => {});
    for (const socket of [from, to]) this.#close(socket);
  }

  #close(socket: Deno.TcpConn): void {
    if (!this.#sockets.delete(socket)) return;
    try {
      socket.close();
    } catch { /* The pipe was faster. */ }
  }

  /** All connections that there are break off. */
  cut(): void {
    for (const socket of this.#sockets) this.#close(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }
}
