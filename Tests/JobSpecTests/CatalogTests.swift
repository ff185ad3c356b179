// The catalog: consistent with itself, and complete as a document.

import JobSpec
import TestSupport
import Testing

struct CatalogTests {
    @Test(
        "names are unique in their kind, documented, and not both there and planned",
        arguments: CatalogKind.allCases)
    func names(kind: CatalogKind) {
        let names = Catalog.entries(kind).map(\.name)
        #expect(Set(names).count == names.count)
        #expect(!names.isEmpty)
        #expect(Set(names).isDisjoint(with: (Catalog.planned[kind] ?? [:]).keys))
        for entry in Catalog.entries(kind) {
            #expect(!entry.summary.isEmpty)
            #expect(Set(entry.parameters.map(\.name)).count == entry.parameters.count)
            #expect(entry.parameters.allSatisfy { !$0.doc.isEmpty && $0.name != "type" })
        }
    }

    @Test("what is refused by name says why")
    func refused() {
        for (name, reason) in Catalog.planned.values.joined() {
            #expect(reason.count > 20, "\(name)")
        }
    }

    @Test("losses, metrics and generators say what their target is")
    func targets() {
        for kind in [CatalogKind.loss, .metric, .generator] {
            #expect(Catalog.entries(kind).allSatisfy { $0.target != nil })
        }
    }

    @Test("the document lists every entry with its parameters, and parses")
    func document() throws {
        let document = try JSONValue(parsing: Catalog.json.serializedBytes())
        for kind in CatalogKind.allCases {
            let listed = document[kind.plural]?.arrayValue?.compactMap { $0["name"]?.stringValue }
            #expect(listed == Catalog.entries(kind).map(\.name))
        }
        let dense = document["modules"]?.arrayValue?.first { $0["name"] == "Dense" }
        let features = try #require(dense?["parameters"]?[0])
        #expect(features["name"] == "features")
        #expect(features["type"] == "integer")
        #expect(features["maximum"] == 1_000_000)
        #expect(features["required"] == true)
        let names = document["spec"]?["parameters"]?.arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(names?.contains("optimizer") == true)
    }
}
