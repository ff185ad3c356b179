// The fields of one record with quotes in it, unescaped: RFC 4180 §2.5 to §2.7, strictly.

struct QuotedFields {
    private let bytes: UnsafeBufferPointer<UInt8>
    /// Nil behind the last field.
    private var cursor: Int? = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// Puts the next field into `field`; false if there is none.
    mutating func next(into field: inout [UInt8]) throws(CellError) -> Bool {
        guard var index = cursor else { return false }
        field.removeAll(keepingCapacity: true)
        if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
            index += 1
            while true {
                guard index < bytes.count else { throw CellError("a quote is opened and never closed") }
                if bytes[index] != UInt8(ascii: "\"") {
                    field.append(bytes[index])
                    index += 1
                } else if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\"") {
                    field.append(UInt8(ascii: "\""))
                    index += 2
                } else {
                    index += 1
                    break
                }
            }
            guard index == bytes.count || bytes[index] == UInt8(ascii: ",") else {
                throw CellError("text after a closing quote; write a quote in quotes twice")
            }
        } else {
            while index < bytes.count, bytes[index] != UInt8(ascii: ",") {
                guard bytes[index] != UInt8(ascii: "\"") else {
                    throw CellError("a quote in a field that does not begin with one; quote the whole field")
                }
                field.append(bytes[index])
                index += 1
            }
        }
        cursor = index < bytes.count ? index + 1 : nil
        return true
    }
}
