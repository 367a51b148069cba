// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {TokenUsage} from "../../../contracts/types/CallReceipt.sol";
import {PriceRow, PriceRows} from "../../../contracts/types/PriceRow.sol";
import {TestBase} from "../helpers/TestBase.sol";

contract PriceRowTest is TestBase {
    uint256 private constant PANIC_OVERFLOW = 0x11;
    uint256 private constant PANIC_DIVISION_BY_ZERO = 0x12;

    function priceInToken(PriceRow memory row, TokenUsage memory usage) public pure returns (uint256) {
        return PriceRows.costInToken(row, usage);
    }

    function priceFromUsd(
        PriceRow memory row,
        TokenUsage memory usage,
        uint256 answer,
        uint8 answerDecimals,
        uint8 tokenDecimals
    ) public pure returns (uint256) {
        return PriceRows.costFromUsd(row, usage, answer, answerDecimals, tokenDecimals);
    }

    function test_LeafHash_OfTheEncodedRow() external pure {
        PriceRow memory row = _row();
        assertEq(PriceRows.leafHash(row), sha256(bytes.concat(hex"00", abi.encode(row))), "leaf");
    }

    function test_CostInToken_EachPartAtItsOwnPrice() external pure {
        PriceRow memory row = _row();
        assertEq(PriceRows.costInToken(row, _usage(1e6, 0, 0, 0, 0, 0)), 10 + 7_000, "prompt");
        assertEq(PriceRows.costInToken(row, _usage(1e6, 1e6, 0, 0, 0, 0)), 20 + 7_000, "cachedPrompt");
        assertEq(PriceRows.costInToken(row, _usage(1e6, 0, 1e6, 0, 0, 0)), 300 + 7_000, "cacheWrite");
        assertEq(PriceRows.costInToken(row, _usage(1e6, 0, 0, 1e6, 0, 0)), 4_000 + 7_000, "audioPrompt");
        assertEq(PriceRows.costInToken(row, _usage(0, 0, 0, 0, 1e6, 0)), 50_000 + 7_000, "completion");
        assertEq(PriceRows.costInToken(row, _usage(0, 0, 0, 0, 1e6, 1e6)), 600_000 + 7_000, "audioCompletion");
        assertEq(PriceRows.costInToken(row, _usage(0, 0, 0, 0, 0, 0)), 7_000, "request");
        // 1,000,000 × 10 of 4,000,000, the rest in parts; 1,000,000 × 50,000 of 2,000,000.
        assertEq(
            PriceRows.costInToken(row, _usage(4e6, 1e6, 1e6, 1e6, 2e6, 1e6)),
            10 + 20 + 300 + 4_000 + 50_000 + 600_000 + 7_000,
            "all"
        );
    }

    function test_CostInToken_ReasoningCostsWhatCompletionCosts() external pure {
        TokenUsage memory usage = _usage(0, 0, 0, 0, 1e6, 0);
        usage.reasoning = 5e5;
        assertEq(PriceRows.costInToken(_row(), usage), 50_000 + 7_000, "a part of it");
    }

    function test_CostInToken_RoundsUpOnce() external pure {
        PriceRow memory row;
        row.prompt = 1;
        row.completion = 1;
        assertEq(PriceRows.costInToken(row, _usage(0, 0, 0, 0, 0, 0)), 0, "nothing");
        assertEq(PriceRows.costInToken(row, _usage(1, 0, 0, 0, 0, 0)), 1, "never free");
        assertEq(PriceRows.costInToken(row, _usage(5e5, 0, 0, 0, 5e5, 0)), 1, "one sum, not two roundings");
        assertEq(PriceRows.costInToken(row, _usage(5e5, 0, 0, 0, 5e5 + 1, 0)), 2, "and a bit");
    }

    function test_RevertWhen_PartsExceedTheWhole() external {
        PriceRow memory row = _row();
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", PANIC_OVERFLOW));
        this.priceInToken(row, _usage(10, 4, 4, 3, 0, 0));
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", PANIC_OVERFLOW));
        this.priceInToken(row, _usage(0, 0, 0, 0, 10, 11));
    }

    /// @dev A million tokens at 1 dollar, of a token worth half a dollar: two tokens.
    function test_CostFromUsd_FeedsAndTokensOfAllDecimals() external pure {
        PriceRow memory row;
        row.prompt = 1e8;
        TokenUsage memory usage = _usage(1e6, 0, 0, 0, 0, 0);
        assertEq(PriceRows.costFromUsd(row, usage, 0.5e8, 8, 6), 2e6, "feed 8, token 6");
        assertEq(PriceRows.costFromUsd(row, usage, 0.5e8, 8, 18), 2e18, "feed 8, token 18");
        assertEq(PriceRows.costFromUsd(row, usage, 0.5e18, 18, 6), 2e6, "feed 18, token 6");
        assertEq(PriceRows.costFromUsd(row, usage, 0.5e18, 18, 18), 2e18, "feed 18, token 18");
    }

    function test_CostFromUsd_RoundsUpInAllDecimals() external pure {
        PriceRow memory row;
        row.prompt = 1e8;
        TokenUsage memory usage = _usage(1e6, 0, 0, 0, 0, 0);
        // A third of a token: 0.333…, up.
        assertEq(PriceRows.costFromUsd(row, usage, 3e8, 8, 6), 333_334, "feed 8, token 6");
        assertEq(PriceRows.costFromUsd(row, usage, 3e8, 8, 18), 333_333_333_333_333_334, "feed 8, token 18");
        assertEq(PriceRows.costFromUsd(row, usage, 3e18, 18, 6), 333_334, "feed 18, token 6");
        assertEq(PriceRows.costFromUsd(row, usage, 3e18, 18, 18), 333_333_333_333_333_334, "feed 18, token 18");
        usage.prompt = 1;
        row.prompt = 1;
        assertEq(PriceRows.costFromUsd(row, usage, 1e8, 8, 6), 1, "never free");
        usage.prompt = 0;
        assertEq(PriceRows.costFromUsd(row, usage, 1e8, 8, 6), 0, "nothing");
    }

    /// @dev The stated bounds: answers of 192 bits (what Chainlink stores) and 36 decimals on both sides.
    function test_CostFromUsd_AtTheExtremes() external pure {
        PriceRow memory row;
        row.request = 1e8;
        TokenUsage memory usage = _usage(0, 0, 0, 0, 0, 0);
        assertEq(PriceRows.costFromUsd(row, usage, uint256(uint192(type(int192).max)), 0, 0), 1, "dearest token");
        assertEq(PriceRows.costFromUsd(row, usage, 1, 36, 36), 1e72, "cheapest token");

        uint64 most = type(uint64).max;
        row = PriceRow("", address(0), true, 0, 0, 0, 0, type(uint128).max, 0, 0);
        uint256 scaled = uint256(most) * type(uint128).max;
        assertEq(
            PriceRows.costFromUsd(row, _usage(0, 0, 0, 0, most, 0), 1e8, 8, 6),
            scaled / 1e8 + 1,
            "most tokens at the highest price"
        );
    }

    function test_RevertWhen_CostExceeds256Bits() external {
        PriceRow memory row = PriceRow("", address(0), true, 0, 0, 0, 0, type(uint128).max, 0, 0);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", PANIC_OVERFLOW));
        this.priceFromUsd(row, _usage(0, 0, 0, 0, type(uint64).max, 0), 1, 36, 36);
    }

    function test_RevertWhen_AnswerIsZero() external {
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", PANIC_DIVISION_BY_ZERO));
        this.priceFromUsd(_row(), _usage(1, 0, 0, 0, 0, 0), 0, 8, 6);
    }

    function testFuzz_CostFromUsd_IsTheLeastThatIsEnough(uint64 tokens, uint64 price, uint128 answer) external pure {
        answer = uint128(bound(answer, 1, type(uint128).max));
        PriceRow memory row;
        row.completion = price;
        uint256 cost = PriceRows.costFromUsd(row, _usage(0, 0, 0, 0, tokens, 0), answer, 8, 6);
        // cost × answer × 10^14 ≥ scaled × 10^14 > (cost − 1) × answer × 10^14.
        uint256 scaled = uint256(tokens) * price;
        assertTrue(cost * answer >= scaled, "enough");
        assertTrue(cost == 0 || (cost - 1) * answer < scaled, "and no more");
    }

    function testFuzz_CostInToken_NeverOverflows(uint64 prompt, uint64 completion, uint128 price) external pure {
        PriceRow memory row = PriceRow("", address(0), false, price, price, price, price, price, price, price);
        uint256 sum = (uint256(prompt) + completion) * price + uint256(price) * 1e6;
        uint256 cost = PriceRows.costInToken(row, _usage(prompt, 0, 0, prompt, completion, completion));
        assertEq(cost, sum / 1e6 + (sum % 1e6 == 0 ? 0 : 1), "cost");
    }

    function _row() private pure returns (PriceRow memory) {
        return PriceRow("gpt", address(0x70), false, 10, 20, 300, 4_000, 50_000, 600_000, 7_000);
    }

    function _usage(
        uint64 prompt,
        uint64 cachedPrompt,
        uint64 cacheWrite,
        uint64 audioPrompt,
        uint64 completion,
        uint64 audioCompletion
    ) private pure returns (TokenUsage memory) {
        return TokenUsage(prompt, cachedPrompt, cacheWrite, audioPrompt, completion, 0, audioCompletion);
    }
}
