// CRC-32C (Castagnoli, RFC 3720 appendix B.4), and the masked form that TensorFlow's files use: TFRecord, tensor bundles.

package struct CRC32C: Sendable {
    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    package var value: UInt32 { ~state }

    /// The checksum as TensorFlow stores it: a checksum of bytes that hold checksums would be of little use, so they are turned and
    /// moved (tensorflow/core/lib/hash/crc32c.h).
    package var masked: UInt32 { (value >> 15 | value << 17) &+ 0xA282_EAD8 }

    /// Eight tables, so that eight bytes are taken at once: `tables[k][b]` is the checksum of `b` followed by `k` zero bytes.
    private static let tables: [UInt32] = {
        let polynomial: UInt32 = 0x82F6_3B78
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in
                value & 1 == 0 ? value >> 1 : polynomial ^ value >> 1
            }
        }
        for index in 256..<tables.count {
            let shorter = tables[index - 256]
            tables[index] = tables[Int(shorter & 0xFF)] ^ shorter >> 8
        }
        return tables
    }()

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = state
        Self.tables.withUnsafeBufferPointer { table in
            func entry(_ place: Int, _ byte: UInt32) -> UInt32 { table[place << 8 | Int(byte & 0xFF)] }
            var position = 0
            while position + 8 <= bytes.count {
                let low =
                    crc ^ UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                let high = UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
                crc =
                    entry(7, low) ^ entry(6, low >> 8) ^ entry(5, low >> 16) ^ entry(4, low >> 24)
                    ^ entry(3, high) ^ entry(2, high >> 8) ^ entry(1, high >> 16) ^ entry(0, high >> 24)
                position += 8
            }
            while position < bytes.count {
                crc = entry(0, crc ^ UInt32(bytes[position])) ^ crc >> 8
                position += 1
            }
        }
        state = crc
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    package static func hash(_ bytes: [UInt8]) -> CRC32C {
        var crc = CRC32C()
        crc.update(bytes)
        return crc
    }
}
