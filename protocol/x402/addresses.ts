import type { Hex } from '../bytes/hex.ts';

/** Permit2 (Uniswap), at the same address on every chain. */
export const permit2Address: Hex = '0x000000000022d473030f116ddee9f6b43ac78ba3';
/** x402's proxy for fixed Permit2 payments (x402 v2, "exact" on EVM). */
export const exactProxyAddress: Hex = '0x402085c248eea27d92e8b30b2c58ed07f9e20001';
/** x402's proxy for Permit2 payments up to a maximum (x402 v2, "upto" on EVM). */
export const uptoProxyAddress: Hex = '0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002';
