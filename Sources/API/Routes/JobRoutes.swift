// Jobs: submit, list, get, change, delete, and the verbs.

import HTTPServer
import Hashing
import JobSpec
import Scheduler
import Store

package enum JobRoutes {
    package static let all = [create, list, get, update, delete] + JobVerbRoutes.all

    private static let job = Schema.reference("Job")

    static let create = APIRoute(
        "POST", "/v1/jobs", "createJob", tag: "jobs", scope: .write,
        "Submit a job. It is checked and planned before it is accepted, and durable before the answer",
        parameters: [
            .query("dry_run", .choice(["plan"]), "answer with the plan and create nothing"),
            .wait, .prefer, .idempotencyKey,
        ],
        body: .json(.reference("JobSpec"), required: true, example: JSONText(exampleSpec)),
        answers: [
            .json(201, job, "created", headers: ["Location", "ETag", "Idempotency-Replayed"]),
            .json(200, .reference("Plan"), "the plan of a dry run"),
        ], errors: [422, 507],
        handler: .asynchronous { call in
            guard let spec = try call.json() else {
                throw Problem(.invalidJSON, "The body is empty; expected a job spec, a JSON object.")
            }
            let wait = try call.waitSeconds()
            let key = try call.request.headers["Idempotency-Key"].map { field in
                IdempotencyKey(
                    key: try IdempotencyKeyField(headerField: field).value, scope: "POST /v1/jobs",
                    fingerprint: SHA256.hash(spec.canonicalBytes()))
            }
            let submission = Submission(context: call.context)
            if try call.query.choice("dry_run", among: ["plan"]) != nil {
                let prepared = try await submission.prepare(spec, bytes: call.request.body.bytes)
                return .json(try await submission.plan(prepared).json)
            }
            let answer = try await submission.submit(spec, bytes: call.request.body.bytes, key: key)
            guard wait > 0, let id = answer.jobID else { return answer.response }
            let job = try await JobWaiter(context: call.context).wait(
                id: id, until: .terminal, seconds: wait, revision: nil)
            let entry = call.context.jobCache.entry(for: job)
            return .resource(
                entry.bytes, tag: entry.tag, status: 201,
                headers: answer.response.headers.filter {
                    $0.name == "Location" || $0.name == "Idempotency-Replayed"
                })
        })

    static let list = APIRoute(
        "GET", "/v1/jobs", "listJobs", tag: "jobs", scope: .read, "Jobs, newest first",
        parameters: [
            .limit, .after,
            .query("order", .choice(["asc", "desc"]), "by submission; desc is the default"),
            .query(
                "state", .choice(SchemaCatalog.jobStates), repeated: true, "only jobs in one of these states"),
            RouteParameter(
                name: "label", location: .query, schema: .map(.string()), required: false,
                doc: "`label[key]=value`: only jobs with all of these labels", repeated: false,
                deepObject: true),
            .query("q", .string(maxLength: 200), "only jobs whose name or identifier contains this"),
        ],
        answers: [.json(200, .list(of: job), "a page", headers: ["Link"])],
        handler: .asynchronous { call in try await JobList.response(call) })

    static let get = APIRoute(
        "GET", "/v1/jobs/{id}", "getJob", tag: "jobs", scope: .read,
        "One job; with `wait`, when it has changed or ended",
        parameters: [
            .jobID, .wait, .prefer, .ifNoneMatch,
            .query(
                "until", .choice(JobWaiter.Condition.allCases.map(\.rawValue)),
                "what to wait for: terminal (the default), running, or change of the revision in If-None-Match"
            ),
        ],
        answers: [.json(200, job, "the job", headers: ["ETag"]), .empty(304, "unchanged")], errors: [410],
        handler: .immediateOrAsynchronous(
            { call in
                guard call.query.isEmpty, call.request.headers["Prefer"] == nil,
                    let job = call.context.store.cachedJob(id: call.path("id"))
                else { return nil }
                return render(job, call)
            },
            { call in
                let id = call.path("id")
                let seconds = try call.waitSeconds()
                let condition =
                    try call.query.choice(
                        "until", among: JobWaiter.Condition.allCases.map(\.rawValue)
                    ).flatMap(JobWaiter.Condition.init) ?? .terminal
                guard seconds > 0 else {
                    return render(try await call.context.store.job(id: id), call)
                }
                let job = try await JobWaiter(context: call.context).wait(
                    id: id, until: condition, seconds: seconds,
                    revision: call.request.headers["If-None-Match"])
                return render(job, call)
            }))

    private static func render(_ job: JobRecord, _ call: APICall) -> HTTPResponse {
        let entry = call.context.jobCache.entry(for: job)
        if EntityTag.noneMatchHits(call.request.headers["If-None-Match"], entry.tag) {
            return .notModified(tag: entry.tag)
        }
        return entry.response
    }

    static let update = APIRoute(
        "PATCH", "/v1/jobs/{id}", "updateJob", tag: "jobs", scope: .write,
        "Change name, labels or priority by JSON merge patch (RFC 7396)",
        parameters: [
            .jobID,
            .header(
                "If-Match", .string(), required: true, "the ETag of the job that the change was made from"),
        ],
        body: .json(
            Schema.object(
                [
                    .init("name", .string(minLength: 1, maxLength: 200), required: false),
                    .init("labels", .map(.nullable(.string())), required: false, "null removes a label"),
                    .init("priority", .integer(minimum: 0, maximum: 100), required: false),
                ], closed: true), required: true, example: JSONText("{\"priority\": 80}")),
        answers: [.json(200, job, "the changed job", headers: ["ETag"])], errors: [409, 410, 412, 422, 428],
        handler: .asynchronous { call in try await JobPatching.apply(call) })

    static let delete = APIRoute(
        "DELETE", "/v1/jobs/{id}", "deleteJob", tag: "jobs", scope: .write, "Delete a job that has ended",
        parameters: [
            .jobID,
            .query(
                "artifacts", .choice(ArtifactDisposal.allCases.map(\.rawValue)),
                "whether its checkpoints and logs are deleted with it (the default) or stay on disk"),
        ],
        answers: [.empty(204, "deleted")], errors: [409, 410],
        handler: .asynchronous { call in
            let id = call.path("id")
            let artifacts =
                try call.query.choice(
                    "artifacts", among: ArtifactDisposal.allCases.map(\.rawValue)) ?? "delete"
            try call.context.readiness.requireReady()
            _ = try await call.context.scheduler.delete(
                id: id, artifacts: ArtifactDisposal(rawValue: artifacts) ?? .delete)
            call.context.jobCache.remove(id)
            return HTTPResponse(status: 204, headers: [HTTPField("Cache-Control", "no-store")])
        })

    private static let exampleSpec = """
        {"name": "flax-basics", "seed": 0, "model": {"type": "Dense", "features": 5},
         "data": {"train": {"generator": {"type": "linear_regression", "seed": 0, "samples": 20, "inputs": 10, \
        "outputs": 5, "noise": 0.1}}, "batch_size": 20, "shuffle": "none"},
         "loss": "half_squared_error_sum", "optimizer": {"type": "sgd", "learning_rate": 0.3}, "budget": {"steps": 101}}
        """
}
