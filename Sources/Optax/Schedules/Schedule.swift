// Numbers that follow the step count.
import TensorEngine

/// A function of the number of steps taken (0 before the first), such as a learning rate. Works on traced counts, so that a
/// compiled step follows it without being compiled again.
public struct Schedule: Sendable {
    private let body: @Sendable (Tensor) throws -> Tensor

    /// - Parameter body: from the step count, an int32 scalar, to the value, a float32 scalar.
    public init(_ body: @escaping @Sendable (_ count: Tensor) throws -> Tensor) { self.body = body }

    /// The value at a step count, an integer scalar.
    public func callAsFunction(_ count: Tensor) throws -> Tensor { try body(count) }

    /// The value at a step count.
    public func value(at step: Int) throws -> Double {
        guard let step = Int32(exactly: step) else {
            throw TensorError(.argument, "Schedule", expected: "a step count within 32 bits", got: "\(step)")
        }
        return try body(try Tensor(step)).item()
    }
}

/// The same value at all times.
public func constantSchedule(_ value: Double) -> Schedule {
    Schedule { _ in try full([], value) }
}
