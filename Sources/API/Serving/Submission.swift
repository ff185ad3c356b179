// From a body to a job: decode, find the datasets and pin them, check the columns, plan, commit.

import HTTPServer
import Hashing
import JobSpec
import Scheduler
import Store

struct Submission: Sendable {
    let context: APIContext

    /// A spec that is right as far as can be told without a worker.
    struct Prepared: Sendable {
        var submitted: [UInt8]
        var effective: JSONValue
    }

    struct Answer: Sendable {
        var response: HTTPResponse
        /// nil when a replayed answer's job is not known any more.
        var jobID: String?
    }

    /// - Throws: `SpecErrors` with every problem of the first stage that finds some.
    func prepare(_ spec: JSONValue, bytes: [UInt8]) async throws -> Prepared {
        let decoded = try JobSpec.decode(spec)
        let (effective, datasets) = try await DatasetPinning.pin(decoded.effectiveJSON, in: context.store)
        let problems = ColumnCheck.problems(of: decoded, datasets: datasets)
        guard problems.isEmpty else { throw SpecErrors(problems: problems) }
        return Prepared(submitted: bytes, effective: effective)
    }

    /// - Throws: `SpecErrors` with the engine's shape errors.
    func plan(_ prepared: Prepared) async throws -> JobPlan {
        try context.readiness.requireReady()
        return try await context.scheduler.plan(effectiveSpec: prepared.effective)
    }

    func submit(_ spec: JSONValue, bytes: [UInt8], key: IdempotencyKey?) async throws -> Answer {
        try context.readiness.requireReady()
        // A repeat is answered before anything is planned; a repeat that races with the first is found by the writer.
        if let key {
            switch try await context.store.lookUp(key) {
            case .fresh: break
            case .replay(let stored, let job): return replay(stored, job)
            case .mismatch: throw StoreError.idempotencyMismatch(key: key.key)
            }
        }
        let prepared = try await prepare(spec, bytes: bytes)
        let plan = try await plan(prepared)
        let record = key.map { key in
            IdempotencyRecord(key: key) { job in
                StoredResponse(
                    status: 201,
                    headers: [
                        "Location": "/v1/jobs/\(job.id)", "ETag": job.entityTag,
                        "Content-Type": "application/json",
                    ], body: job.json.serializedBytes())
            }
        }
        let outcome = try await context.scheduler.submit(
            JobSubmission(submittedSpec: prepared.submitted, effectiveSpec: prepared.effective, plan: plan),
            idempotency: record)
        switch outcome {
        case .replayed(let stored, let job):
            return replay(stored, job)
        case .created(let job, let stored):
            context.metrics.submitted.increment()
            // The very bytes that a replay will get.
            let body = stored?.body ?? context.jobCache.entry(for: job).bytes
            return Answer(
                response: .json(
                    body, status: 201,
                    headers: [HTTPField("Location", "/v1/jobs/\(job.id)"), HTTPField("ETag", job.entityTag)]),
                jobID: job.id)
        }
    }

    private func replay(_ stored: StoredResponse, _ job: String?) -> Answer {
        context.metrics.idempotentReplays.increment()
        var headers = stored.headers.filter { $0.key != "Content-Type" }.sorted { $0.key < $1.key }
            .map { HTTPField($0.key, $0.value) }
        headers.append(HTTPField("Idempotency-Replayed", "true"))
        return Answer(response: .json(stored.body, status: stored.status, headers: headers), jobID: job)
    }
}
