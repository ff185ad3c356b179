// Decoding of single values by parameter type, with their ranges.

import OrderedCollections

extension SpecDecoder {
    func argument(
        _ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer, depth: Int
    ) -> Argument? {
        switch type {
        case .boolean:
            guard let flag = value.boolValue else { return wrong(value, type, pointer) }
            return .boolean(flag)
        case .integer(let range):
            return integer(value, range, type, at: pointer).map(Argument.integer)
        case .number(let range):
            return number(value, range, type, at: pointer).map(Argument.number)
        case .text(let rule):
            guard let text = value.stringValue else { return wrong(value, type, pointer) }
            guard rule.allows(text) else {
                report(.invalidValue, pointer, "expected \(type.description), got \"\(excerpt(text))\"")
                return nil
            }
            return .text(text)
        case .choice(let choices, let planned):
            return choice(value, choices, planned, type, at: pointer)
        case .integers(let count, let each):
            return integers(value, count, each, type, at: pointer)
        case .numbers(let count):
            guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
            guard checkCount(elements, count, type, at: pointer) else { return nil }
            let numbers = elements.enumerated().compactMap { index, element in
                number(element, .any, .number(.any), at: pointer.appending(index))
            }
            return numbers.count == elements.count ? .numbers(numbers) : nil
        case .integerOrAuto(let range):
            if value.stringValue == "auto" { return .text("auto") }
            return integer(value, range, type, at: pointer).map(Argument.integer)
        case .padding: return padding(value, type, at: pointer)
        case .target: return target(value, at: pointer)
        case .typedMap(let kinds): return typedMap(value, kinds, type, at: pointer, depth: depth)
        case .integerOrSchedule(let range):
            if case .object = value {
                return typed(value, [.schedule], at: pointer, depth: depth).map(Argument.typed)
            }
            return integer(value, range, type, at: pointer).map(Argument.integer)
        case .patterns: return patterns(value, type, at: pointer)
        case .patternLabels: return patternLabels(value, type, at: pointer)
        case .renames: return renames(value, type, at: pointer)
        case .names: return names(value, type, at: pointer)
        case .blocks(let block, let count):
            guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
            guard checkCount(elements, count, type, at: pointer) else { return nil }
            return .blocks(
                elements.enumerated().compactMap { index, element in
                    let place = pointer.appending(index)
                    guard let fields = element.objectValue else {
                        report(.wrongType, place, "expected an object, got \(element.kindDescription)")
                        return nil
                    }
                    return arguments(fields, of: block, at: place, depth: depth)
                })
        case .column:
            guard let text = value.stringValue else { return wrong(value, type, pointer) }
            return columnName(text, at: pointer).map(Argument.text)
        case .columns: return columns(value, type, at: pointer)
        case .labels: return labels(value, type, at: pointer)
        case .dataset:
            guard let text = value.stringValue else { return wrong(value, type, pointer) }
            guard let reference = DatasetReference(text) else {
                report(.invalidValue, pointer, "expected \(type.description), got \"\(excerpt(text))\"")
                return nil
            }
            return .dataset(reference)
        case .split:
            guard let text = value.stringValue else { return wrong(value, type, pointer) }
            guard let split = SplitRange(text) else {
                report(
                    .invalidValue, pointer,
                    "expected \(type.description) with at least one row, got \"\(excerpt(text))\"")
                return nil
            }
            return .split(split)
        case .stepScales: return stepScales(value, type, at: pointer)
        case .typed(let kinds):
            return typed(value, kinds, at: pointer, depth: depth).map(Argument.typed)
        case .typedList(let kinds, let count):
            return typedList(value, kinds, count, type, at: pointer, depth: depth)
        case .numberOrSchedule(let range), .hyperparameter(let range):
            if case .object = value {
                return typed(value, [.schedule], at: pointer, depth: depth).map(Argument.typed)
            }
            return number(value, range, type, at: pointer).map(Argument.number)
        case .block(let block):
            guard let fields = value.objectValue else { return wrong(value, type, pointer) }
            return .block(arguments(fields, of: block, at: pointer, depth: depth))
        }
    }

    func wrong(_ value: JSONValue, _ type: ParameterType, _ pointer: JSONPointer) -> Argument? {
        report(.wrongType, pointer, "expected \(type.description), got \(value.kindDescription)")
        return nil
    }

    func integer(
        _ value: JSONValue, _ range: ClosedRange<Int>, _ type: ParameterType, at pointer: JSONPointer
    ) -> Int? {
        guard let number = value.intValue else {
            let got = value.doubleValue.map(plain) ?? value.kindDescription
            report(.wrongType, pointer, "expected \(type.description), got \(got)")
            return nil
        }
        guard range.contains(number) else {
            report(.outOfRange, pointer, "expected \(type.description), got \(number)")
            return nil
        }
        return number
    }

    private func number(
        _ value: JSONValue, _ range: NumberRange, _ type: ParameterType, at pointer: JSONPointer
    ) -> Double? {
        guard let number = value.doubleValue else {
            report(.wrongType, pointer, "expected \(type.description), got \(value.kindDescription)")
            return nil
        }
        guard range.contains(number) else {
            report(.outOfRange, pointer, "expected \(type.description), got \(plain(number))")
            return nil
        }
        return number
    }

