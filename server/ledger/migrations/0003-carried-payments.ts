/** Version 3: losses and forgiven payments by their ids, for those whose transaction may still bring their money. */
export const carriedPayments = `
CREATE INDEX direct_payments_carried ON direct_payments (payment_id) WHERE state IN ('lost', 'forgiven');
`;
