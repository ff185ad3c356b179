// The golden cases in Tests/Fixtures/parity: what one is, and how its file is read.
import Foundation
import JobSpec
import TensorEngine

/// One golden result of JAX, Flax or Optax. Tests/Fixtures/parity/README.md describes the fields.
struct ParityCase: Sendable {
    let suite: String
    let group: String
    let name: String
    let config: JSONValue
    let inputs: JSONValue
    let expected: JSONValue
    let tolerance: ParityTolerance

    /// `suite/group/name`, for messages.
    var path: String { "\(suite)/\(group)/\(name)" }

    /// True when the implementation must refuse this case.
    var expectsError: Bool { expected["error"] != nil }
}

/// Floats are right within `absolute + relative * |expected|`; everything else must be equal.
struct ParityTolerance: Sendable {
    var relative: Double
    var absolute: Double

    static let exact = ParityTolerance(relative: 0, absolute: 0)
}

/// What this version does not build: thrown by an interpreter of cases, counted and named by `checkParity`.
struct NotBuilt: Error {
    let feature: String

    init(_ feature: String) { self.feature = feature }
}

/// A case that is built and wrong.
struct ParityMismatch: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

enum ParitySuite {
    /// Where the cases are: Tests/Fixtures/parity, or what the environment variable SPINDLE_PARITY names.
    static var folder: URL {
        if let other = ProcessInfo.processInfo.environment["SPINDLE_PARITY"], !other.isEmpty {
            return URL(fileURLWithPath: other, isDirectory: true)
        }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/parity", isDirectory: true)
    }

    /// False when SPINDLE_PARITY names another set of cases than the one whose counts the tests know.
    static var isCheckedIn: Bool {
        ProcessInfo.processInfo.environment["SPINDLE_PARITY"]?.isEmpty ?? true
    }

    /// The groups of a suite, by their files.
    static func groups(_ suite: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(suite).path)
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    static func load(_ suite: String, _ group: String) throws -> [ParityCase] {
        let file = folder.appendingPathComponent("\(suite)/\(group).json")
        let limits = JSONLimits(maximumBytes: 64 << 20, maximumDepth: 256)
        // Our JSON refuses integers beyond 64 bits with a sign; the one that the suites have (2**64 - 1, in `serialization`)
        // is read as a float, and known by that.
        let text = try String(contentsOf: file, encoding: .utf8)
            .replacingOccurrences(of: "18446744073709551615", with: "18446744073709551615.0")
        let document = try JSONValue(parsing: Array(text.utf8), limits: limits)
        guard let cases = document["cases"]?.arrayValue else {
            throw ParityMismatch("\(file.lastPathComponent) has no list of cases")
        }
        return try cases.map { entry in
            guard let name = entry["name"]?.stringValue else {
                throw ParityMismatch("a case without a name in \(group)")
            }
            return ParityCase(
                suite: suite, group: group, name: name, config: entry["config"] ?? [:],
                inputs: entry["inputs"] ?? [:], expected: entry["expected"] ?? [:],
                tolerance: ParityTolerance(
                    relative: entry["tolerance"]?["rtol"]?.doubleValue ?? 0,
                    absolute: entry["tolerance"]?["atol"]?.doubleValue ?? 0))
        }
    }
}
