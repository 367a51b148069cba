import type { PaymentMethod } from './payment-method.ts';

/** One range of `Accept-Payment`. */
interface PaymentRange {
  method: string;
  intent: string;
  /** 0 … 1; 0 excludes. */
  weight: number;
}

const maxHeaderCharacters = 1_024;
const rangePattern = /^([a-z0-9]+|\*)\/([A-Za-z0-9-]+|\*)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?$/i;

/**
 * The methods that a client takes, by its `Accept-Payment` header (draft-httpauth-payment, "Accept-Payment"): those of the
 * highest weight first, of equals in the relay's order. A header that is malformed, or that fits none, is ignored, as the draft
 * allows: a client that is told nothing could not pay at all.
 *
 * A method without intents (`x402`) is fitted by a range of any intent.
 */
export function rankMethods(
  methods: readonly PaymentMethod[],
  acceptPayment: string | undefined,
): readonly PaymentMethod[] {
  const ranges = acceptPayment === undefined ? undefined : readRanges(acceptPayment);
  if (!ranges) return methods;
  const ranked = methods
    .map((method) => ({ method, weight: weightOf(method.name, ranges) }))
    .filter(({ weight }) => weight > 0)
    .sort((one, other) => other.weight - one.weight)
    .map(({ method }) => method);
  return ranked.length > 0 ? ranked : methods;
}

function readRanges(header: string): PaymentRange[] | undefined {
  if (header.length > maxHeaderCharacters) return undefined;
  const ranges: PaymentRange[] = [];
  for (const part of header.split(',')) {
    const text = part.trim();
    // Empty list elements are to be borne with (RFC 9110 §5.6.1.2).
    if (text === '') continue;
    const [, method, intent, weight = '1'] = rangePattern.exec(text) ?? [];
    if (method === undefined || intent === undefined) return undefined;
    ranges.push({ method: method.toLowerCase(), intent: intent.toLowerCase(), weight: Number(weight) });
  }
  return ranges;
}

/** The weight of the most specific range that fits; 0 if none does. */
function weightOf(name: string, ranges: readonly PaymentRange[]): number {
  const [method, intent] = name.split('/');
  let best = { precision: -1, weight: 0 };
  for (const range of ranges) {
    const fitsMethod = range.method === method;
    const fitsIntent = range.intent === intent;
    if (!fitsMethod && range.method !== '*') continue;
    if (!fitsIntent && range.intent !== '*' && intent !== undefined) continue;
    const precision = (fitsMethod ? 2 : 0) + (fitsIntent ? 1 : 0);
    if (precision > best.precision) best = { precision, weight: range.weight };
  }
  return best.weight;
}
