// Decoding of what names parameters, labels and columns: patterns, maps and targets.

import OrderedCollections

extension SpecDecoder {
    func target(_ value: JSONValue, at pointer: JSONPointer) -> Argument? {
        guard case .object(let fields) = value else {
            guard let text = value.stringValue else { return wrong(value, .target, pointer) }
            return columnName(text, at: pointer).map(Argument.text)
        }
        let decoded = arguments(fields, of: SpecBlocks.shiftedTarget, at: pointer)
        return decoded.optionalInteger("shift").map(Argument.shift)
    }

    func padding(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        let amount = 0...10_000
        if let text = value.stringValue {
            let names = ["SAME", "VALID", "CIRCULAR", "REFLECT", "CAUSAL"]
            guard names.contains(text) else {
                report(
                    .invalidValue, pointer,
                    "expected \(type.description), got \"\(excerpt(text))\"\(suggestion(for: text, among: names))"
                )
                return nil
            }
            return .text(text)
        }
        guard let elements = value.arrayValue else {
            return integer(value, amount, type, at: pointer).map(Argument.integer)
        }
        guard checkCount(elements, 1...3, type, at: pointer) else { return nil }
        let pairs = elements.enumerated().compactMap { index, element -> [Int]? in
            let place = pointer.appending(index)
            guard let pair = element.arrayValue, pair.count == 2 else {
                report(.wrongType, place, "expected [low, high], got \(element.kindDescription)")
                return nil
            }
            let numbers = pair.compactMap { integer($0, amount, .integer(amount), at: place) }
            return numbers.count == 2 ? numbers : nil
        }
        return pairs.count == elements.count ? .pairs(pairs) : nil
    }

    func typedMap(
        _ value: JSONValue, _ kinds: [CatalogKind], _ type: ParameterType, at pointer: JSONPointer, depth: Int
    ) -> Argument? {
        guard let members = value.objectValue else { return wrong(value, type, pointer) }
        guard (1...100).contains(members.count) else {
            report(.outOfRange, pointer, "expected 1 to 100 members, got \(members.count)")
            return nil
        }
        var specs: OrderedDictionary<String, TypedSpec> = [:]
        for (name, member) in members {
            let place = pointer.appending(name)
            guard TextRule.identifier.allows(name) else {
                report(.invalidValue, place, "expected \(ParameterType.text(.identifier).description) as key")
                continue
            }
            specs[name] = typed(member, kinds, at: place, depth: depth)
        }
        return .typedMap(specs)
    }

    func patterns(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        if let text = value.stringValue { return pattern(text, at: pointer).map { .texts([$0]) } }
        guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
        guard checkCount(elements, 1...1_000, type, at: pointer) else { return nil }
        let patterns = elements.enumerated().compactMap { index, element -> String? in
            let place = pointer.appending(index)
            guard let text = element.stringValue else {
                report(.wrongType, place, "expected a path pattern, got \(element.kindDescription)")
                return nil
            }
            return pattern(text, at: place)
        }
        return patterns.count == elements.count ? .texts(patterns) : nil
    }

    func patternLabels(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        guard let members = value.objectValue else { return wrong(value, type, pointer) }
        guard (1...1_000).contains(members.count) else {
            report(.outOfRange, pointer, "expected 1 to 1000 patterns, got \(members.count)")
            return nil
        }
        var labels: OrderedDictionary<String, String> = [:]
        for (key, member) in members {
            let place = pointer.appending(key)
            guard let known = pattern(key, at: place) else { continue }
            guard let label = member.stringValue, TextRule.identifier.allows(label) else {
                report(.wrongType, place, "expected a label: \(ParameterType.text(.identifier).description)")
                continue
            }
            labels[known] = label
        }
        return .labels(labels)
    }

    func renames(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        guard let members = value.objectValue else { return wrong(value, type, pointer) }
        guard members.count <= 1_000 else {
            report(.outOfRange, pointer, "at most 1000 renames, got \(members.count)")
            return nil
        }
        var renames: OrderedDictionary<String, String> = [:]
        for (old, member) in members {
            let place = pointer.appending(old)
            guard let text = member.stringValue, let new = pattern(text, at: place),
                pattern(old, at: place) != nil
            else {
                if member.stringValue == nil {
                    report(.wrongType, place, "expected a path, got \(member.kindDescription)")
                }
                continue
            }
            func isWhole(_ path: String) -> Bool { !path.contains("*") }
            func hasRest(_ path: String) -> Bool {
                (path == "**" || path.hasSuffix("/**")) && !path.dropLast(2).contains("*")
            }
            guard isWhole(old) && isWhole(new) || hasRest(old) && hasRest(new) else {
                report(.invalidValue, place, "both paths end in /**, or neither has a *")
                continue
            }
            renames[old] = new
        }
        return .labels(renames)
    }

    func names(_ value: JSONValue, _ type: ParameterType, at pointer: JSONPointer) -> Argument? {
        guard let elements = value.arrayValue else { return wrong(value, type, pointer) }
        guard checkCount(elements, 0...1_000, type, at: pointer) else { return nil }
        let names = elements.enumerated().compactMap { index, element -> String? in
            guard let text = element.stringValue, TextRule.moduleName.allows(text) else {
                report(
                    .invalidValue, pointer.appending(index),
                    "expected \(ParameterType.text(.moduleName).description)")
                return nil
            }
            return text
        }
        return names.count == elements.count ? .texts(names) : nil
    }

    private func pattern(_ text: String, at pointer: JSONPointer) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...1_000).contains(text.utf8.count), !parts.contains("") else {
            report(
                .invalidValue, pointer,
                "expected \(ParameterType.patterns.description), names joined by \"/\", got \"\(excerpt(text))\""
            )
            return nil
        }
        return text
    }
}
