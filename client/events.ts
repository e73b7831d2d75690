/** A stream of events that outlives its connections. */
import { type Http, sleep } from "./http.ts";
import { ErrandProblem } from "./problem.ts";
import { EventParser, eventsOf } from "./sse.ts";

/** Milliseconds before a lost connection is made anew, until the service says otherwise. */
const RETRY = 2_000;
/** Without a sign of life for as long the connection is taken for dead: the service sends one every 15 s. */
const SILENCE = 45_000;

export interface EventOptions {
  readonly signal?: AbortSignal;
  /** Begin behind this event. */
  readonly lastEventId?: string;
}

interface Told {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

/**
 * Events of `path`, their data parsed, connecting anew where the connection was lost, without a gap (`Last-Event-ID`), until `last` has
 * come, the service has no more (204), or the reader leaves.
 */
export async function* follow<Event extends Told>(
  http: Http,
  path: string,
  options: EventOptions,
  last: (event: Event) => boolean,
): AsyncGenerator<Event, void, void> {
  let id = options.lastEventId ?? "";
  let retry = RETRY;
  while (true) {
    const connection = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, connection.signal]) : connection.signal;
    let watch: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(() => connection.abort(), SILENCE);
    };
    const parser = new EventParser(id);
    try {
      const headers = { accept: "text/event-stream", ...(id !== "" && { "last-event-id": id }) };
      const { status, body } = await http.send({ method: "GET", path, headers, signal }, (answer) => answer);
      if (status === 204 || body === null) return;
      heard();
      for await (const sent of eventsOf(body, parser, heard)) {
        const event = { ...sent, data: JSON.parse(sent.data) } as Event;
        id = event.id;
        yield event;
        if (last(event)) return;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      // What the service refuses it would refuse again. A connection that breaks off gives neither.
      if (error instanceof ErrandProblem || error instanceof RangeError || error instanceof SyntaxError) {
        throw error;
      }
    } finally {
      clearTimeout(watch);
      connection.abort();
    }
    retry = parser.retry ?? retry;
    await sleep(retry * (0.5 + Math.random()), options.signal);
  }
}
