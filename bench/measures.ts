/** What is measured: each function answers rows of the table. `bench/README.md` explains them. */
import { wrk } from "./load.ts";
import { median, milliseconds, perSecond, quantile, type Row } from "./report.ts";
import { pause, Program, Service } from "./service.ts";

const NOOP = { type: "noop", input: { n: 1 } };

/** How long and how often the rates are measured. */
export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}

/** Accepting, and accepting until all is done, against the ceiling: in turns, so that all see the same machine. */
export async function rates({ rounds, seconds }: Effort): Promise<Row[]> {
  await using ceiling = await Program.start(["bench/ceiling.ts"]);
  await using service = await Service.start();
  const ceilingUrl = `${ceiling.url}/v1/tasks`;
  await wrk(ceilingUrl, 1, NOOP);
  await endToEnd(service, 1);
  const [ceilings, accepts, ends]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    ceilings.push((await wrk(ceilingUrl, seconds, NOOP)).rate);
    const { accepted, done } = await endToEnd(service, seconds);
    accepts.push(accepted);
    ends.push(done);
  }
  const most = median(ceilings);
  return [
    { measure: "ceiling: bare Hono route", figure: spread(ceilings) },
    {
      measure: "accept: POST /v1/tasks",
      figure: spread(accepts),
      ratio: median(accepts) / most,
      aim: { atLeast: 0.5 },
    },
    {
      measure: "end to end: until all are done",
      figure: spread(ends),
      ratio: median(ends) / most,
      aim: { atLeast: 0.45 },
    },
  ];
}

/** Tasks a second: accepted while the load lasts, and done from the first `POST` to the last end. */
async function endToEnd(service: Service, seconds: number): Promise<{ accepted: number; done: number }> {
  const before = await service.finished();
  const started = performance.now();
  const { requests, rate } = await wrk(service.tasksUrl, seconds, NOOP);
  await service.finishedAtLeast(before + requests);
  const done = requests / ((performance.now() - started) / 1000);
  await service.quiet();
  return { accepted: rate, done };
}

/** 2,000 tasks that wait 50 ms each, from a type's first task on. */
export async function sleeps(): Promise<Row[]> {
  const [count, ms, concurrency, clients] = [2_000, 50, 32, 64];
  await using service = await Service.start();
  const started = performance.now();
  for (let sent = 0; sent < count; sent += clients) {
    const some = Math.min(clients, count - sent);
    await Promise.all(Array.from({ length: some }, () => service.submit("sleep", { ms })));
  }
  await service.finishedAtLeast(count);
  const elapsed = performance.now() - started;
  const ideal = count / concurrency * ms;
  return [{
    measure: `${count} × sleep ${ms} ms, ${concurrency} at once`,
    figure: `${milliseconds(elapsed)} (ideal ${milliseconds(ideal)})`,
    ratio: elapsed / ideal,
    aim: { atMost: 3 },
  }];
}

/**
 * How long a `GET` takes while all CPUs are busy with tasks, against an idle service: in turns. The same is asked of
 * the ceiling while Errand's runners are busy: what it waits, the operating system makes everybody wait.
 */
export async function latency(): Promise<Row[]> {
  const [turns, tasks] = [3, 8];
  await using ceiling = await Program.start(["bench/ceiling.ts"]);
  await using service = await Service.start();
  const { id } = await service.submit("noop", { n: 1 });
  await service.succeeded(id);
  const get = () => service.task(id);
  const bare = () => fetch(`${ceiling.url}/livez`).then((response) => response.text());
  await paced(get);
  await paced(bare);
  const [idle, busy, control]: [number[], number[], number[]] = [[], [], []];
  for (let turn = 0; turn < turns; turn++) {
    idle.push(...await paced(get));
    const primes = await Promise.all(
      Array.from({ length: tasks }, () => service.submit("count-primes", { upTo: 1e10 })),
    );
    // Those that come first run first: as many at once as the type's concurrency, one less than there are CPUs.
    const first = primes.slice(0, Math.max(1, navigator.hardwareConcurrency - 1));
    await Promise.all(first.map((task) => service.reached(task.id, "running")));
    busy.push(...await paced(get));
    control.push(...await paced(bare));
    for (const task of first) {
      const { status } = await service.task(task.id);
      if (status !== "running") throw new Error(`count-primes was ${status}: the runners were not busy.`);
    }
    for (const task of primes.toReversed()) await service.cancel(task.id);
    await Promise.all(primes.map((task) => service.ended(task.id)));
  }
  const row = (measure: string, times: readonly number[]) => ({
    measure,
    figure: `${milliseconds(quantile(times, 0.99))} (p50 ${milliseconds(median(times))})`,
    ratio: quantile(times, 0.99) / quantile(idle, 0.99),
  });
  return [
    { ...row("GET, p99, idle", idle), ratio: undefined },
    { ...row("GET, p99, all runners busy", busy), aim: { atMost: 2 } },
    row("the same of the bare Hono route", control),
  ];
}

