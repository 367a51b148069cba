// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IPermit2} from "../../../contracts/interfaces/IPermit2.sol";
import {X402ExactPermit2Proxy} from "../../../contracts/mocks/X402ExactPermit2Proxy.sol";
import {X402UptoPermit2Proxy} from "../../../contracts/mocks/X402UptoPermit2Proxy.sol";
import {TestBase} from "./TestBase.sol";

/// @notice Permit2 as Uniswap's source compiles, and the stand-ins for x402's proxies, at their canonical addresses.
abstract contract Permit2Fixture is TestBase {
    IPermit2 internal constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);
    X402ExactPermit2Proxy internal constant EXACT_PROXY = X402ExactPermit2Proxy(
        0x402085c248EeA27D92E8b30b2C58ed07f9E20001
    );
    X402UptoPermit2Proxy internal constant UPTO_PROXY = X402UptoPermit2Proxy(
        0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002
    );

    /// @dev To be called once, before anything else.
    function placePermit2() internal {
        string memory json = vm.readFile("contracts/mocks/permit2.json");
        vm.etch(address(PERMIT2), vm.parseJsonBytes(json, ".runtimeCode"));
        vm.etch(address(EXACT_PROXY), create("X402ExactPermit2Proxy", "").code);
        vm.etch(address(UPTO_PROXY), create("X402UptoPermit2Proxy", "").code);
    }

    /// @dev What the owner of tokens signs, written down here once more: Permit2's domain, and a permit with a witness.
    /// @param witnessType Its EIP-712 type
    /// @param witness Its fields
    function hashPermit(
        address token,
        uint256 amount,
        address spender,
        uint256 nonce,
        uint256 deadline,
        string memory witnessType,
        bytes memory witness
    ) internal view returns (bytes32) {
        string memory permissions = "TokenPermissions(address token,uint256 amount)";
        bytes32 typeHash = keccak256(
            bytes.concat(
                "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,",
                "Witness witness)",
                bytes(permissions),
                bytes(witnessType)
            )
        );
        bytes32 permitted = keccak256(abi.encode(keccak256(bytes(permissions)), token, amount));
        bytes32 witnessHash = keccak256(bytes.concat(keccak256(bytes(witnessType)), witness));
        bytes32 structHash = keccak256(abi.encode(typeHash, permitted, spender, nonce, deadline, witnessHash));
        return keccak256(abi.encodePacked("\x19\x01", PERMIT2.DOMAIN_SEPARATOR(), structHash));
    }
}
