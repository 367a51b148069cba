// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Rfc6962} from "../libraries/Rfc6962.sol";
import {TokenUsage} from "./CallReceipt.sol";

/// @notice What one model costs in one token: a leaf of a published price table.
/// @dev Prices are atomic units per 1,000,000 tokens (`request`: per call). `cachedPrompt`, `cacheWrite`, `audioPrompt` and
/// `audioCompletion` are the prices of those parts, instead of, not on top of, `prompt` and `completion`.
struct PriceRow {
    /// @dev Name that clients ask for
    string model;
    /// @dev ERC-20 token that is paid
    address token;
    /// @dev True: the prices are US dollars with 8 decimals, converted to the token at the receipt's oracle round.
    /// False: atomic units of the token
    bool inUsd;
    uint128 prompt;
    uint128 cachedPrompt;
    uint128 cacheWrite;
    uint128 audioPrompt;
    uint128 completion;
    uint128 audioCompletion;
    uint128 request;
}

/// @title PriceRows
/// @notice Hashes rows and prices calls.
library PriceRows {
    /// @dev Number of tokens that a price is for.
    uint256 internal constant TOKENS_PER_PRICE = 1_000_000;

    /// @notice Leaf hash of a row: RFC 6962 over `abi.encode(PriceRow)`.
    function leafHash(PriceRow memory row) internal pure returns (bytes32) {
        return Rfc6962.hashLeaf(abi.encode(row));
    }

    /// @notice The exact cost of a call times 1,000,000: `Σ tokens × price + request × 1,000,000`, in the row's unit.
    /// @dev Reverts (arithmetic) where the parts of the usage exceed the whole.
    function scaledCost(PriceRow memory row, TokenUsage memory usage) internal pure returns (uint256) {
        uint256 plainPrompt = uint256(usage.prompt) - usage.cachedPrompt - usage.cacheWrite - usage.audioPrompt;
        uint256 plainCompletion = uint256(usage.completion) - usage.audioCompletion;
        return
            plainPrompt * row.prompt +
            uint256(usage.cachedPrompt) * row.cachedPrompt +
            uint256(usage.cacheWrite) * row.cacheWrite +
            uint256(usage.audioPrompt) * row.audioPrompt +
            plainCompletion * row.completion +
            uint256(usage.audioCompletion) * row.audioCompletion +
            uint256(row.request) * TOKENS_PER_PRICE;
    }

    /// @notice The cost of a call in atomic units of the token, rounded up once.
    function costInToken(PriceRow memory row, TokenUsage memory usage) internal pure returns (uint256) {
        return Math.ceilDiv(scaledCost(row, usage), TOKENS_PER_PRICE);
    }

    /// @notice The cost of a call priced in US dollars, in atomic units of the token, rounded up once:
    /// `ceil(scaledCost × 10^tokenDecimals × 10^answerDecimals / (10^6 × 10^8 × answer))`.
    /// @dev Reverts (arithmetic) where the parts of the usage exceed the whole, and where the cost is above 2^256 − 1, which no
    /// amount is. Nothing else overflows for answers below 2^192 (what Chainlink stores) and up to 36 decimals on each side.
    /// @param answer US dollars per whole token, times 10^answerDecimals; above zero
    /// @param answerDecimals Decimals of the answer
    /// @param tokenDecimals Decimals of the token
    function costFromUsd(
        PriceRow memory row,
        TokenUsage memory usage,
        uint256 answer,
        uint8 answerDecimals,
        uint8 tokenDecimals
    ) internal pure returns (uint256) {
        return
            Math.mulDiv(
                scaledCost(row, usage),
                10 ** (uint256(tokenDecimals) + answerDecimals),
                TOKENS_PER_PRICE * 1e8 * answer,
                Math.Rounding.Ceil
            );
    }
}
