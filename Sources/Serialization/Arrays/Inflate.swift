// The members of a compressed npz.
import FileFormats

/// The bytes that a DEFLATE stream stands for.
///
/// - Parameter count: how many they must be. Nothing is allocated by this number alone: it may come from anywhere.
/// - Throws: `SerializationError` (malformed) where the stream is not one, or gives another number of bytes.
func inflate(_ compressed: ArraySlice<UInt8>, count: Int) throws -> [UInt8] {
    func malformed(_ offset: Int, _ expected: String, _ got: String) -> SerializationError {
        SerializationError(
            .malformed, "inflate", byteOffset: offset, expected: expected, got: got,
            fix: "The bytes are damaged or cut short.")
    }
    // The shortest code for the longest run: 258 bytes for 2 bits.
    guard count <= (compressed.count + 1) * 1032 else {
        throw malformed(
            compressed.startIndex, "a stream long enough for \(count) bytes", "\(compressed.count) bytes")
    }
    let (bytes, end): ([UInt8], Int)
    do throws(FormatError) {
        (bytes, end) = try FileFormats.inflate(compressed, limit: count)
    } catch {
        throw malformed(error.byteOffset, error.expected, error.got)
    }
    guard end == compressed.endIndex else {
        throw malformed(end, "the stream's end at the end of its bytes", "more bytes")
    }
    guard bytes.count == count else {
        throw malformed(compressed.startIndex, "\(count) bytes", "\(bytes.count)")
    }
    return bytes
}
