// Decoded, checked values of a block's parameters, with defaults filled in.

import OrderedCollections

package indirect enum Argument: Sendable, Hashable {
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case integers([Int])
    case texts([String])
    case numbers([Double])
    /// Low and high for each dimension.
    case pairs([[Int]])
    /// The target is the inputs, so far ahead.
    case shift(Int)
    case labels(OrderedDictionary<String, String>)
    /// Factors by step, in ascending order of the steps.
    case stepScales(OrderedDictionary<Int, Double>)
    case dataset(DatasetReference)
    case split(SplitRange)
    case typed(TypedSpec)
    case typedList([TypedSpec])
    case typedMap(OrderedDictionary<String, TypedSpec>)
    case blocks([Arguments])
    case block(Arguments)
}

/// A number that may change with the step.
package enum ScalarOrSchedule: Sendable, Hashable {
    case number(Double)
    case schedule(TypedSpec)
}

/// An entry of the catalog with its arguments: a module, an optimizer, a loss, ...
package struct TypedSpec: Sendable, Hashable {
    package let kind: CatalogKind
    /// Name of the catalog entry.
    package let name: String
    package let arguments: Arguments
    /// Where in the spec it is, for problems that are found later, such as wrong shapes.
    package let pointer: JSONPointer

    package func problem(_ code: String, _ detail: String) -> SpecProblem {
        SpecProblem(code: code, pointer: pointer.description, detail: detail)
    }
}

package typealias ModuleSpec = TypedSpec
package typealias OptimizerSpec = TypedSpec
package typealias ScheduleSpec = TypedSpec
package typealias InitializerSpec = TypedSpec
package typealias LossSpec = TypedSpec
package typealias MetricSpec = TypedSpec
package typealias TransformSpec = TypedSpec
package typealias GeneratorSpec = TypedSpec
package typealias CallbackSpec = TypedSpec

/// Asking for an argument that the catalog does not give this entry: the catalog and the code that reads its
/// entries disagree.
package struct CatalogMismatch: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// In the order of the block's parameters. The throwing accessors are for parameters that are required or have a
/// default, and throw `CatalogMismatch`; the optional ones give nil for one that is absent.
package struct Arguments: Sendable, Hashable {
    /// Name of the block or entry.
    package let owner: String
    package var values: OrderedDictionary<String, Argument>

    package init(owner: String, values: OrderedDictionary<String, Argument> = [:]) {
        self.owner = owner
        self.values = values
    }

    package func boolean(_ name: String) throws -> Bool { try require(name, optionalBoolean(name)) }
    package func integer(_ name: String) throws -> Int { try require(name, optionalInteger(name)) }
    package func number(_ name: String) throws -> Double { try require(name, optionalNumber(name)) }
    package func text(_ name: String) throws -> String { try require(name, optionalText(name)) }
    package func spec(_ name: String) throws -> TypedSpec { try require(name, optionalSpec(name)) }

    package func integers(_ name: String) throws -> [Int] {
        guard case .integers(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func specs(_ name: String) throws -> [TypedSpec] {
        guard case .typedList(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func specMap(_ name: String) throws -> OrderedDictionary<String, TypedSpec> {
        guard case .typedMap(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func blocks(_ name: String) throws -> [Arguments] {
        guard case .blocks(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func texts(_ name: String) throws -> [String] { try require(name, optionalTexts(name)) }

    package func numbers(_ name: String) throws -> [Double] {
        guard case .numbers(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func optionalPairs(_ name: String) -> [[Int]]? {
        if case .pairs(let value) = values[name] { value } else { nil }
    }

    package func optionalIntegers(_ name: String) -> [Int]? {
        if case .integers(let value) = values[name] { value } else { nil }
    }

    package func stepScales(_ name: String) throws -> OrderedDictionary<Int, Double> {
        guard case .stepScales(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func scalarOrSchedule(_ name: String) throws -> ScalarOrSchedule {
        switch values[name] {
        case .number(let value): .number(value)
        case .integer(let value): .number(Double(value))
        case .typed(let schedule): .schedule(schedule)
        default: throw mismatch(name)
        }
    }

    package func labels(_ name: String) throws -> OrderedDictionary<String, String> {
        guard case .labels(let value) = values[name] else { throw mismatch(name) }
        return value
    }

    package func optionalBoolean(_ name: String) -> Bool? {
        if case .boolean(let value) = values[name] { value } else { nil }
    }

    package func optionalInteger(_ name: String) -> Int? {
        if case .integer(let value) = values[name] { value } else { nil }
    }

    package func optionalNumber(_ name: String) -> Double? {
        if case .number(let value) = values[name] { value } else { nil }
    }

    package func optionalText(_ name: String) -> String? {
        if case .text(let value) = values[name] { value } else { nil }
    }

    package func optionalTexts(_ name: String) -> [String]? {
        if case .texts(let value) = values[name] { value } else { nil }
    }

    package func optionalSpec(_ name: String) -> TypedSpec? {
        if case .typed(let value) = values[name] { value } else { nil }
    }

    package func optionalBlock(_ name: String) -> Arguments? {
        if case .block(let value) = values[name] { value } else { nil }
    }

    /// The catalog entries among the values, in their order.
    package var inner: [TypedSpec] {
        values.values.flatMap { argument -> [TypedSpec] in
            switch argument {
            case .typed(let spec): [spec]
            case .typedList(let specs): specs
            case .typedMap(let specs): Array(specs.values)
            default: []
            }
        }
    }

    private func require<Value>(_ name: String, _ value: Value?) throws -> Value {
        guard let value else { throw mismatch(name) }
        return value
    }

    func mismatch(_ name: String) -> CatalogMismatch {
        CatalogMismatch("the catalog gives \(owner) no argument \(name) of this type")
    }
}

extension Arguments {
    package var json: JSONValue { .object(values.mapValues(\.json)) }
}

extension Argument {
    package var json: JSONValue {
        switch self {
        case .boolean(let value): .bool(value)
        case .integer(let value): JSONValue(value)
        case .number(let value): .double(value)
        case .text(let value): .string(value)
        case .integers(let values): JSONValue(values)
        case .texts(let values): JSONValue(values)
        case .numbers(let values): .array(values.map(JSONValue.double))
        case .pairs(let pairs): .array(pairs.map { JSONValue($0) })
        case .shift(let count): ["shift": JSONValue(count)]
        case .labels(let labels): .object(labels.mapValues(JSONValue.string))
        case .stepScales(let scales):
            JSONValue(members: scales.map { (String($0.key), .double($0.value)) })
        case .dataset(let reference): .string(reference.description)
        case .split(let split): .string(split.description)
        case .typed(let spec): spec.json
        case .typedList(let specs): .array(specs.map(\.json))
        case .typedMap(let specs): .object(specs.mapValues(\.json))
        case .blocks(let blocks): .array(blocks.map(\.json))
        case .block(let arguments): arguments.json
        }
    }
}

extension TypedSpec {
    /// A bare name if the entry takes no arguments, else an object with every argument that has a value.
    package var json: JSONValue {
        guard Catalog.entry(kind, name)?.parameters.isEmpty != true else { return .string(name) }
        var members: [(String, JSONValue)] = [("type", .string(name))]
        for (name, argument) in arguments.values { members.append((name, argument.json)) }
        return JSONValue(members: members)
    }
}
