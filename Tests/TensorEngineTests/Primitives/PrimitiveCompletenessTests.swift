// The table of primitives is whole: what the sources declare is in it.
import Foundation
import TestSupport
import Testing

@testable import TensorEngine

/// The primitives that the engine's sources declare, by reading them.
private struct DeclaredPrimitives {
    /// The names in programs, by the Swift type that has them.
    var names: [String: Set<String>] = [:]

    init() throws {
        let folder = Repository.folder.appending(path: "Sources/TensorEngine")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        var source = ""
        while let file = files?.nextObject() as? URL {
            if file.pathExtension == "swift" { source += try String(contentsOf: file, encoding: .utf8) }
        }
        // Protocols that refine Primitive are its other names; one refinement of a refinement is enough here.
        var protocols: Set = ["Primitive"]
        for _ in 0..<2 {
            for match in source.matches(of: /\bprotocol (\w+)\s*:([^{]*)\{/)
            where !protocols.isDisjoint(with: words(match.2)) { protocols.insert(String(match.1)) }
        }
        for match in source.matches(of: /\b(?:struct|enum|class|extension) (\w+)(?:<[^>{]*>)?\s*:([^{]*)\{/)
        where !protocols.isDisjoint(with: words(match.2)) && !protocols.contains(String(match.1)) {
            names[String(match.1), default: []].formUnion(
                declaredNames(String(match.1), body(source[match.range.upperBound...]), in: source))
        }
    }

    private func words(_ text: Substring) -> Set<String> { Set(text.matches(of: /\w+/).map { String($0.0) }) }

    /// The text up to the brace that closes the declaration.
    private func body(_ text: Substring) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }

    /// The literals of a computed `name`, or those that values of the type are made with.
    private func declaredNames(_ type: String, _ body: Substring, in source: String) -> [String] {
        if let match = body.firstMatch(of: /\bvar name: String \{/) {
            return self.body(body[match.range.upperBound...]).matches(of: /"(\w+)"/).map { String($0.1) }
        }
        return source.split(separator: "\(type)(", omittingEmptySubsequences: false).dropFirst().compactMap {
            // `"polygamma\(order)"` names a family, whose members have numbers.
            $0.prefixMatch(of: /\s*(?:name:\s*)?"(\w+)["\\]/).map { String($0.1) }
        }
    }
}

/// Primitives that no function records by itself, and the row that goes through them.
private let inside = [
    // What reverse mode makes of a customVJP, and transposes at once.
    "customVJPTangent": "customVJP"
]

@Suite struct PrimitiveCompletenessTests {
    @Test("every primitive of the engine has rows in the table, and every row is of a primitive")
    func complete() throws {
        let declared = try DeclaredPrimitives().names
        #expect(declared.count > 20, "the sources were read")
        for (type, names) in declared { #expect(!names.isEmpty, "no name was found for \(type)") }
        let names = declared.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        var listed = Set(
            PrimitiveTable.all.map { sample in
                names.contains(sample.name) ? sample.name : String(sample.name.prefix { !$0.isNumber })
            })
        for (name, row) in inside where listed.contains(row) { listed.insert(name) }
        #expect(
            names.subtracting(listed).sorted() == [],
            "add rows for these in Tests/TensorEngineTests/Primitives")
        #expect(listed.subtracting(names).sorted() == [])
    }

    @Test("every primitive is tried on an empty shape")
    func emptyShapes() throws {
        func isEmpty(_ type: TensorType) -> Bool { type.shape.elementCount == 0 }
        let tried = try PrimitiveTable.all.filter { sample in
            if sample.isShapeFree || sample.inputs.contains(where: { isEmpty($0.type) }) { return true }
            return try evalShape({ (x: [Tensor]) in try sample.call(x) }, sample.draw()).contains {
                isEmpty($0.type)
            }
        }
        #expect(Set(PrimitiveTable.all.map(\.name)).subtracting(tried.map(\.name)).sorted() == [])
    }

    @Test("operations that golden cases stand for are in the golden cases")
    func goldenCases() throws {
        for sample in PrimitiveTable.all {
            guard case .parity(let group, let operation) = sample.evidence else { continue }
            let file = Repository.fixture("parity/primitives/\(group).json")
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(
                text.contains("\"op\": \"\(operation)\"") || text.contains("\"op\":\"\(operation)\""),
                "\(sample.name)")
        }
    }
}
