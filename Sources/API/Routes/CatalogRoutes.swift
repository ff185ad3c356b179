// What a spec may say, and whether one would be accepted.
import HTTPServer
import JobSpec

package enum CatalogRoutes {
    package static let all = [validate, catalog]

    static let validate = APIRoute(
        "POST", "/v1/validate", "validateSpec", tag: "catalog", scope: .read,
        "Every problem of a spec, or its plan; nothing is created",
        body: .json(.any, required: true, example: nil),
        answers: [.json(200, .reference("Validation"), "what was found")],
        handler: .asynchronous { call in
            guard let spec = try call.json() else {
                throw Problem(.invalidJSON, "The body is empty; expected a job spec, a JSON object.")
            }
            let submission = Submission(context: call.context)
            do {
                let prepared = try await submission.prepare(spec, bytes: call.request.body.bytes)
                let plan = try await submission.plan(prepared)
                return .json([
                    "valid": true, "errors": [], "plan": plan.json, "effective_spec": prepared.effective,
                ])
            } catch let problem as Problem where problem.code.status == 422 {
                return .json(invalid(problem.errors))
            } catch let errors as SpecErrors {
                return .json(invalid(errors.problems))
            }
        })

    private static func invalid(_ problems: [SpecProblem]) -> JSONValue {
        ["valid": false, "errors": .array(problems.map(\.json)), "plan": nil]
    }

    static let catalog = APIRoute(
        "GET", "/v1/catalog", "getCatalog", tag: "catalog", scope: .read,
        "Every module, optimizer, schedule, loss, metric and transformation, with their parameters",
        parameters: [.ifNoneMatch],
        answers: [.json(200, .map(.any), "the catalog", headers: ["ETag"]), .empty(304, "unchanged")],
        handler: .immediate { call in
            let document = call.context.catalog()
            if EntityTag.noneMatchHits(call.request.headers["If-None-Match"], document.tag) {
                return .notModified(tag: document.tag)
            }
            return .resource(document.bytes, tag: document.tag)
        })
}
