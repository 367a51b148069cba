/** The larger of two amounts; an absent second one does not count. */
export function larger(first: bigint, second: bigint | undefined): bigint {
  return second !== undefined && second > first ? second : first;
}

/** The smaller of two amounts. */
export function smaller(first: bigint, second: bigint): bigint {
  return second < first ? second : first;
}
