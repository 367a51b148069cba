// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {AutoPayLLM} from "../../contracts/AutoPayLLM.sol";
import {PaymentChannels} from "../../contracts/PaymentChannels.sol";
import {IAuditLog} from "../../contracts/interfaces/IAuditLog.sol";
import {AutoPayLLMConfig} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {IModelBudgets} from "../../contracts/interfaces/IModelBudgets.sol";
import {Rfc6962} from "../../contracts/libraries/Rfc6962.sol";
import {CallReceipt, CallReceipts, TokenUsage} from "../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../contracts/types/ChannelId.sol";
import {PriceRow, PriceRows} from "../../contracts/types/PriceRow.sol";
import {ReceiptBatch} from "../../contracts/types/ReceiptBatch.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @notice Runs protocol/vectors/vectors.json, which server, client and fsck run too.
contract VectorsTest is TestBase {
    string private _json;
    PaymentChannels private _escrow;
    AutoPayLLM private _autoPayLLM;
    address private _signer;

    function setUp() external {
        _json = vm.readFile("protocol/vectors/vectors.json");
        vm.chainId(vm.parseJsonUint(_json, ".scope.chainId"));
        _signer = vm.parseJsonAddress(_json, ".scope.signer");
        // The vectors name the contracts' addresses; both recompute their domain where they find themselves elsewhere.
        _escrow = PaymentChannels(vm.parseJsonAddress(_json, ".scope.escrow"));
        vm.etch(address(_escrow), address(PaymentChannels(create("PaymentChannels", ""))).code);
        _autoPayLLM = AutoPayLLM(vm.parseJsonAddress(_json, ".scope.autoPayLLM"));
        AutoPayLLMConfig memory config;
        config.paymentChannels = _escrow;
        config.auditLog = IAuditLog(wallet("audit log"));
        config.modelBudgets = IModelBudgets(wallet("budgets"));
        config.agpt = IERC20(wallet("AGPT"));
        config.admin = wallet("timelock");
        config.relay = _signer;
        config.bondPayout = wallet("bond payout");
        config.disputeWindow = 1 hours;
        vm.etch(address(_autoPayLLM), address(AutoPayLLM(create("AutoPayLLM", abi.encode(config)))).code);
    }

    function verify(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) public pure returns (bool) {
        return Rfc6962.verifyInclusion(root, size, index, leafHash, proof);
    }

    function test_Channels() external view {
        uint256 count = _count(".channels", ".channelId");
        assertTrue(count > 0, "has vectors");
        for (uint256 i = 0; i < count; ++i) {
            string memory at = _at(".channels", i);
            ChannelId actual = _escrow.computeChannelId(
                _address(at, ".payer"),
                _address(at, ".payee"),
                _address(at, ".token"),
                _bytes32(at, ".salt"),
                _address(at, ".authorizedSigner")
            );
            assertEq(ChannelId.unwrap(actual), _bytes32(at, ".channelId"), at);
        }
    }

    function test_Vouchers() external view {
        uint256 count = _count(".vouchers", ".digest");
        assertTrue(count > 0, "has vectors");
        for (uint256 i = 0; i < count; ++i) {
            string memory at = _at(".vouchers", i);
            ChannelId channelId = ChannelId.wrap(_bytes32(at, ".channelId"));
            bytes32 digest = _escrow.hashVoucher(channelId, uint128(_uint(at, ".cumulativeAmount")));
            assertEq(digest, _bytes32(at, ".digest"), at);
            assertEq(ECDSA.recover(digest, _bytes(at, ".signature")), _signer, at);
        }
    }

    function test_Receipts() external view {
        uint256 count = _count(".receipts", ".leafHash");
        assertTrue(count > 0, "has vectors");
        for (uint256 i = 0; i < count; ++i) {
            string memory at = _at(".receipts", i);
            bytes memory entry = _bytes(at, ".entry");
            assertEq(CallReceipts.leafHash(entry), _bytes32(at, ".leafHash"), at);
            CallReceipt memory receipt = CallReceipts.decode(entry);
            assertEq(keccak256(CallReceipts.encode(receipt)), keccak256(entry), "re-encodes to the same bytes");
            _assertNumbers(receipt, string.concat(at, ".fields"));
            _assertTexts(receipt, string.concat(at, ".fields"));
        }
    }

    function test_ReceiptBatches() external view {
        uint256 count = _count(".receiptBatches", ".digest");
        assertTrue(count > 0, "has vectors");
        for (uint256 i = 0; i < count; ++i) {
            string memory at = _at(".receiptBatches", i);
            ReceiptBatch memory batch = ReceiptBatch(
                _bytes32(at, ".root"),
                uint64(_uint(at, ".size")),
                uint64(_uint(at, ".signedAtMs"))
            );
            bytes32 digest = _autoPayLLM.hashReceiptBatch(batch);
            assertEq(digest, _bytes32(at, ".digest"), at);
            assertEq(ECDSA.recover(digest, _bytes(at, ".signature")), _signer, at);
            for (uint64 index = 0; index < batch.size; ++index) {
                bytes32 leafHash = _bytes32(_at(".receipts", index), ".leafHash");
                bytes32[] memory proof = _bytes32s(_at(string.concat(at, ".paths"), index));
                assertTrue(this.verify(batch.root, batch.size, index, leafHash, proof), at);
            }
        }
    }

    function test_Trees() external view {
        uint256 count = _count(".trees", ".root");
        assertTrue(count > 0, "has vectors");
        for (uint256 i = 0; i < count; ++i) {
            string memory at = _at(".trees", i);
            uint64 size = uint64(_uint(at, ".size"));
            bytes32[] memory leaves = _bytes32s(string.concat(at, ".leafHashes"));
            assertEq(leaves.length, size, at);
            for (uint64 index = 0; index < size; ++index) {
                bytes32[] memory proof = _bytes32s(_at(string.concat(at, ".paths"), index));
                assertTrue(this.verify(_bytes32(at, ".root"), size, index, leaves[index], proof), at);
            }
        }
    }

    function test_PriceTable() external view {
        bytes32 root = _bytes32(".priceTable", ".root");
        uint64 size = uint64(_uint(".priceTable", ".size"));
        assertTrue(size > 0, "has vectors");
        for (uint64 index = 0; index < size; ++index) {
            string memory at = _at(".priceTable.rows", index);
            PriceRow memory row = _priceRow(string.concat(at, ".row"));
            assertEq(keccak256(abi.encode(row)), keccak256(_bytes(at, ".encoded")), at);
            assertEq(PriceRows.leafHash(row), _bytes32(at, ".leafHash"), at);
            bytes32[] memory proof = _bytes32s(string.concat(at, ".path"));
            assertTrue(this.verify(root, size, index, PriceRows.leafHash(row), proof), at);
        }
    }

    function test_PriceCosts() external view {
        uint256 count = 0;
        for (string memory at = _at(".priceCosts", 0); _exists(at, ".cost"); at = _at(".priceCosts", ++count)) {
            PriceRow memory row = _priceRow(string.concat(_at(".priceTable.rows", _uint(at, ".row")), ".row"));
            uint256 cost =
                row.inUsd
                    ? PriceRows.costFromUsd(
                        row,
                        _usage(string.concat(at, ".usage")),
                        _uint(at, ".conversion.answer"),
                        uint8(_uint(at, ".conversion.answerDecimals")),
                        uint8(_uint(at, ".conversion.tokenDecimals"))
                    )
                    : PriceRows.costInToken(row, _usage(string.concat(at, ".usage")));
            assertEq(cost, _uint(at, ".cost"), at);
        }
        assertTrue(count > 0, "has vectors");
    }

    function _priceRow(string memory at) private view returns (PriceRow memory) {
        return
            PriceRow({
                model: vm.parseJsonString(_json, string.concat(at, ".model")),
                token: _address(at, ".token"),
                inUsd: vm.parseJsonBool(_json, string.concat(at, ".inUsd")),
                prompt: uint128(_uint(at, ".prompt")),
                cachedPrompt: uint128(_uint(at, ".cachedPrompt")),
                cacheWrite: uint128(_uint(at, ".cacheWrite")),
                audioPrompt: uint128(_uint(at, ".audioPrompt")),
                completion: uint128(_uint(at, ".completion")),
                audioCompletion: uint128(_uint(at, ".audioCompletion")),
                request: uint128(_uint(at, ".request"))
            });
    }

    function _usage(string memory at) private view returns (TokenUsage memory) {
        return
            TokenUsage({
                prompt: uint64(_uint(at, ".prompt")),
                cachedPrompt: uint64(_uint(at, ".cachedPrompt")),
                cacheWrite: uint64(_uint(at, ".cacheWrite")),
                audioPrompt: uint64(_uint(at, ".audioPrompt")),
                completion: uint64(_uint(at, ".completion")),
                reasoning: uint64(_uint(at, ".reasoning")),
                audioCompletion: uint64(_uint(at, ".audioCompletion"))
            });
    }

    function _exists(string memory at, string memory field) private view returns (bool) {
        try vm.parseJsonUint(_json, string.concat(at, field)) returns (uint256) {
            return true;
        } catch {
            return false;
        }
    }

    function _assertNumbers(CallReceipt memory receipt, string memory at) private view {
        assertEq(receipt.version, _uint(at, ".version"), at);
        assertEq(receipt.admittedAtMs, _uint(at, ".admittedAtMs"), at);
        assertEq(receipt.chargedAtMs, _uint(at, ".chargedAtMs"), at);
        assertEq(receipt.payer, _address(at, ".payer"), at);
        assertEq(receipt.channelId, _bytes32(at, ".channelId"), at);
        assertEq(receipt.sequence, _uint(at, ".sequence"), at);
        assertEq(receipt.runningTotal, _uint(at, ".runningTotal"), at);
        assertEq(receipt.token, _address(at, ".token"), at);
        assertEq(receipt.amount, _uint(at, ".amount"), at);
        assertEq(receipt.refundOwed, _uint(at, ".refundOwed"), at);
        assertEq(receipt.priceRoot, _bytes32(at, ".priceRoot"), at);
        assertEq(receipt.oracleRound, _uint(at, ".oracleRound"), at);
        assertEq(receipt.usage.prompt, _uint(at, ".usage.prompt"), at);
        assertEq(receipt.usage.cachedPrompt, _uint(at, ".usage.cachedPrompt"), at);
        assertEq(receipt.usage.cacheWrite, _uint(at, ".usage.cacheWrite"), at);
        assertEq(receipt.usage.audioPrompt, _uint(at, ".usage.audioPrompt"), at);
        assertEq(receipt.usage.completion, _uint(at, ".usage.completion"), at);
        assertEq(receipt.usage.reasoning, _uint(at, ".usage.reasoning"), at);
        assertEq(receipt.usage.audioCompletion, _uint(at, ".usage.audioCompletion"), at);
        assertEq(receipt.requestCommitment, _bytes32(at, ".requestCommitment"), at);
        assertEq(receipt.responseCommitment, _bytes32(at, ".responseCommitment"), at);
        assertEq(receipt.attemptsDigest, _bytes32(at, ".attemptsDigest"), at);
        assertEq(receipt.evidenceTier, _uint(at, ".evidenceTier"), at);
        assertEq(receipt.usageKind, _uint(at, ".usageKind"), at);
    }

    function _assertTexts(CallReceipt memory receipt, string memory at) private view {
        assertEq(keccak256(bytes(_uuid(receipt.callId))), _textHash(at, ".callId"), at);
        assertEq(keccak256(bytes(receipt.modelAsked)), _textHash(at, ".modelAsked"), at);
        assertEq(keccak256(bytes(receipt.modelServed)), _textHash(at, ".modelServed"), at);
        assertEq(keccak256(bytes(receipt.provider)), _textHash(at, ".provider"), at);
        assertEq(keccak256(bytes(receipt.deployment)), _textHash(at, ".deployment"), at);
    }

    /// @dev The text form of a UUID: lower-case hex with hyphens after 4, 6, 8 and 10 bytes.
    function _uuid(bytes16 id) private pure returns (string memory) {
        bytes memory digits = "0123456789abcdef";
        bytes memory text = new bytes(36);
        uint256 at = 0;
        for (uint256 i = 0; i < 16; ++i) {
            if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = "-";
            text[at++] = digits[uint8(id[i]) >> 4];
            text[at++] = digits[uint8(id[i]) & 15];
        }
        return string(text);
    }

    /// @dev Number of elements, found by probing: the runner has no length query.
    function _count(string memory list, string memory field) private view returns (uint256 count) {
        while (count < 1000) {
            try vm.parseJsonBytes32(_json, string.concat(_at(list, count), field)) returns (bytes32) {
                ++count;
            } catch {
                return count;
            }
        }
    }

    function _at(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    function _address(string memory at, string memory field) private view returns (address) {
        return vm.parseJsonAddress(_json, string.concat(at, field));
    }

    function _bytes(string memory at, string memory field) private view returns (bytes memory) {
        return vm.parseJsonBytes(_json, string.concat(at, field));
    }

    function _bytes32(string memory at, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(_json, string.concat(at, field));
    }

    function _bytes32s(string memory at) private view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(_json, at);
    }

    function _uint(string memory at, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(_json, string.concat(at, field));
    }

    function _textHash(string memory at, string memory field) private view returns (bytes32) {
        return keccak256(bytes(vm.parseJsonString(_json, string.concat(at, field))));
    }
}
