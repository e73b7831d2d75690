import type { Checkpoint } from "../checkpoint.ts";
import type { TaskLog } from "../define.ts";
import { TaskFailure } from "../failure.ts";
import type { Post } from "../post.ts";
import { Fault } from "../table/table.ts";
import { Pace } from "../web/pace.ts";
import { Ledger } from "./ledger.ts";
import type { Letters, Person } from "./letters.ts";
import type { People, Survey } from "./people.ts";

/** Mails on their way at once: those of the connections, and those whose checkpoint is being kept meanwhile. */
const LANES = 10;
/** Recipients that a server puts off, after which it is left alone for a while. */
const PUT_OFF_MAX = 1_000;
/** Recipients that are refused while none is accepted: it is not they, but the mail or its sender. */
const REFUSED_FIRST = 100;
/** Mails of an attempt that were handed over and not answered. */
const LOST_MAX = 20;
const WARNINGS_MAX = 100;
/** Milliseconds that mails on their way have to arrive when the task is to stop; less than the grace. */
const LINGER = 3_000;
/** Milliseconds until a server that puts mails off is asked again: RFC 5321, section 4.5.4.1, would have more. */
const LATER = 60_000;

export interface RoundOptions {
  readonly id: string;
  readonly post: Post;
  readonly letters: Letters;
  readonly people: People;
  readonly survey: Survey;
  readonly perSecond: number | undefined;
  readonly checkpoint: Checkpoint;
  readonly log: TaskLog;
  readonly signal: AbortSignal;
  readonly progress: (current: number, total: number, message: string) => void;
}

/** One attempt's way through the list. */
export class Round {
  readonly ledger: Ledger;
  /** Addresses of those who are to be named. */
  readonly named = new Map<number, string>();
  /** What the server said to those who were rejected in this attempt. */
  readonly answers = new Map<number, string>();
  /** Whether mails became files. */
  outbox = false;
  #failure: unknown;
  #lost = 0;
  #warnings = 0;

  constructor(readonly options: RoundOptions) {
    this.ledger = new Ledger(options.checkpoint);
  }

  /**
   * @throws {TaskFailure} retryable where another attempt may go on
   * @throws the signal's reason, when what was on its way has arrived
   */
  async walk(): Promise<void> {
    const { signal, log, survey: { total } } = this.options;
    const { ledger } = this;
    if (ledger.done > 0) log.info(`An earlier attempt has come as far as ${ledger.done} of ${total}.`);
    this.#tell();
    using patience = lingering(signal);
    const queue = this.#queue();
    const pace = new Pace();
    const lanes = Array.from({ length: LANES }, async () => {
      try {
        for await (const [place, person] of each(queue)) {
          await this.#turn(pace);
          await this.#send(place, person, patience.signal);
          this.#tell();
          if (this.#stopped) return;
        }
      } catch (error) {
        this.#failure ??= error;
      }
    });
    await Promise.all(lanes);
    await queue.return(undefined);
    await ledger.save();
    if (signal.aborted) log.info(`Stopped after ${ledger.done} of ${total}.`);
    signal.throwIfAborted();
    if (this.#failure) throw this.#failure;
    if (ledger.putOff > 0) throw this.#unfinished();
    if (ledger.sent === 0 && ledger.unknown.size === 0) throw this.#refused();
  }

  /** Those who are to be written to, each once; it notes the names of others on the way. */
  async *#queue(): AsyncGenerator<[number, Person]> {
    const { people, survey, log } = this.options;
    const { ledger } = this;
    let place = -1;
    for await (const batch of people()) {
      for (const person of batch) {
        place++;
        if (person instanceof Fault || survey.flawed.has(place)) continue;
        const { repeated, unknown, rejected } = ledger;
        if (repeated.has(place) || unknown.has(place) || rejected.has(place)) {
          this.named.set(place, person.address);
        }
        const again = repeated.has(place);
        if (!ledger.take(place)) continue;
        if (again) {
          log.warn(`${person.address} is sent the mail again: an attempt died while it was on its way.`);
        }
        yield [place, person];
      }
    }
  }

  get #stopped(): boolean {
    return this.#failure !== undefined || this.options.signal.aborted;
  }

