import type { Browser } from 'playwright-core';

/** One task of a browser's thread. */
export interface Task {
  /** Of the thread's own clock: other programs on the same cores do not count. */
  readonly ms: number;
  /** The longest parts of it, in words of the browser. */
  readonly parts: string;
}

interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  /** Microseconds of the thread's clock. */
  readonly tdur: number;
  readonly args: {
    readonly name?: string;
    readonly data?: { readonly url?: string; readonly functionName?: string };
    readonly chrome_mojo_event_info?: { readonly mojo_interface_tag?: string };
  };
}

/** Threads whose long tasks a reader feels: pages listen and lay out on the one, and are drawn by the other. */
const THREADS = { CrRendererMain: 'page', CrGpuMain: 'drawing' } as const;
type Thread = (typeof THREADS)[keyof typeof THREADS];
const TASK = 'ThreadControllerImpl::RunTask';
/** Of what a test asks of a page only the page's own functions count. */
const COMMAND = 'blink.mojom.DevToolsSession';
const LEAST_PART_MS = 5;

const place = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
const within = (task: TraceEvent) => (event: TraceEvent) =>
  place(event) === place(task) && event.ts >= task.ts && event.ts + event.dur <= task.ts + task.dur;

/**
 * Whether at least half of a task is work for a page: scripts, layout, garbage. The browser has some of its own, such as
 * messages between its processes.
 */
const explained = (task: TraceEvent, events: readonly TraceEvent[]): boolean =>
  events.some((event) => event.cat.includes('devtools.timeline') && 2 * event.tdur >= task.tdur && within(task)(event));

/** From here on a browser writes down what its threads do. */
export const watchTasks = (browser: Browser): Promise<void> =>
  browser.startTracing(undefined, { categories: ['__metadata', 'toplevel', 'devtools.timeline'] });

/** The longest task of each thread since then. @param site of the pages: browsers have some of their own */
export async function longestTasks(browser: Browser, site: string): Promise<Record<Thread, Task>> {
  const { traceEvents }: { traceEvents: TraceEvent[] } = JSON.parse(String(await browser.stopTracing()));
  const ours = new Set(traceEvents.filter(({ args }) => args?.data?.url?.startsWith(site)).map(({ pid }) => pid));
  const threads = new Map<string, Thread>();
  for (const event of traceEvents) {
    const thread = THREADS[event.args?.name as keyof typeof THREADS];
    if (event.name !== 'thread_name' || !thread) continue;
    if (thread === 'drawing' || ours.has(event.pid)) threads.set(place(event), thread);
  }
  const longest: Partial<Record<Thread, TraceEvent>> = {};
  const commands = traceEvents.filter(({ args }) => args?.chrome_mojo_event_info?.mojo_interface_tag === COMMAND);
  for (const event of traceEvents) {
    const thread = threads.get(place(event));
    if (!thread || !(event.tdur > (longest[thread]?.tdur ?? 0))) continue;
    const task =
      event.name === TASK && !commands.some(within(event)) && (thread === 'drawing' || explained(event, traceEvents));
    const called = event.name === 'FunctionCall' && event.args.data?.url?.startsWith(site);
    if (task || called) longest[thread] = event;
  }
  const told = (task: TraceEvent | undefined): Task => {
    if (!task) throw new Error('the browser told of no tasks');
    const inside = traceEvents.filter(
      (event) => event !== task && event.tdur > 1000 * LEAST_PART_MS && within(task)(event),
    );
    const parts = inside.map(
      ({ name, tdur, args: { data } }) => `${name} ${data?.functionName ?? ''} ${data?.url ?? ''} ${tdur / 1000} ms`,
    );
    return { ms: task.tdur / 1000, parts: parts.join(', ') };
  };
  return { page: told(longest.page), drawing: told(longest.drawing) };
}
