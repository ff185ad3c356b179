// Arrays that stay in their file until they are asked for, one at a time: an export of a model needs the memory of its largest tensor.
import Glibc
import TensorEngine

/// A file in memory as the kernel pages it in; unmapped with its last reference. The file must not be cut short meanwhile: the files of
/// checkpoints never change.
///
/// Unchecked: the memory is only read.
final class MappedFile: @unchecked Sendable {
    let path: String
    /// Valid as long as the file lives: see `withBytes`.
    fileprivate let bytes: UnsafeRawBufferPointer

    init(_ path: String) throws(CheckpointError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .system(call: "fstat", path: path, errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .unusable(path: path, reason: "something that is not a regular file")
        }
        let count = Int(status.st_size)
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let memory = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED
        else { throw .system(call: "mmap", path: path, errno: errno) }
        bytes = UnsafeRawBufferPointer(start: memory, count: count)
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }

    deinit {
        if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }

    /// Gives the memory of these bytes back; they are read again from the file when they are needed.
    func release(_ range: Range<Int>) {
        guard let start = bytes.baseAddress else { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        let first = range.lowerBound / page * page
        madvise(UnsafeMutableRawPointer(mutating: start) + first, range.upperBound - first, MADV_DONTNEED)
    }
}

/// An array of a file: what it is, and where its elements lie.
public struct FileArray: Sendable {
    public let dtype: DType
    public let shape: Shape
    private let file: MappedFile
    /// Of the file, one after another: Flax splits large arrays.
    private let pieces: [Range<Int>]

    /// - Throws: `SerializationError` where the pieces do not have the bytes of the type.
    init(_ dtype: DType, _ shape: Shape, _ file: MappedFile, _ pieces: [Range<Int>]) throws {
        let count = pieces.reduce(0) { $0 + $1.count }
        let (expected, overflow) = shape.elementCount.multipliedReportingOverflow(by: dtype.byteWidth)
        guard !overflow, expected == count, shape.dimensions.allSatisfy({ $0 >= 0 }) else {
            throw SerializationError(
                .malformed, "FileArray", expected: "the bytes of \(dtype) \(shape)", got: "\(count) bytes")
        }
        (self.dtype, self.shape, self.file, self.pieces) = (dtype, shape, file, pieces)
    }

    public var byteCount: Int { shape.elementCount * dtype.byteWidth }

    /// The elements, read from the file.
    ///
    /// - Throws: `SerializationError` (limit) for shapes that no tensor can have, and where memory is exhausted.
    public func tensor() throws -> Tensor {
        defer { for piece in pieces { file.release(piece) } }
        do {
            return try read()
        } catch let error as TensorError {
            throw SerializationError(.limit, "FileArray", expected: error.expected, got: error.got)
        }
    }

    private func read() throws -> Tensor {
        try file.withBytes { try read($0) }
    }

    private func read(_ contents: UnsafeRawBufferPointer) throws -> Tensor {
        if dtype != .bool, let piece = pieces.first, pieces.count == 1 {
            return try Tensor(
                bytes: UnsafeRawBufferPointer(rebasing: contents[piece]), type: TensorType(dtype, shape))
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        for piece in pieces { bytes.append(contentsOf: contents[piece]) }
        // Any byte but 0 is true in a file, and only 1 in a tensor.
        if dtype == .bool { return try Tensor(bytes.map { $0 != 0 }, shape: shape) }
        return try bytes.withUnsafeBytes { try Tensor(bytes: $0, type: TensorType(dtype, shape)) }
    }

    /// The array of the pieces of several, one behind the other.
    static func joining(_ chunks: [FileArray], shape: Shape) throws -> FileArray? {
        guard let first = chunks.first, chunks.allSatisfy({ $0.dtype == first.dtype }) else { return nil }
        return try FileArray(first.dtype, shape, first.file, chunks.flatMap(\.pieces))
    }
}
