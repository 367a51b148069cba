/**
 * A call's attempts stand in its own row: a row of theirs was a twelfth of what the ledger wrote for a call, and nothing ever asked for
 * one without its call. JSON as in docs/PROTOCOL.md, "Attempts"; null if none was made, or the call is under way.
 */
export const attempts = `
ALTER TABLE calls ADD COLUMN attempts TEXT;
UPDATE calls SET attempts = (
  SELECT json_group_array(json_object(
    'deployment', deployment, 'endedAtMs', ended_at_ms, 'number', number, 'outcome', outcome, 'provider', provider,
    'startedAtMs', started_at_ms, 'status', status, 'usage', json(usage), 'usageKind', usage_kind
  ) ORDER BY number) FROM attempts WHERE attempts.call_id = calls.call_id
) WHERE call_id IN (SELECT call_id FROM attempts);
DROP TABLE attempts;
`;
