// The checksum of leveldb's and TensorFlow's files: CRC-32C (Castagnoli), RFC 3720 appendix B.4.

/// A CRC-32C of bytes that come piece by piece.
struct CRC32C {
    private var state: UInt32 = .max

    /// Eight tables, so that eight bytes take one step: table k moves a byte past k further bytes.
    private static let tables: [UInt32] = {
        let reversedPolynomial: UInt32 = 0x82F6_3B78
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : reversedPolynomial) }
            tables[byte] = remainder
        }
        for k in 256..<(8 * 256) {
            let shorter = tables[k - 256]
            tables[k] = shorter >> 8 ^ tables[Int(shorter & 0xFF)]
        }
        return tables
    }()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = state
        var position = 0
        Self.tables.withUnsafeBufferPointer { tables in
            func entry(_ table: Int, _ index: UInt64) -> UInt32 {
                tables[table << 8 | Int(truncatingIfNeeded: index & 0xFF)]
            }
            while bytes.count - position >= 8 {
                let word =
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                    ^ UInt64(crc)
                let low =
                    entry(7, word) ^ entry(6, word >> 8) ^ entry(5, word >> 16) ^ entry(4, word >> 24)
                let high =
                    entry(3, word >> 32) ^ entry(2, word >> 40) ^ entry(1, word >> 48)
                    ^ entry(0, word >> 56)
                crc = low ^ high
                position += 8
            }
            for byte in bytes[position...] { crc = crc >> 8 ^ entry(0, UInt64(crc ^ UInt32(byte))) }
        }
        state = crc
    }

    mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    var value: UInt32 { ~state }

    /// The checksum as these files store it: turned and shifted, so that checksums of bytes with checksums inside stay good.
    var masked: UInt32 { (value >> 15 | value << 17) &+ 0xA282_EAD8 }
}
