// Calls with absurd arguments: shapes, axes, types and values that no sane program has.
import Foundation
import TestSupport

@testable import TensorEngine

/// Draws calls of the engine's functions, and keeps some of their results as operands of later ones.
struct Fuzzer {
    typealias Call = @Sendable (inout Fuzzer) throws -> [Tensor]

    var generator: SeededGenerator
    private var pool: [Tensor] = []

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// Makes one call. An error of the engine is a fine answer.
    mutating func step(_ calls: [(name: String, call: Call)], log: FuzzLog) {
        let (name, call) = calls.random(&generator)
        log.write("\(name) on \(pool.suffix(4).map(\.type))")
        do {
            for result in try call(&self) where result.shape.elementCount <= 4096 || result.isTraced {
                pool.append(result)
            }
            if pool.count > 12 { pool.removeFirst(pool.count - 12) }
        } catch {}
    }

    mutating func forget() { pool = [] }
    mutating func add(_ tensors: [Tensor]) { pool += tensors }
    var results: [Tensor] { Array(pool.suffix(3)) }

    // MARK: Arguments

    mutating func bool() -> Bool { Bool.random(using: &generator) }

    /// Mostly small, sometimes negative, sometimes beyond all bounds.
    mutating func int() -> Int {
        let absurd = [-1, -2, -9, 7, 8, 9, 1 << 40, 1 << 62, Int.max, Int.min, Int.min + 1]
        return Int.random(in: 0..<4, using: &generator) == 0
            ? absurd.random(&generator) : Int.random(in: 0...3, using: &generator)
    }

    mutating func ints() -> [Int] {
        let count = Int.random(in: 0...4, using: &generator)
        return (0..<count).map { _ in int() }
    }

    /// Sizes are small, or so large that no machine has the memory.
    mutating func size() -> Int {
        switch Int.random(in: 0..<24, using: &generator) {
        case 0: 1 << 40
        case 1: [1 << 62, Int.max, -1, -3, Int.min].random(&generator)
        case 2...4: 0
        default: Int.random(in: 1...4, using: &generator)
        }
    }

    mutating func shape() -> Shape {
        let rank = [0, 1, 1, 2, 2, 2, 3, 3, 4, 8, 9].random(&generator)
        return Shape((0..<rank).map { _ in size() })
    }

    mutating func smallShape() -> Shape {
        let rank = [0, 1, 1, 2, 2, 2, 3, 3, 4, 8].random(&generator)
        return Shape((0..<rank).map { _ in [0, 1, 1, 2, 2, 3, 5].random(&generator) })
    }

    mutating func axes() -> [Int]? {
        bool() ? nil : (0..<Int.random(in: 0...3, using: &generator)).map { _ in int() }
    }

    mutating func dtype() -> DType { DType.allCases.random(&generator) }

    mutating func number() -> Double {
        [0, 1, -1, 0.5, -2.25, .nan, .infinity, -.infinity, 1e300, -1e-300, 1e10, 3e38].random(&generator)
    }

    /// A value made so far, or a new one with some absurd elements.
    mutating func tensor() throws -> Tensor {
        if let known = pool.last, Int.random(in: 0..<3, using: &generator) > 0 {
            return bool() ? known : pool.random(&generator)
        }
        return try tensor(smallShape(), dtype())
    }

    mutating func tensor(_ shape: Shape, _ dtype: DType) throws -> Tensor {
        let values = (0..<shape.elementCount).map { _ in
            Int.random(in: 0..<8, using: &generator) == 0
                ? number() : Double.random(in: -4...4, using: &generator)
        }
        return try Tensor(values, shape: shape).astype(dtype)
    }

    /// Another operand for `x`: the same type, or anything.
    mutating func partner(_ x: Tensor) throws -> Tensor {
        // Values of a traced tensor's size may be too many to make.
        let isSmall = x.shape.elementCount <= 4096
        return isSmall && Int.random(in: 0..<4, using: &generator) > 0
            ? try tensor(x.shape, x.dtype) : try tensor()
    }

    mutating func indices() throws -> Tensor { try tensor(smallShape(), bool() ? .int32 : dtype()) }

    mutating func key() throws -> PRNGKey { try PRNGKey(seed: int()) }
}

/// Where the current call is written before it is made, so that one that traps can be found.
final class FuzzLog: Sendable {
    let path: String
    private let descriptor: Int32

    init(_ name: String) {
        path =
            FileManager.default.temporaryDirectory.appending(path: "spindle-fuzz-\(name)-\(getpid()).txt")
            .path
        descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    }

    func write(_ text: String) {
        let line = Array((text + "\n").utf8)
        pwrite(descriptor, line, line.count, 0)
        ftruncate(descriptor, off_t(line.count))
    }

    /// Nothing trapped: the file goes.
    deinit {
        close(descriptor)
        unlink(path)
    }
}
