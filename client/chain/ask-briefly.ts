import { AutoPayError } from '../../protocol/errors/auto-pay-error.ts';

/** So long an answer waits for the chain, which is much longer than an endpoint that is well takes. */
const patienceMs = 2_000;

/**
 * Makes what asks a chain while an answer waits. A question that is not answered in time fails, and goes on by itself; as long as one
 * is open that long, further ones fail at once: a chain that hangs costs one wait, not one for each answer.
 * @returns throws AutoPayError `chain_unavailable` in these cases, else what the question throws.
 */
export function createBriefAsker(): <T>(ask: () => Promise<T>) => Promise<T> {
  let overdue = 0;
  const failure = () => new AutoPayError('chain_unavailable', 'The RPC endpoint takes too long. Check it, or its URL.');
  return async (ask) => {
    if (overdue > 0) throw failure();
    const asked = ask();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      overdue += 1;
      const end = () => void (overdue -= 1);
      asked.then(end, end);
      reject(failure());
    }, patienceMs);
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