    private func choice(
        _ value: JSONValue, _ choices: [String], _ planned: [String], _ type: ParameterType,
        at pointer: JSONPointer
    ) -> Argument? {
        guard let text = value.stringValue else { return wrong(value, type, pointer) }
        if choices.contains(text) { return .text(text) }
        if planned.contains(text) {
            report(
                .unsupported, pointer,
                "\(text) is not in this version; there is \(choices.joined(separator: ", "))")
        } else {
            report(
                .invalidValue, pointer,
                "expected \(type.description), got \"\(excerpt(text))\"\(suggestion(for: text, among: choices))"
            )
        }
        return nil
    }

    private func integers(
        _ value: JSONValue, _ count: ClosedRange<Int>, _ each: ClosedRange<Int>, _ type: ParameterType,
        at pointer: JSONPointer
    ) -> Argument? {
        guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
        guard checkCount(elements, count, type, at: pointer) else { return nil }
        let numbers = elements.enumerated().compactMap { index, element in
            integer(element, each, .integer(each), at: pointer.appending(index))
        }
        return numbers.count == elements.count ? .integers(numbers) : nil
    }

    private func typedList(
        _ value: JSONValue, _ kinds: [CatalogKind], _ count: ClosedRange<Int>, _ type: ParameterType,
        at pointer: JSONPointer, depth: Int
    ) -> Argument? {
        guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
        guard checkCount(elements, count, type, at: pointer) else { return nil }
        // What decoded is kept, so that checks over the list still see it; positions are in the pointers.
        return .typedList(
            elements.enumerated().compactMap { index, element in
                typed(element, kinds, at: pointer.appending(index), depth: depth)
            })
    }

    func checkCount(
        _ elements: [JSONValue], _ count: ClosedRange<Int>, _ type: ParameterType, at pointer: JSONPointer
    ) -> Bool {
        if count.contains(elements.count) { return true }
        report(.outOfRange, pointer, "expected \(type.description), got \(elements.count)")
        return false
    }

    func columnName(_ text: String, at pointer: JSONPointer) -> String? {
        guard (1...1_000).contains(text.utf8.count) else {
            report(.invalidValue, pointer, "a column name has 1 to 1000 bytes, this has \(text.utf8.count)")
            return nil
        }
        return text
    }

    private func columns(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        if let text = value.stringValue { return columnName(text, at: pointer).map { .texts([$0]) } }
        guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
        guard checkCount(elements, 1...100_000, type, at: pointer) else { return nil }
        var names: OrderedSet<String> = []
        for (index, element) in elements.enumerated() {
            let place = pointer.appending(index)
            guard let text = element.stringValue else { return wrong(element, .column, place) }
            guard let name = columnName(text, at: place) else { return nil }
            guard names.append(name).inserted else {
                report(.conflict, place, "the column \"\(excerpt(name))\" is listed twice")
                return nil
            }
        }
        return .texts(Array(names))
    }

    private func labels(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        guard let members = value.objectValue else { return wrong(value, type, pointer) }
        guard members.count <= Self.maximumLabels else {
            report(.outOfRange, pointer, "at most \(Self.maximumLabels) labels, got \(members.count)")
            return nil
        }
        var labels: OrderedDictionary<String, String> = [:]
        for (key, value) in members {
            let place = pointer.appending(key)
            guard TextRule.identifier.allows(key) else {
                report(
                    .invalidValue, place, "expected \(ParameterType.text(.identifier).description) as key")
                continue
            }
            guard let text = value.stringValue else {
                report(.wrongType, place, "expected a string, got \(value.kindDescription)")
                continue
            }
            guard text.utf8.count <= 256, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
                report(.invalidValue, place, "a label has at most 256 bytes and no control characters")
                continue
            }
            labels[key] = text
        }
        return .labels(labels)
    }

    private func stepScales(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        guard let members = value.objectValue else { return wrong(value, type, pointer) }
        guard members.count <= 1_000 else {
            report(.outOfRange, pointer, "at most 1000 boundaries, got \(members.count)")
            return nil
        }
        var scales: [(step: Int, scale: Double)] = []
        for (key, member) in members {
            let place = pointer.appending(key)
            guard let step = Int(key), String(step) == key, (1...SpecBlocks.largestStep).contains(step) else {
                report(
                    .invalidValue, place,
                    "a boundary is a step from 1 to \(SpecBlocks.largestStep), written as a key")
                continue
            }
            if let scale = number(member, .nonnegative, .number(.nonnegative), at: place) {
                scales.append((step, scale))
            }
        }
        scales.sort { $0.step < $1.step }
        return .stepScales(OrderedDictionary(uniqueKeysWithValues: scales.map { ($0.step, $0.scale) }))
    }
}

extension TextRule {
    func allows(_ text: String) -> Bool {
        switch self {
        case .title:
            // Characters first: a text can be long in bytes only by being long in characters or by combining marks.
            text.utf8.count <= 1_024 && (1...128).contains(text.count)
                && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        case .identifier: DatasetReference.isValidName(text)
        case .moduleName:
            (1...64).contains(text.utf8.count) && !(48...57).contains(text.utf8.first ?? 48)
                && text.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 0x5F
                }
        }
    }
}
