/** What a fault does: the step never happens, or it happens and its answer is lost. */
export type FaultMoment = 'before' | 'after';

/** Counts the steps of a run and breaks one of them, as a crash at that point would. */
export interface FaultInjector {
  /** The same object, whose methods count as steps. */
  wrap<T extends object>(target: T, methods: readonly (keyof T & string)[]): T;
  /** Steps so far, by name. */
  readonly steps: readonly string[];
}

/**
 * Breaks the step with the number `at` (from 0), and every step after it: a process that has crashed does nothing more.
 * Without `at` nothing breaks and the steps are only counted.
 */
export function createFaultInjector(fault: { at?: number; moment?: FaultMoment } = {}): FaultInjector {
  const { at = Number.POSITIVE_INFINITY, moment = 'before' } = fault;
  const steps: string[] = [];

  async function pass(name: string, action: () => unknown): Promise<unknown> {
    const number = steps.length;
    steps.push(name);
    if (number > at || (number === at && moment === 'before')) throw new Error(`fault before ${name}`);
    const result = await action();
    if (number === at) throw new Error(`fault after ${name}`);
    return result;
  }

  return {
    steps,
    wrap(target, methods) {
      const names: readonly (string | symbol)[] = methods;
      return new Proxy(target, {
        get(object, property, receiver) {
          const value: unknown = Reflect.get(object, property, receiver);
          if (!names.includes(property) || typeof value !== 'function') return value;
          return (...args: unknown[]) => pass(String(property), () => Reflect.apply(value, object, args) as unknown);
        },
      });
    },
  };
}
