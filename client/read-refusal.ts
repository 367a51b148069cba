import { z } from 'zod';
import { amountSchema, type ChallengeEcho } from '../protocol/mpp/session-schemas.ts';
import { parseChallenges } from '../protocol/mpp/challenge.ts';
import { AutoPayError } from '../protocol/errors/auto-pay-error.ts';

/** Error bodies are short; what is longer is not read as one. */
const maxErrorBytes = 262_144;

const amountFact = amountSchema.optional().catch(undefined);
const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    quote: amountFact,
    requiredCumulative: amountFact,
    acceptedCumulative: amountFact,
    spent: amountFact,
  }),
});

/** A relay's answer that asks for (another) payment. Amounts are atomic units, and only what the relay claims. */
export interface Refusal {
  /** The relay's error code; undefined if the body is not in the expected shape. */
  code: string | undefined;
  /** A fresh `evm/session` challenge. */
  challenge: ChallengeEcho | undefined;
  quote: bigint | undefined;
  requiredCumulative: bigint | undefined;
  acceptedCumulative: bigint | undefined;
  spent: bigint | undefined;
  /** The same answer, unread, to hand on. */
  response: Response;
}

/** Reads a 402 or 409 of a relay. */
export async function readRefusal(response: Response): Promise<Refusal> {
  const bytes = await response.bytes();
  const parsed = bytes.length > maxErrorBytes ? undefined : errorSchema.safeParse(parseJson(bytes));
  const facts = parsed?.data?.error;
  return {
    code: facts?.code,
    challenge: readChallenge(response.headers.get('www-authenticate')),
    quote: facts?.quote,
    requiredCumulative: facts?.requiredCumulative,
    acceptedCumulative: facts?.acceptedCumulative,
    spent: facts?.spent,
    response: new Response(bytes as Uint8Array<ArrayBuffer>, {
      status: response.status,
      statusText: response.statusText,
      headers: response.headers,
    }),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

function readChallenge(header: string | null): ChallengeEcho | undefined {
  if (header === null) return undefined;
  try {
    return parseChallenges(header).find(({ method, intent }) => method === 'evm' && intent === 'session');
  } catch (error) {
    if (error instanceof AutoPayError) return undefined;
    throw error;
  }
}
