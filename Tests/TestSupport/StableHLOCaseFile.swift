// Programs as StableHLO with operands and results, for deploy/interop/stablehlo.py to run by XLA.
import Foundation

/// Cases that are written to a folder, if the environment names one: the programs' text, operands, and our results.
package struct StableHLOCaseFile {
    /// `SPINDLE_STABLEHLO_CASES`: where to write; nil outside of the interoperability checks.
    package static let folder: URL? = ProcessInfo.processInfo.environment["SPINDLE_STABLEHLO_CASES"].map {
        URL(filePath: $0)
    }

    package struct Array: Encodable {
        let dtype: String
        let shape: [Int]
        /// In base 64.
        let elements: Data

        package init(dtype: String, shape: [Int], bytes: [UInt8]) {
            self.dtype = dtype
            self.shape = shape
            elements = Data(bytes)
        }
    }

    private struct Case: Encodable {
        let name: String
        let text: String
        let inputs: [Array]
        let outputs: [Array]
        /// How far a float may be from ours: `relative` · |ours| + `absolute`.
        let relative: Double
        let absolute: Double
    }

    private let name: String
    private var cases: [Case] = []
    /// Programs that have no StableHLO for any batch size, by the operation.
    package private(set) var refused: [String: Int] = [:]

    package init(_ name: String) { self.name = name }

    package var count: Int { cases.count }

    package mutating func add(
        _ name: String, text: String, inputs: [Array], outputs: [Array], relative: Double, absolute: Double
    ) {
        cases.append(
            Case(
                name: name, text: text, inputs: inputs, outputs: outputs, relative: relative,
                absolute: absolute))
    }

    package mutating func refuse(_ operation: String) { refused[operation, default: 0] += 1 }

    package func write() throws {
        guard let folder = StableHLOCaseFile.folder else { return }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try JSONEncoder().encode(cases).write(to: folder.appending(path: "\(name).json"))
    }
}
