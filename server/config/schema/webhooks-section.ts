import { z } from 'zod';
import { variableSchema } from './words.ts';

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

/** `https://…`; on the relay's own host `http://…` too. */
const receiverSchema = z
  .url({ protocol: /^https?$/, error: 'must be an https URL' })
  .max(2048)
  .refine((value) => {
    const { protocol, hostname } = new URL(value);
    return protocol === 'https:' || loopbackHosts.includes(hostname);
  }, 'must be https, unless the receiver is on this host')
  .refine((value) => {
    const { username, password } = new URL(value);
    return username === '' && password === '';
  }, 'must not carry credentials; the receiver knows the relay by its signatures')
  .refine((value) => new URL(value).hash === '', 'must not have a fragment');

/** `webhooks`: who is told of each receipt. */
export const webhooksSchema = z.array(
  z.strictObject({
    url: receiverSchema.describe('Where each receipt is sent: https, or http on the relay’s own host.'),
    secretEnv: variableSchema.describe(
      'Environment variable with the secret that signs: `whsec_` and base64, as Standard Webhooks has it; several, separated by spaces, while they are exchanged.',
    ),
  }),
);
