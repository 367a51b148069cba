/** CPU time of this process that a piece of work takes, all threads: what else the machine does is not in it. */
export function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return secondsSince(before);
}

/** CPU time since `process.cpuUsage()` was asked. */
export function secondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