/**
 * 1,000 requests one after the other, 200 a second. One that starts late because the one before it took long counts
 * from when it was due: what blocks the service cannot hide in the pause that it causes.
 */
export async function paced(ask: () => Promise<unknown>): Promise<number[]> {
  const [samples, step] = [1_000, 5];
  const times: number[] = [];
  for (let due = performance.now() + step; times.length < samples; due += step) {
    const ahead = due - performance.now();
    if (ahead > 0) await pause(ahead);
    const from = ahead > 0 ? performance.now() : due;
    await ask();
    times.push(performance.now() - from);
  }
  return times;
}

/** From `POST` to done: a type's first task, whose runner must start, and the ones after it. */
export async function firstTask(): Promise<Row[]> {
  const [types, warmPerType] = [5, 40];
  await using service = await Service.start();
  const roundTrip = async (type: string) => {
    const started = performance.now();
    const { id } = await service.submit(type, { n: 1 });
    await service.succeeded(id);
    return performance.now() - started;
  };
  await roundTrip("noop");
  const [cold, warm]: [number[], number[]] = [[], []];
  for (let type = 1; type <= types; type++) {
    cold.push(await roundTrip(`cold${type}`));
    for (let again = 0; again < warmPerType; again++) warm.push(await roundTrip(`cold${type}`));
  }
  return [
    { measure: "first task of a cold type, p50", figure: milliseconds(median(cold)) },
    { measure: "task of a warm type, p50", figure: milliseconds(median(warm)) },
  ];
}

/** What many finished tasks that are still kept cost: in memory, and in speed. */
export async function retained(count: number, { seconds }: Effort): Promise<Row[]> {
  await using service = await Service.start({ RETENTION_BYTES: "100GiB" });
  await endToEnd(service, 1);
  const before = await speeds(service, seconds);
  const [few, rss] = [await service.finished(), service.rss()];
  while (await service.finished() < few + count) await endToEnd(service, 2);
  const [many, fullRss] = [await service.finished(), service.rss()];
  const after = await speeds(service, seconds);
  const kept = `${many.toLocaleString("en")} finished tasks`;
  const change = (verb: "post" | "get") => ({
    measure: `${verb.toUpperCase()} with ${kept}`,
    figure: `${perSecond(after[verb])} (with few: ${perSecond(before[verb])})`,
    ratio: after[verb] / before[verb],
    aim: { atLeast: 0.8 },
  });
  return [change("post"), change("get"), {
    measure: "KB of memory for each of them",
    figure: `RSS ${mib(fullRss)} (with few: ${mib(rss)})`,
    ratio: (fullRss - rss) / (many - few) / 1000,
    aim: { atMost: 1.5 },
  }];
}

async function speeds(service: Service, seconds: number): Promise<{ post: number; get: number }> {
  const { accepted: post } = await endToEnd(service, seconds);
  const { id } = await service.submit("noop", { n: 1 });
  await service.succeeded(id);
  const { rate: get } = await wrk(`${service.tasksUrl}/${id}`, seconds);
  return { post, get };
}

function spread(rates: readonly number[]): string {
  return `${perSecond(median(rates))} (${perSecond(Math.min(...rates))} – ${perSecond(Math.max(...rates))})`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}
