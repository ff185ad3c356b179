// Typed reading of the worker protocol's messages, with errors that name the message and the field.

import OrderedCollections

package struct WorkerProtocolError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

struct MessageReader {
    let fields: OrderedDictionary<String, JSONValue>
    /// Name of the message, for errors.
    let message: String

    init(_ json: JSONValue, _ message: String) throws(WorkerProtocolError) {
        guard case .object(let fields) = json else {
            throw WorkerProtocolError("\(message): expected an object, got \(json.kindDescription)")
        }
        self.fields = fields
        self.message = message
    }

    /// The field; nil if it is absent or null.
    func optional(_ name: String) -> JSONValue? {
        guard let value = fields[name], !value.isNull else { return nil }
        return value
    }

    func value(_ name: String) throws(WorkerProtocolError) -> JSONValue {
        guard let value = fields[name] else { throw WorkerProtocolError("\(message): no field \(name)") }
        return value
    }

    func string(_ name: String) throws(WorkerProtocolError) -> String {
        let value = try value(name)
        guard let text = value.stringValue else { throw wrong(name, "a string", value) }
        return text
    }

    func integer(_ name: String) throws(WorkerProtocolError) -> Int {
        let value = try value(name)
        guard let number = value.intValue else { throw wrong(name, "an integer", value) }
        return number
    }

    func number(_ name: String) throws(WorkerProtocolError) -> Double {
        let value = try value(name)
        guard let number = value.extendedDoubleValue else { throw wrong(name, "a number", value) }
        return number
    }

    func boolean(_ name: String) throws(WorkerProtocolError) -> Bool {
        let value = try value(name)
        guard let flag = value.boolValue else { throw wrong(name, "a boolean", value) }
        return flag
    }

    func integers(_ name: String) throws(WorkerProtocolError) -> [Int] {
        let value = try value(name)
        guard let elements = value.arrayValue else { throw wrong(name, "an array", value) }
        var numbers: [Int] = []
        for element in elements {
            guard let number = element.intValue else { throw wrong(name, "integers", element) }
            numbers.append(number)
        }
        return numbers
    }

    func objects<Element>(
        _ name: String, _ make: (MessageReader) throws(WorkerProtocolError) -> Element
    ) throws(WorkerProtocolError) -> [Element] {
        let value = try value(name)
        guard let elements = value.arrayValue else { throw wrong(name, "an array", value) }
        var made: [Element] = []
        made.reserveCapacity(elements.count)
        for element in elements { made.append(try make(MessageReader(element, message))) }
        return made
    }

    /// An object whose values are numbers, as metrics by name.
    func numbers(_ name: String) throws(WorkerProtocolError) -> OrderedDictionary<String, Double> {
        let value = try value(name)
        guard let members = value.objectValue else { throw wrong(name, "an object", value) }
        var numbers: OrderedDictionary<String, Double> = [:]
        for (key, member) in members {
            guard let number = member.extendedDoubleValue else { throw wrong(name, "numbers", member) }
            numbers[key] = number
        }
        return numbers
    }

    func problems(_ name: String) throws(WorkerProtocolError) -> [SpecProblem] {
        try objects(name) { (problem) throws(WorkerProtocolError) in
            SpecProblem(
                code: try problem.string("code"), pointer: try problem.string("pointer"),
                detail: try problem.string("detail"))
        }
    }

    private func wrong(_ name: String, _ expected: String, _ got: JSONValue) -> WorkerProtocolError {
        WorkerProtocolError("\(message): \(name) should be \(expected), got \(got.kindDescription)")
    }
}

extension JSONValue {
    /// Metrics by name, in this order.
    init(numbers: OrderedDictionary<String, Double>) {
        self = .object(numbers.mapValues(JSONValue.double))
    }
}
