import { momentOf, PHASES, type Profile, phaseOf, ratesOf } from './profile.ts';

/**
 * For ui.perfetto.dev and chrome://tracing: a row for each phase, its kernels with what they did, and the live bytes, in all
 * and by what they are for.
 * Google's "Trace Event Format": X is a kernel, C a counter, M a name.
 */
export function chromeTrace(profile: Profile): object {
  const { times, memory, roof, what, net } = profile;
  const name = (kind: string, tid: number, text: string) => ({
    name: kind,
    ph: 'M',
    pid: 1,
    tid,
    args: { name: text },
  });
  const names = [
    name('process_name', 0, `${net}, ${what}`),
    ...PHASES.map((phase, tid) => name('thread_name', tid, phase)),
  ];
  const kernels = times.map((time) => {
    const { label, layer, op, start, us, flops, bytes } = time;
    const { gflops, gbs, roofline, bound } = ratesOf([time], roof);
    const args = {
      op,
      layer,
      flops,
      bytes,
      'GFLOP/s': gflops,
      'GB/s': gbs,
      'of the roofline': roofline,
      'bound by': bound,
    };
    const phase = phaseOf(time);
    return { name: label, cat: phase, ph: 'X', ts: start, dur: us, pid: 1, tid: PHASES.indexOf(phase), args };
  });
  const counters = memory.points.flatMap(({ at, live, by }) => {
    const event = { ph: 'C', ts: momentOf(profile, at), pid: 1, tid: 0 };
    return [
      { ...event, name: 'live bytes', args: { bytes: live } },
      { ...event, name: 'live bytes by use', args: by },
    ];
  });
  return { displayTimeUnit: 'ms', traceEvents: [...names, ...kernels, ...counters] };
}