  async #turn(pace: Pace): Promise<void> {
    const { perSecond, signal } = this.options;
    if (perSecond !== undefined) await pace.turn("", 1_000 / perSecond, signal);
    signal.throwIfAborted();
  }

  async #send(place: number, person: Person, patience: AbortSignal): Promise<void> {
    if (this.#stopped) return;
    const { id, post, letters, signal } = this.options;
    const { ledger } = this;
    const letter = letters.write(person, post.from, `${id}-${place}`);
    const tries = await ledger.begin(place);
    // While the checkpoint was kept.
    if (this.#stopped) return ledger.reopen(place, tries);
    let delivery;
    try {
      delivery = await post.deliver(letter, `${id}-${place}`, patience);
    } catch (error) {
      ledger.reopen(place, tries);
      throw error;
    }
    const { failure, rejected: [rejection], outbox } = delivery;
    this.outbox ||= outbox !== undefined;
    if (!failure) return ledger.accept(place);
    if (rejection) {
      const { smtpCode, message } = rejection;
      if (failure.retryable && ledger.postpone(place, tries, smtpCode)) return this.#checkPutOff(failure);
      if (!failure.retryable) ledger.reject(place, smtpCode);
      return this.#note(place, person, message, failure);
    }
    if (failure.code === "outcome_unknown") {
      ledger.lose(place);
      this.named.set(place, person.address);
      this.#warn(`${person.address}: ${failure.message}`);
      if (++this.#lost === LOST_MAX) throw unavailable("does not answer when mails are handed over", failure);
      return;
    }
    ledger.reopen(place, tries);
    if (!signal.aborted) throw failure;
  }

  #note(place: number, { address }: Person, message: string, failure: TaskFailure): void {
    const { ledger } = this;
    if (ledger.rejected.has(place)) {
      this.named.set(place, address);
      this.answers.set(place, message);
    }
    this.#warn(`${address} was rejected: ${message}`);
    if (ledger.sent === 0 && ledger.refused === REFUSED_FIRST) throw failure;
  }

  #checkPutOff(failure: TaskFailure): void {
    if (this.ledger.putOff > PUT_OFF_MAX) throw unavailable("puts off too many mails", failure);
  }

  #warn(message: string): void {
    if (this.#warnings++ < WARNINGS_MAX) this.options.log.warn(message);
  }

  #tell(): void {
    const { sent, refused, done } = this.ledger;
    this.options.progress(done, this.options.survey.total, `${sent} sent, ${refused} rejected`);
  }

  #unfinished(): TaskFailure {
    const { ledger: { done, putOff }, options: { survey: { total } } } = this;
    return new TaskFailure("partial_failure", `The mail server puts off ${putOff} of ${total} mails.`, {
      retryable: true,
      retryAfter: LATER,
      details: { succeeded: done, failed: putOff },
    });
  }

  #refused(): TaskFailure {
    const { refused, rejected: [first] } = this.ledger;
    return new TaskFailure("smtp_rejected", `The mail server refused all ${refused} mails.`, {
      ...(first && { details: { recipient: this.named.get(first[0]), smtpCode: first[1] } }),
    });
  }
}

function unavailable(what: string, cause: TaskFailure): TaskFailure {
  return new TaskFailure("smtp_unavailable", `The mail server ${what}.`, {
    retryable: true,
    retryAfter: LATER,
    cause,
  });
}

/** One queue for several: whoever stops does not end it for the others. */
function each<T>(queue: AsyncGenerator<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => ({ next: () => queue.next() }) };
}

/** Aborts a while after `signal` does. */
function lingering(signal: AbortSignal): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = () => timer ??= setTimeout(() => controller.abort(signal.reason), LINGER);
  if (signal.aborted) begin();
  signal.addEventListener("abort", begin);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", begin);
      clearTimeout(timer);
    },
  };
}
