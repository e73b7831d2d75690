/** Server-sent events (WHATWG HTML, 9.2.6), of an answer's body, with `fetch` rather than `EventSource`: that cannot send a key. */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The last that was given, by this event or by one before it. */
  readonly id: string;
}

/** Characters of one event; what is longer is no event of ours. */
const MAX_EVENT = 1 << 28;

/** Takes the text of a stream in pieces, and gives the events that are complete. */
export class EventParser {
  /** Milliseconds after which to connect again; `undefined` until the server says. */
  retry: number | undefined;
  #id: string;
  #event = "";
  #data: string[] = [];
  /** What has come of a line that is not complete. */
  #line = "";
  #size = 0;
  #begun = false;
  /** The last piece ended with a carriage return, which a line feed may complete. */
  #halfBreak = false;

  /** @param id of the last event before this stream */
  constructor(id = "") {
    this.#id = id;
  }

  push(piece: string): ServerEvent[] {
    let text = piece;
    if (text === "") return [];
    if (!this.#begun) {
      this.#begun = true;
      text = text.replace(/^\uFEFF/, "");
    }
    if (this.#halfBreak && text.startsWith("\n")) text = text.slice(1);
    this.#halfBreak = piece.endsWith("\r");
    const lines = text.split(/\r\n|\r|\n/);
    const events: ServerEvent[] = [];
    for (const [at, part] of lines.entries()) {
      this.#line += part;
      this.#size += part.length;
      if (this.#size > MAX_EVENT) throw new RangeError("An event is too large.");
      if (at === lines.length - 1) break;
      const event = this.#take(this.#line);
      if (event) events.push(event);
      this.#line = "";
    }
    return events;
  }

  #take(line: string): ServerEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const event = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    const empty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    this.#size = 0;
    return empty ? undefined : event;
  }
}

/** The events of a stream, one by one, until it ends. */
export async function* eventsOf(
  stream: ReadableStream<Uint8Array>,
  parser: EventParser,
  heard: () => void = () => {},
): AsyncGenerator<ServerEvent, void, void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Where the reader of the events went away the connection goes, too.
    await reader.cancel().catch(() => {});
  }
}
