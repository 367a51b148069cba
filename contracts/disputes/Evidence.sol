// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Anchor, IAuditLog} from "../interfaces/IAuditLog.sol";
import {IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";
import {BillingDisputesConfig, IBillingDisputes, ProvenRow, SignedReceipt} from "../interfaces/IBillingDisputes.sol";
import {IKeyRegistry} from "../interfaces/IKeyRegistry.sol";
import {Channel, IPaymentChannels} from "../interfaces/IPaymentChannels.sol";
import {IPriceBook} from "../interfaces/IPriceBook.sol";
import {IPriceOracle, Price} from "../interfaces/IPriceOracle.sol";
import {Rfc6962} from "../libraries/Rfc6962.sol";
import {CallReceipt, CallReceipts, TokenUsage} from "../types/CallReceipt.sol";
import {ChannelId} from "../types/ChannelId.sol";
import {PriceRow, PriceRows} from "../types/PriceRow.sol";

/// @title Evidence
/// @notice What a dispute may rely on: receipts that the relay signed, entries that it anchored, prices that governance
/// published, and the escrow's record of the channel. It changes nothing.
/// @dev Nothing is decoded before it is proven: what reverts in the decoder was signed (or anchored) by the relay.
abstract contract Evidence is IBillingDisputes {
    using PriceRows for PriceRow;

    /// @inheritdoc IBillingDisputes
    uint64 public constant MAX_RECEIPT_AGE = 30 days;

    /// @inheritdoc IBillingDisputes
    IAutoPayLLM public immutable autoPayLLM;

    /// @inheritdoc IBillingDisputes
    IPaymentChannels public immutable paymentChannels;

    /// @inheritdoc IBillingDisputes
    IAuditLog public immutable auditLog;

    /// @inheritdoc IBillingDisputes
    IPriceBook public immutable priceBook;

    /// @inheritdoc IBillingDisputes
    IPriceOracle public immutable priceOracle;

    /// @inheritdoc IBillingDisputes
    IKeyRegistry public immutable keyRegistry;

    /// @inheritdoc IBillingDisputes
    uint64 public immutable maxMergeDelay;

    /// @dev The layout of `CallReceipt` that is judged here.
    uint16 private constant RECEIPT_VERSION = 1;
    /// @dev The least merge delay: a relay that anchors every few seconds has to be able to keep it.
    uint64 private constant MIN_MERGE_DELAY = 1 minutes;
    /// @dev What the dispute window leaves after the merge delay: time to miss an entry and to challenge.
    uint64 private constant CHALLENGE_TIME = 10 minutes;

    constructor(BillingDisputesConfig memory config) {
        autoPayLLM = config.autoPayLLM;
        paymentChannels = config.autoPayLLM.paymentChannels();
        auditLog = config.autoPayLLM.auditLog();
        priceBook = config.priceBook;
        priceOracle = config.priceOracle;
        keyRegistry = config.keyRegistry;
        uint64 delay = config.mergeDelay;
        uint256 maximum = Math.saturatingSub(config.autoPayLLM.disputeWindow(), CHALLENGE_TIME);
        require(
            delay >= MIN_MERGE_DELAY && delay <= maximum,
            BillingDisputes_MergeDelayOutOfRange(delay, MIN_MERGE_DELAY, maximum)
        );
        maxMergeDelay = delay;
    }

    /// @dev A receipt that the relay signed, of any age: its leaf is in the batch, and the batch is signed by a key
    /// of its time.
    function _requireSigned(
        SignedReceipt calldata signed
    ) internal view returns (CallReceipt memory receipt, bytes32 leaf) {
        leaf = CallReceipts.leafHash(signed.entry);
        require(
            Rfc6962.verifyInclusion(signed.batch.root, signed.batch.size, signed.index, leaf, signed.path),
            BillingDisputes_NotInBatch(leaf)
        );
        // High-s and malformed signatures recover nobody.
        (address signer, , ) = ECDSA.tryRecoverCalldata(autoPayLLM.hashReceiptBatch(signed.batch), signed.signature);
        uint64 at = _toSeconds(signed.batch.signedAtMs);
        require(
            signer != address(0) && keyRegistry.isValidAt(signer, at),
            BillingDisputes_NotSignedByRelay(signer, at)
        );
        receipt = _decode(signed.entry);
    }

    /// @dev A receipt that the relay signed within `MAX_RECEIPT_AGE`. The signature's time counts, not the call's: so
    /// a key that leaked proves nothing once it has been retired for that long. Whatever a claim rests on is this.
    function _requireRecent(
        SignedReceipt calldata signed
    ) internal view returns (CallReceipt memory receipt, bytes32 leaf) {
        (receipt, leaf) = _requireSigned(signed);
        _requireAge(_toSeconds(signed.batch.signedAtMs));
    }

    /// @dev Bytes that are in the log as anchored; returns their leaf hash.
    function _requireAnchored(
        bytes calldata entry,
        uint64 index,
        Anchor calldata anchor,
        bytes32[] calldata path
    ) internal view returns (bytes32 leaf) {
        leaf = CallReceipts.leafHash(entry);
        require(auditLog.verifyInclusion(anchor, index, leaf, path), BillingDisputes_NotInAnchor(leaf, index));
    }

    /// @dev A time within `MAX_RECEIPT_AGE`, unix seconds.
    function _requireAge(uint256 at) internal view {
        uint256 earliest = block.timestamp - MAX_RECEIPT_AGE;
        require(at >= earliest, BillingDisputes_TooOld(at, earliest));
    }

    /// @dev A row of the table with this root.
    function _requireRow(ProvenRow calldata proven, bytes32 root) internal pure returns (PriceRow memory row) {
        row = proven.row;
        bytes32 leaf = row.leafHash();
        require(
            Rfc6962.verifyInclusion(root, proven.size, proven.index, leaf, proven.path),
            BillingDisputes_NotInPriceTable(leaf, root)
        );
    }

    /// @dev The channel that paid for the call: one of AutoPayLLM's, with the receipt's payer and token.
    function _requireChannel(CallReceipt memory receipt) internal view returns (Channel memory channel) {
        channel = paymentChannels.getChannel(ChannelId.wrap(receipt.channelId));
        require(
            channel.payee == address(autoPayLLM) && channel.payer == receipt.payer && channel.token == receipt.token,
            BillingDisputes_NotAChannelCall(receipt.channelId)
        );
    }

    /// @dev Decodes an entry of the layout that is judged here.
    function _decode(bytes calldata entry) internal pure returns (CallReceipt memory receipt) {
        receipt = CallReceipts.decode(entry);
        require(receipt.version == RECEIPT_VERSION, BillingDisputes_VersionUnknown(receipt.version));
    }

    /// @dev What a receipt charges above its price row, atomic units; 0 if nothing. The relay may charge less.
    function _excessOf(CallReceipt memory receipt, PriceRow memory row) internal view returns (uint256) {
        // No price is right for a usage that cannot be, or for a conversion off another round than the current one.
        if (!_isCoherent(receipt.usage)) return receipt.amount;
        if (!row.inUsd) return Math.saturatingSub(receipt.amount, row.costInToken(receipt.usage));
        if (receipt.oracleRound > type(uint80).max) return receipt.amount;
        (Price memory price, bool wasCurrent) = priceOracle.priceAt(
            receipt.token,
            uint80(receipt.oracleRound),
            _toSeconds(receipt.admittedAtMs)
        );
        if (!wasCurrent) return receipt.amount;
        uint8 decimals = IERC20Metadata(receipt.token).decimals();
        uint256 cost = row.costFromUsd(receipt.usage, price.answer, price.decimals, decimals);
        return Math.saturatingSub(receipt.amount, cost);
    }

    /// @dev Receipts count in milliseconds, the chain in seconds.
    function _toSeconds(uint64 milliseconds) internal pure returns (uint64) {
        return milliseconds / 1000;
    }

    /// @dev Whether the parts that have prices of their own fit into the whole.
    function _isCoherent(TokenUsage memory usage) private pure returns (bool) {
        uint256 promptParts = uint256(usage.cachedPrompt) + usage.cacheWrite + usage.audioPrompt;
        return promptParts <= usage.prompt && usage.audioCompletion <= usage.completion;
    }
}
