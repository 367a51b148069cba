import { concat, toBeHex, ZeroAddress, Signature } from 'ethers';
import type { DeployedSystem } from './deploy-in-process.ts';

/** A channel that a test opened. */
export interface OpenedChannel {
  channelId: string;
  gasUsed: bigint;
}

/** Funds the payer, opens a channel to AutoPayLLM and returns its id and the gas that opening took. */
export async function openChannel(
  system: DeployedSystem,
  options: { salt: string; deposit: bigint; authorizedSigner?: string },
): Promise<OpenedChannel> {
  const { usdc, paymentChannels, autoPayLLM, payer } = system;
  await usdc.getFunction('mint')(payer.address, options.deposit);
  await usdc.connect(payer).getFunction('approve')(await paymentChannels.getAddress(), options.deposit);
  const terms = [options.salt, options.authorizedSigner ?? ZeroAddress] as const;
  const [payee, token] = [await autoPayLLM.getAddress(), await usdc.getAddress()];
  const open = paymentChannels.connect(payer).getFunction('open');
  const receipt = await (await open.send(payee, token, options.deposit, ...terms)).wait();
  const channelId = await paymentChannels.getFunction('computeChannelId')(payer.address, payee, token, ...terms);
  return { channelId, gasUsed: receipt?.gasUsed ?? 0n };
}

/** One packed claim of 160 bytes; the voucher is signed by the payer, as wallets sign typed data. */
export async function packClaim(
  system: DeployedSystem,
  claim: { channelId: string; salt: string; maximum: bigint; claimed: bigint; authorizedSigner?: string },
): Promise<string> {
  const { ethers, paymentChannels, payer } = system;
  const domain = {
    name: 'EVM Payment Channel',
    version: '1',
    chainId: (await ethers.provider.getNetwork()).chainId,
    verifyingContract: await paymentChannels.getAddress(),
  };
  const types = {
    Voucher: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'cumulativeAmount', type: 'uint128' },
    ],
  };
  const message = { channelId: claim.channelId, cumulativeAmount: claim.maximum };
  const signature = Signature.from(await payer.signTypedData(domain, types, message));
  return concat([
    payer.address,
    claim.salt,
    claim.authorizedSigner ?? ZeroAddress,
    toBeHex(claim.maximum, 12),
    toBeHex(claim.claimed, 12),
    signature.r,
    signature.yParityAndS,
  ]);
}
