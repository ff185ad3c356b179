// The document and the dispatch table are one thing seen twice.
import JobSpec
import Testing

@testable import API

@Suite struct OpenAPITests {
    let document = OpenAPIDocument.json(routes: RouteCatalog.all, version: "1")

    @Test("The document lists exactly the routes that are dispatched")
    func sameTable() throws {
        let paths = try #require(document["paths"]?.objectValue)
        var listed = Set<String>()
        for (template, operations) in paths {
            for (method, _) in operations.objectValue ?? [:] {
                listed.insert(method.uppercased() + " " + template)
            }
        }
        #expect(listed == Set(RouteCatalog.all.map { "\($0.method) \($0.template)" }))
        #expect(listed.count == RouteCatalog.all.count, "no route twice")
    }

    @Test("Operation identifiers are unique, every reference resolves, every status of a route is described")
    func wellFormed() throws {
        #expect(Set(RouteCatalog.all.map(\.operationID)).count == RouteCatalog.all.count)
        let schemas = try #require(document["components"]?["schemas"]?.objectValue)
        var references = Set<String>()
        collect(document, into: &references)
        for reference in references where reference.hasPrefix("#/components/schemas/") {
            #expect(
                schemas[String(reference.dropFirst("#/components/schemas/".count))] != nil, "\(reference)")
        }
        for route in RouteCatalog.all {
            let operation = document["paths"]?[route.template]?[route.method.lowercased()]
            let responses = try #require(operation?["responses"]?.objectValue)
            #expect(responses.keys.contains("default"))
            #expect(Set(responses.keys).subtracting(["default"]) == Set(route.statuses.map(String.init)))
        }
    }

    private func collect(_ value: JSONValue, into references: inout Set<String>) {
        switch value {
        case .object(let members):
            for (name, member) in members {
                if name == "$ref", let text = member.stringValue { references.insert(text) }
                collect(member, into: &references)
            }
        case .array(let elements): for element in elements { collect(element, into: &references) }
        default: break
        }
    }

    @Test("Every segment in braces is a declared path parameter, and the other way round")
    func pathParameters() {
        for route in RouteCatalog.all {
            let inTemplate = route.template.split(separator: "/").filter { $0.hasPrefix("{") }
                .map { String($0.dropFirst().dropLast()) }
            #expect(
                inTemplate == route.parameters.filter { $0.location == .path }.map(\.name),
                "\(route.template)")
        }
    }

    @Test("Examples are JSON, and the example of a job is a valid spec")
    func examples() throws {
        for route in RouteCatalog.all {
            guard case .json(_, _, let example?) = route.body else { continue }
            let value = try JSONValue(parsing: Array(example.text.utf8))
            if route.operationID == "createJob" { _ = try JobSpec.decode(value) }
        }
    }

    @Test("Error codes have the status and the reference that clients branch on")
    func codes() {
        #expect(Set(ProblemCode.allCases.map(\.rawValue)).count == ProblemCode.allCases.count)
        #expect(ProblemCode.invalidSpec.typeReference == "/problems/invalid-spec")
        #expect(ProblemCode.allCases.allSatisfy { (400..<600).contains($0.status) })
    }
}
