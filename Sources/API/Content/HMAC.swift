// HMAC-SHA256 (RFC 2104) and a comparison that takes the same time whatever the difference.
import Hashing

package struct HMAC: Sendable {
    private let innerPad: [UInt8]
    private let outerPad: [UInt8]

    package init(key: [UInt8]) {
        let blockBytes = 64
        var block = key.count > blockBytes ? SHA256.hash(key).bytes : key
        block += [UInt8](repeating: 0, count: blockBytes - block.count)
        innerPad = block.map { $0 ^ 0x36 }
        outerPad = block.map { $0 ^ 0x5c }
    }

    package func code(_ message: [UInt8]) -> [UInt8] {
        SHA256.hash(outerPad + SHA256.hash(innerPad + message).bytes).bytes
    }
}

/// True if both are equal. Reads every byte of both before it answers, so the time says nothing about where they differ.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    var difference: UInt8 = left.count == right.count ? 0 : 1
    for index in 0..<max(left.count, right.count) {
        let a = index < left.count ? left[index] : 0
        let b = index < right.count ? right[index] : 0
        difference |= a ^ b
    }
    return difference == 0
}
