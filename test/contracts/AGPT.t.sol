// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC3009, IERC3009Cancel} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {AGPT} from "../../contracts/governance/AGPT.sol";
import {IAGPT} from "../../contracts/interfaces/IAGPT.sol";
import {TestBase} from "./helpers/TestBase.sol";
import {Erc1271Wallet} from "../../contracts/mocks/Erc1271Wallets.sol";

/// @dev One authorization, and what it says.
struct Authorization {
    address from;
    address to;
    uint256 value;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
}

contract AGPTTest is TestBase {
    uint256 private constant NOW = 1_800_000_000;
    uint256 private constant SUPPLY = 1_000_000_000e18;
    uint256 private constant HALF_CURVE_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    bytes32 private constant TRANSFER_TYPE = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant CANCEL_TYPE = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
    bytes32 private constant PERMIT_TYPE = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    AGPT private _agpt;
    uint256 private _holderKey;
    address private _holder;
    address private _payee;

    function setUp() external {
        vm.warp(NOW);
        _holderKey = keyOf("holder");
        _holder = wallet("holder");
        _payee = wallet("payee");
        _agpt = AGPT(create("AGPT", abi.encode(_holder, SUPPLY)));
    }

    // --- What it is ---

    function test_Constructor_TheHolderHasAll() external view {
        assertEq(_agpt.totalSupply(), SUPPLY, "supply");
        assertEq(_agpt.balanceOf(_holder), SUPPLY, "holder");
        assertEq(keccak256(bytes(_agpt.name())), keccak256("AgentGPT"), "name");
        assertEq(keccak256(bytes(_agpt.symbol())), keccak256("AGPT"), "symbol");
        assertEq(_agpt.decimals(), 18, "decimals");
    }

    function test_RevertWhen_TheHolderIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        AGPT(create("AGPT", abi.encode(address(0), SUPPLY)));
    }

    function test_RevertWhen_TheSupplyIsTooLargeToVote() external {
        uint256 cap = type(uint208).max;
        vm.expectRevert(abi.encodeWithSelector(ERC20Votes.ERC20ExceededSafeSupply.selector, cap + 1, cap));
        AGPT(create("AGPT", abi.encode(_holder, cap + 1)));
        assertEq(AGPT(create("AGPT", abi.encode(_holder, cap))).totalSupply(), cap, "the most");
    }

    function test_Constructor_NothingMintsOrBurns() external {
        bytes[4] memory calls = [
            abi.encodeWithSignature("mint(address,uint256)", _holder, 1),
            abi.encodeWithSignature("mint(uint256)", 1),
            abi.encodeWithSignature("burn(uint256)", 1),
            abi.encodeWithSignature("burnFrom(address,uint256)", _holder, 1)
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(_holder);
            (bool succeeded, ) = address(_agpt).call(calls[i]);
            assertEq(succeeded, false, "no such function");
        }
        assertEq(_agpt.totalSupply(), SUPPLY, "supply");
    }

    function test_Domain_IsOneForAllSignatures() external view {
        (, string memory name, string memory version, uint256 chainId, address verifier, , ) = _agpt.eip712Domain();
        assertEq(keccak256(bytes(name)), keccak256("AgentGPT"), "name");
        assertEq(keccak256(bytes(version)), keccak256("1"), "version");
        assertEq(chainId, block.chainid, "chain");
        assertEq(verifier, address(_agpt), "contract");
        bytes32 domainType = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        );
        bytes32 expected = keccak256(
            abi.encode(domainType, keccak256("AgentGPT"), keccak256("1"), block.chainid, address(_agpt))
        );
        assertEq(_agpt.DOMAIN_SEPARATOR(), expected, "separator");
    }

    // --- Votes ---

    function test_Clock_IsUnixSeconds() external {
        vm.warp(NOW + 12_345);
        assertEq(_agpt.clock(), NOW + 12_345, "clock");
        assertEq(keccak256(bytes(_agpt.CLOCK_MODE())), keccak256("mode=timestamp"), "mode");
    }

    function test_Votes_CountOnceDelegated() external {
        assertEq(_agpt.getVotes(_holder), 0, "not by holding");
        vm.prank(_holder);
        _agpt.delegate(_holder);
        assertEq(_agpt.getVotes(_holder), SUPPLY, "by delegating");
        vm.warp(NOW + 1);
        assertEq(_agpt.getPastVotes(_holder, NOW), SUPPLY, "from that second on");
        assertEq(_agpt.getPastVotes(_holder, NOW - 1), 0, "not before");
        assertEq(_agpt.getPastTotalSupply(NOW), SUPPLY, "of all");
    }

    function testFuzz_Votes_MoveWithTheTokens(uint256 value) external {
        value = bound(value, 0, SUPPLY);
        vm.prank(_holder);
        _agpt.delegate(_holder);
        vm.prank(_payee);
        _agpt.delegate(_payee);
        vm.prank(_holder);
        assertTrue(_agpt.transfer(_payee, value), "transfer");
        assertEq(_agpt.getVotes(_holder), SUPPLY - value, "sender");
        assertEq(_agpt.getVotes(_payee), value, "receiver");
    }

    // --- Permit ---

    function test_Permit_AllowsOnce() external {
        uint256 deadline = NOW + 1 hours;
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPE, _holder, _payee, 5e18, 0, deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_holderKey, _digest(structHash));
        _agpt.permit(_holder, _payee, 5e18, deadline, v, r, s);
        assertEq(_agpt.allowance(_holder, _payee), 5e18, "allowance");
        assertEq(_agpt.nonces(_holder), 1, "nonce");

        bytes32 next = _digest(keccak256(abi.encode(PERMIT_TYPE, _holder, _payee, 5e18, 1, deadline)));
        address signer = ecrecover(next, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(ERC20Permit.ERC2612InvalidSigner.selector, signer, _holder));
        _agpt.permit(_holder, _payee, 5e18, deadline, v, r, s);
    }

    // --- transferWithAuthorization ---

    function testFuzz_TransferWithAuthorization_MovesWhatWasSigned(uint256 value, bytes32 nonce) external {
        Authorization memory signed = _authorization(bound(value, 0, SUPPLY));
        signed.nonce = nonce;
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        vm.expectEmit();
        emit IERC3009.AuthorizationUsed(_holder, nonce);
        _transfer(signed, signature);
        assertEq(_agpt.balanceOf(_payee), signed.value, "payee");
        assertEq(_agpt.balanceOf(_holder), SUPPLY - signed.value, "holder");
        assertTrue(_agpt.authorizationState(_holder, nonce), "used");
        assertEq(_agpt.nonces(_holder), 0, "permits have nonces of their own");
    }

    function test_RevertGiven_TheAuthorizationIsUsed() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        _transfer(signed, signature);
        bytes memory used = abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, _holder, signed.nonce);
        vm.expectRevert(used);
        _transfer(signed, signature);

        // The three-part form is the same authorization.
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_holderKey, _digest(_structHash(TRANSFER_TYPE, signed)));
        vm.expectRevert(used);
        _agpt.transferWithAuthorization(
            signed.from,
            signed.to,
            signed.value,
            signed.validAfter,
            signed.validBefore,
            signed.nonce,
            v,
            r,
            s
        );
    }

    function test_RevertWhen_TheTimeIsNotRight() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        bytes memory wrongTime = abi.encodeWithSelector(
            ERC3009.ERC3009InvalidAuthorizationTime.selector,
            signed.validAfter,
            signed.validBefore
        );
        vm.warp(signed.validAfter);
        vm.expectRevert(wrongTime);
        _transfer(signed, signature);
        vm.warp(signed.validBefore);
        vm.expectRevert(wrongTime);
        _transfer(signed, signature);
        vm.warp(NOW);
        _transfer(signed, signature);
    }

    function test_RevertWhen_AnythingSignedIsChanged() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        for (uint256 field = 0; field < 6; ++field) {
            Authorization memory changed = _authorization(1e18);
            if (field == 0) changed.from = wallet("another");
            if (field == 1) changed.to = wallet("thief");
            if (field == 2) changed.value = 2e18;
            if (field == 3) changed.validAfter -= 1;
            if (field == 4) changed.validBefore += 1;
            if (field == 5) changed.nonce = keccak256("another");
            _expectInvalidSignature();
            _transfer(changed, signature);
        }
        _transfer(signed, signature);
    }

    function test_RevertWhen_TheSignatureIsForAnotherPurpose() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory forReceive = _sign(_holderKey, RECEIVE_TYPE, signed);
        _expectInvalidSignature();
        _transfer(signed, forReceive);
        bytes memory forTransfer = _sign(_holderKey, TRANSFER_TYPE, signed);
        _expectInvalidSignature();
        _receive(signed, forTransfer);
    }

    function test_RevertWhen_TheSignatureIsForAnotherChainOrToken() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        AGPT other = AGPT(create("AGPT", abi.encode(_holder, SUPPLY)));
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        other.transferWithAuthorization(
            signed.from,
            signed.to,
            signed.value,
            signed.validAfter,
            signed.validBefore,
            signed.nonce,
            signature
        );
        vm.chainId(8453);
        _expectInvalidSignature();
        _transfer(signed, signature);
    }

    function test_RevertWhen_TheSignatureIsMalleated() external {
        Authorization memory signed = _authorization(1e18);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_holderKey, _digest(_structHash(TRANSFER_TYPE, signed)));
        assertTrue(uint256(s) <= HALF_CURVE_ORDER, "low s");
        bytes memory highS = abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _expectInvalidSignature();
        _transfer(signed, highS);
        _expectInvalidSignature();
        _transfer(signed, abi.encodePacked(r, s));
        _expectInvalidSignature();
        _transfer(signed, "");
    }

    function test_RevertGiven_TheSenderHasTooLittle() external {
        Authorization memory signed = _authorization(SUPPLY + 1);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, _holder, SUPPLY, SUPPLY + 1)
        );
        _transfer(signed, signature);
        assertEq(_agpt.authorizationState(_holder, signed.nonce), false, "not used");
    }

    function test_TransferWithAuthorization_OfAWalletWithCode() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        // EIP-7702: code that would refuse cannot revoke what the key signed.
        vm.etch(_holder, address(new Erc1271Wallet(Erc1271Wallet.Mode.Refuses)).code);
        _transfer(signed, signature);
        assertEq(_agpt.balanceOf(_payee), 1e18, "payee");
    }

    function test_TransferWithAuthorization_OfAContract() external {
        Erc1271Wallet contractWallet = new Erc1271Wallet(Erc1271Wallet.Mode.Refuses);
        vm.prank(_holder);
        assertTrue(_agpt.transfer(address(contractWallet), 3e18), "transfer");
        Authorization memory signed = _authorization(1e18);
        signed.from = address(contractWallet);
        _expectInvalidSignature();
        _transfer(signed, "anything");
        contractWallet.setMode(Erc1271Wallet.Mode.Reverts);
        _expectInvalidSignature();
        _transfer(signed, "anything");
        contractWallet.setMode(Erc1271Wallet.Mode.Accepts);
        _transfer(signed, "anything");
        assertEq(_agpt.balanceOf(_payee), 1e18, "payee");
    }

    // --- receiveWithAuthorization ---

    function testFuzz_ReceiveWithAuthorization_OnlyThePayeeTakes(uint256 value, address stranger) external {
        vm.assume(stranger != _payee);
        Authorization memory signed = _authorization(bound(value, 0, SUPPLY));
        bytes memory signature = _sign(_holderKey, RECEIVE_TYPE, signed);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, _payee));
        _receiveAs(stranger, signed, signature);

        vm.expectEmit();
        emit IERC3009.AuthorizationUsed(_holder, signed.nonce);
        _receive(signed, signature);
        assertEq(_agpt.balanceOf(_payee), signed.value, "payee");

        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, _holder, signed.nonce));
        _receive(signed, signature);
    }

    function test_RevertWhen_WhatIsReceivedIsChanged() external {
        Authorization memory signed = _authorization(1e18);
        bytes memory signature = _sign(_holderKey, RECEIVE_TYPE, signed);
        signed.value = 2e18;
        _expectInvalidSignature();
        _receive(signed, signature);
    }

    // --- cancelAuthorization ---

    function test_CancelAuthorization_UsesTheNonceUp() external {
        Authorization memory signed = _authorization(1e18);
        bytes32 structHash = keccak256(abi.encode(CANCEL_TYPE, _holder, signed.nonce));
        bytes memory cancellation = sign(_holderKey, _digest(structHash));
        vm.expectEmit();
        emit IERC3009Cancel.AuthorizationCanceled(_holder, signed.nonce);
        _agpt.cancelAuthorization(_holder, signed.nonce, cancellation);

        bytes memory signature = _sign(_holderKey, TRANSFER_TYPE, signed);
        bytes memory used = abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, _holder, signed.nonce);
        vm.expectRevert(used);
        _transfer(signed, signature);
        vm.expectRevert(used);
        _agpt.cancelAuthorization(_holder, signed.nonce, cancellation);
    }

    function test_RevertWhen_SomeoneElseCancels() external {
        bytes32 nonce = keccak256("nonce");
        bytes memory forged = sign(keyOf("thief"), _digest(keccak256(abi.encode(CANCEL_TYPE, _holder, nonce))));
        _expectInvalidSignature();
        _agpt.cancelAuthorization(_holder, nonce, forged);
        assertEq(_agpt.authorizationState(_holder, nonce), false, "not used");
    }

    // --- Helpers ---

    function _authorization(uint256 value) private view returns (Authorization memory) {
        return Authorization(_holder, _payee, value, NOW - 60, NOW + 60, keccak256("nonce"));
    }

    function _structHash(bytes32 typeHash, Authorization memory signed) private pure returns (bytes32) {
        return keccak256(abi.encode(typeHash, signed));
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", _agpt.DOMAIN_SEPARATOR(), structHash));
    }

    function _sign(uint256 key, bytes32 typeHash, Authorization memory signed) private view returns (bytes memory) {
        return sign(key, _digest(_structHash(typeHash, signed)));
    }

    function _expectInvalidSignature() private {
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
    }

    function _transfer(Authorization memory signed, bytes memory signature) private {
        IAGPT(address(_agpt)).transferWithAuthorization(
            signed.from,
            signed.to,
            signed.value,
            signed.validAfter,
            signed.validBefore,
            signed.nonce,
            signature
        );
    }

    function _receive(Authorization memory signed, bytes memory signature) private {
        _receiveAs(signed.to, signed, signature);
    }

    function _receiveAs(address caller, Authorization memory signed, bytes memory signature) private {
        vm.prank(caller);
        IAGPT(address(_agpt)).receiveWithAuthorization(
            signed.from,
            signed.to,
            signed.value,
            signed.validAfter,
            signed.validBefore,
            signed.nonce,
            signature
        );
    }
}
