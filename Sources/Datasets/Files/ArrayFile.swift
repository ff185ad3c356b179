// Arrays in files: NumPy's NPY and the IDX format of MNIST.

import FileFormats
import JobSpec

/// An array of any number of dimensions, whose first is the rows.
struct ArrayFile {
    let format: String
    let shape: [Int]
    /// NumPy's name of the type, such as "uint8".
    let type: String
    private let element: Element
    private let isBigEndian: Bool
    private let bytes: [UInt8]
    private let start: Int

    private enum Element {
        case integer(bytes: Int, isSigned: Bool)
        case float(bytes: Int)

        var bytes: Int {
            switch self {
            case .integer(let bytes, _), .float(let bytes): bytes
            }
        }
    }

    var isInteger: Bool { if case .integer = element { true } else { false } }
    var rows: Int { shape.first ?? 0 }

    /// Nil if these are not the first bytes of such a file.
    init?(_ bytes: [UInt8]) throws(DatasetError) {
        if bytes.starts(with: NumPyHeader.magic) {
            self = try ArrayFile(npy: bytes)
        } else if bytes.count >= 4, bytes[0] == 0, bytes[1] == 0, Self.idxTypes[bytes[2]] != nil, bytes[3] > 0
        {
            self = try ArrayFile(idx: bytes)
        } else {
            return nil
        }
    }

    private init(
        _ format: String, _ shape: [Int], _ type: String, _ element: Element, isBigEndian: Bool,
        bytes: [UInt8],
        start: Int
    ) throws(DatasetError) {
        guard !shape.isEmpty, shape.count <= 6 else {
            throw DatasetError(
                "the array has \(shape.count) dimensions; 1 to 6 can be used, the first is the rows")
        }
        var size = element.bytes
        for dimension in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            guard dimension > 0, !overflow else {
                throw DatasetError("the array's shape \(shape) holds nothing usable")
            }
            size = product
        }
        guard bytes.count - start == size else {
            throw DatasetError(
                "an array \(shape) of \(type) has \(size) bytes, the file has \(bytes.count - start) behind its header"
            )
        }
        self.format = format
        self.shape = shape
        self.type = type
        self.element = element
        self.isBigEndian = isBigEndian
        self.bytes = bytes
        self.start = start
    }

    // MARK: IDX

    private static let idxTypes: [UInt8: (String, Element)] = [
        0x08: ("uint8", .integer(bytes: 1, isSigned: false)),
        0x09: ("int8", .integer(bytes: 1, isSigned: true)),
        0x0B: ("int16", .integer(bytes: 2, isSigned: true)),
        0x0C: ("int32", .integer(bytes: 4, isSigned: true)),
        0x0D: ("float32", .float(bytes: 4)), 0x0E: ("float64", .float(bytes: 8)),
    ]

    private init(idx bytes: [UInt8]) throws(DatasetError) {
        guard let (type, element) = Self.idxTypes[bytes[2]] else { throw DatasetError("not an IDX file") }
        let count = Int(bytes[3])
        guard bytes.count >= 4 + 4 * count else { throw DatasetError("the IDX header ends too early") }
        let shape = (0..<count).map { index in
            (0..<4).reduce(0) { $0 << 8 | Int(bytes[4 + 4 * index + $1]) }
        }
        self = try ArrayFile(
            "idx", shape, type, element, isBigEndian: true, bytes: bytes, start: 4 + 4 * count)
    }

    // MARK: NPY

    private init(npy bytes: [UInt8]) throws(DatasetError) {
        let header: NumPyHeader
        do throws(FormatError) {
            header = try NumPyHeader(bytes[...])
        } catch {
            throw DatasetError("the NPY header cannot be read, \(error)")
        }
        guard !header.isFortranOrder || header.shape.count < 2 else {
            throw DatasetError("the array is in Fortran order; save numpy.ascontiguousarray(array)")
        }
        let name = header.descriptor
        guard let (type, element) = Self.npyTypes[String(name.dropFirst())], let mark = name.first,
            "<>|=".contains(mark)
        else {
            throw DatasetError(
                "arrays of type \"\(excerpt(name))\" are not read; save it as float32, uint8 or int32")
        }
        self = try ArrayFile(
            "npy", header.shape, type, element, isBigEndian: mark == ">", bytes: bytes,
            start: header.byteCount)
    }

    private static let npyTypes: [String: (String, Element)] = [
        "u1": ("uint8", .integer(bytes: 1, isSigned: false)),
        "i1": ("int8", .integer(bytes: 1, isSigned: true)),
        "b1": ("bool", .integer(bytes: 1, isSigned: false)),
        "u2": ("uint16", .integer(bytes: 2, isSigned: false)),
        "i2": ("int16", .integer(bytes: 2, isSigned: true)),
        "u4": ("uint32", .integer(bytes: 4, isSigned: false)),
        "i4": ("int32", .integer(bytes: 4, isSigned: true)),
        "u8": ("uint64", .integer(bytes: 8, isSigned: false)),
        "i8": ("int64", .integer(bytes: 8, isSigned: true)),
        "f4": ("float32", .float(bytes: 4)), "f8": ("float64", .float(bytes: 8)),
    ]

    // MARK: Values

    private func word(_ index: Int) -> UInt64 {
        let width = element.bytes
        let base = start + index * width
        var word: UInt64 = 0
        for byte in 0..<width {
            let shift = UInt64(8 * (isBigEndian ? width - 1 - byte : byte))
            word |= UInt64(bytes[base + byte]) << shift
        }
        return word
    }

    private func number(_ index: Int) -> Double {
        switch element {
        case .float(4): return Double(Float(bitPattern: UInt32(word(index))))
        case .float: return Double(bitPattern: word(index))
        case .integer(let width, let isSigned):
            guard isSigned else { return Double(word(index)) }
            let unused = UInt64(64 - 8 * width)
            return Double(Int64(bitPattern: word(index) << unused) >> Int64(unused))
        }
    }

    private var count: Int { shape.reduce(1, *) }

    func floats() throws(DatasetError) -> [Float] {
        var values = [Float](repeating: 0, count: count)
        for index in values.indices {
            let value = Float(number(index))
            guard value.isFinite else {
                throw DatasetError(
                    "the array has \(number(index)), which training cannot use", row: index / (count / rows))
            }
            values[index] = value
        }
        return values
    }

    /// Class labels or tokens.
    func labels() throws(DatasetError) -> [Int32] {
        guard isInteger else { throw DatasetError("labels are integers; the array is \(type)") }
        var values = [Int32](repeating: 0, count: count)
        for index in values.indices {
            guard let value = Int32(exactly: number(index)),
                (0...MatrixSink.maximumLabel).contains(Int(value))
            else {
                throw DatasetError(
                    "a label is an integer from 0 to \(MatrixSink.maximumLabel), got \(number(index))",
                    row: index + 1)
            }
            values[index] = value
        }
        return values
    }

    /// The smallest and the largest value.
    func range() -> (minimum: Double, maximum: Double) {
        (0..<count).reduce((Double.infinity, -Double.infinity)) { range, index in
            let value = number(index)
            return (min(range.0, value), max(range.1, value))
        }
    }
}
