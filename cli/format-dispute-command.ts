/**
 * The command that opens a dispute, as a shell takes it. An endpoint that may have a key in its URL is left to the variable RPC_URL: what
 * is printed is kept.
 * @param file with the evidence
 * @param rpcUrl the endpoint, if one was named
 */
export function formatDisputeCommand(file: string, rpcUrl: string | undefined): string {
  const command = `autopay dispute open --evidence ${quote(file)}`;
  if (rpcUrl === undefined) return command;
  return `${command} --rpc-url ${isOriginOnly(rpcUrl) ? rpcUrl : '"$RPC_URL"'}`;
}

function isOriginOnly(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && parsed.href === `${parsed.origin}/`;
}

function quote(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
