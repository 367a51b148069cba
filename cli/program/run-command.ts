import { InvalidArgumentError, type Command } from 'commander';
import type { CommandContext } from '../command-context.ts';

/** What a command does; ends with a verdict: `false` makes the exit code 1. */
export type Action = (context: CommandContext) => Promise<boolean | void>;

/** Runs a command's action with the common options that it was given. */
export type Run = (command: Command, action: Action) => Promise<void>;

/** An option's value as a whole number from 1. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number from 1.');
  return Number(text);
}

/** An option's value as a TCP port. */
export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It has to be 0 to 65535.');
  return Number(text);
}
