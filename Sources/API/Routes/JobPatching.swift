// PATCH of a job: which fields may change, and the check that the client has seen the present ones.
import HTTPServer
import JobSpec
import Scheduler
import Store

enum JobPatching {
    static let fields = ["name", "labels", "priority"]

    static func apply(_ call: APICall) async throws -> HTTPResponse {
        let id = call.path("id")
        guard let condition = call.request.headers["If-Match"] else {
            throw Problem(
                .preconditionRequired,
                "Send If-Match with the job's ETag, so that nobody else's change is overwritten unseen.")
        }
        var patch = try patch(call)
        try call.context.readiness.requireReady()
        let job = try await call.context.store.job(id: id)
        guard EntityTag.matches(condition, job.entityTag) else {
            throw Problem(
                .preconditionFailed, "The job has changed since; get it again and repeat the change."
            )
            .with("revision", .int(job.revision))
        }
        // `*` matches whatever is there; a tag pins the revision inside the transaction too.
        if condition.trimmingPrefix(" ") != "*" { patch.ifRevision = job.revision }
        let changed = try await call.context.scheduler.update(id: id, patch)
        let entry = call.context.jobCache.entry(for: changed)
        return .resource(entry.bytes, tag: entry.tag)
    }

    /// - Throws: every wrong member at once.
    private static func patch(_ call: APICall) throws -> JobPatch {
        guard let value = try call.json(), let members = value.objectValue else {
            throw Problem(
                .invalidPatch, "Expected a JSON object with some of \(fields.joined(separator: ", ")).",
                errors: [SpecProblem(code: "wrong_type", pointer: "#", detail: "expected an object")])
        }
        var problems = [SpecProblem]()
        for name in members.keys where !fields.contains(name) {
            problems.append(
                SpecProblem(
                    code: "unknown_field", pointer: "#" + JSONPointerText.token(name),
                    detail: "cannot be changed" + suggestion(for: name, among: fields)))
        }
        if let value = members["name"] {
            let length = value.stringValue?.count ?? 0
            if !(1...200).contains(length) {
                problems.append(wrong("#/name", "a string of 1 to 200 characters", value))
            }
        }
        if let value = members["priority"], !(0...100).contains(value.intValue ?? -1) {
            problems.append(wrong("#/priority", "a whole number from 0 to 100", value))
        }
        if let value = members["labels"] {
            if let labels = value.objectValue {
                for (key, label) in labels where label.stringValue == nil && !label.isNull {
                    problems.append(
                        wrong(
                            "#/labels" + JSONPointerText.token(key), "a string, or null to remove it", label))
                }
            } else {
                problems.append(wrong("#/labels", "an object from strings to strings", value))
            }
        }
        guard problems.isEmpty else {
            throw Problem(
                .invalidPatch, "\(problems.count) problem\(problems.count == 1 ? "" : "s") in the patch.",
                errors: problems)
        }
        var patch = JobPatch()
        patch.name = members["name"]?.stringValue
        patch.priority = members["priority"]?.intValue
        for (key, label) in members["labels"]?.objectValue ?? [:] {
            patch.labels.updateValue(label.stringValue, forKey: key)
        }
        return patch
    }

    private static func wrong(_ pointer: String, _ expected: String, _ value: JSONValue) -> SpecProblem {
        SpecProblem(
            code: "invalid_value", pointer: pointer, detail: "expected \(expected), got \(value.cutText)")
    }
}
