import { readFile } from 'node:fs/promises';
import type { StackFile } from '../stack.ts';

/** What the operator's jobs answer (server/background.ts); amounts are atomic units, decimal. */
interface JobAnswers {
  collect: {
    collected: { transactionHash: string; amount: string; skipped: string[] }[];
    booked: { transactionHash: string; amount: string }[];
  };
  anchor: { size: number; root: string | null; cid: string | null; transactionHash: string | null };
}

/** Asks the relay, as its operator, to run a background job to its end. */
export async function runJob<Name extends keyof JobAnswers>(stack: StackFile, name: Name): Promise<JobAnswers[Name]> {
  const token = (await readFile(stack.operatorTokenFile, 'utf8')).trim();
  const response = await fetch(`${stack.relayUrl}/v1/operator/jobs/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the relay answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as JobAnswers[Name];
}
