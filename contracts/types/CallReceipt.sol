// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Rfc6962} from "../libraries/Rfc6962.sol";

/// @notice Token counts of one call, in OpenAI's meaning: `prompt` includes the cached, cache-write and audio tokens,
/// `completion` includes the reasoning and audio tokens.
struct TokenUsage {
    uint64 prompt;
    uint64 cachedPrompt;
    uint64 cacheWrite;
    uint64 audioPrompt;
    uint64 completion;
    uint64 reasoning;
    uint64 audioCompletion;
}

/// @notice The relay's statement of one call; ABI-encoded it is an entry of the audit log.
/// @dev Warning: it is what the relay says. `evidenceTier` tells what supports it, and nothing more than that tier.
struct CallReceipt {
    /// @dev Layout of this struct; 1
    uint16 version;
    /// @dev UUIDv7
    bytes16 callId;
    /// @dev Unix milliseconds
    uint64 admittedAtMs;
    /// @dev Unix milliseconds
    uint64 chargedAtMs;
    /// @dev Wallet that pays; zero on free routes without one
    address payer;
    /// @dev Channel; zero when the method of payment has none
    bytes32 channelId;
    /// @dev Position among the channel's receipts, from 1 without gaps; 0 without a channel
    uint64 sequence;
    /// @dev Sum of the channel's charges up to and including this one, atomic units; 0 without a channel
    uint128 runningTotal;
    /// @dev ERC-20 token; zero when free
    address token;
    /// @dev The charge, atomic units
    uint128 amount;
    /// @dev Unused part of a fixed-price payment, atomic units; 0 for channels
    uint128 refundOwed;
    /// @dev Merkle root of the published price table in force
    bytes32 priceRoot;
    /// @dev Oracle round of the conversion; 0 when there was none
    uint256 oracleRound;
    /// @dev Tokens used
    TokenUsage usage;
    /// @dev sha256("autopay-request-v1" ‖ salt ‖ exact request body)
    bytes32 requestCommitment;
    /// @dev sha256("autopay-response-v1" ‖ salt ‖ exact response bytes)
    bytes32 responseCommitment;
    /// @dev sha256 of the RFC 8785 JSON array of attempts
    bytes32 attemptsDigest;
    /// @dev 0 relay-signed, 1 provider-signed, 2 TEE-attested, 3 commitment-checked, 4 proof-checked
    uint8 evidenceTier;
    /// @dev 0 exact (the provider's usage), 1 estimated (by tokenizer)
    uint8 usageKind;
    /// @dev Model or route that the client asked for
    string modelAsked;
    /// @dev Model that answered
    string modelServed;
    /// @dev Provider that answered
    string provider;
    /// @dev Deployment of the provider
    string deployment;
}

/// @title CallReceipts
/// @notice Codec of log entries.
library CallReceipts {
    /// @notice Decodes an entry. Reverts on anything that is not an ABI-encoded `CallReceipt`.
    /// @param entry `abi.encode(CallReceipt)`
    function decode(bytes memory entry) internal pure returns (CallReceipt memory) {
        return abi.decode(entry, (CallReceipt));
    }

    /// @notice Encodes a receipt as a log entry.
    /// @param receipt The receipt
    function encode(CallReceipt memory receipt) internal pure returns (bytes memory) {
        return abi.encode(receipt);
    }

    /// @notice Leaf hash of an entry, in a receipt batch and in the log alike.
    /// @param entry `abi.encode(CallReceipt)`
    function leafHash(bytes memory entry) internal pure returns (bytes32) {
        return Rfc6962.hashLeaf(entry);
    }
}
