import { chatWire } from './chat-wire.ts';
import { completionsWire } from './completions-wire.ts';
import { embeddingsWire } from './embeddings-wire.ts';
import { messagesWire } from './messages-wire.ts';
import { responsesWire } from './responses-wire.ts';
import type { Wire } from './wire.ts';

/** Every API that the simulator speaks, by its path. */
export const wires: ReadonlyMap<string, Wire> = new Map(
  [chatWire, responsesWire, completionsWire, embeddingsWire, messagesWire].map((wire) => [wire.path, wire]),
);
