// What goes into a submission and what comes out, and a change to a job that exists.

import Hashing
import JobSpec
import Store

package struct JobSubmission: Sendable {
    /// The bytes of the request's body.
    package var submittedSpec: [UInt8]
    /// Every default filled in, every dataset pinned to its digest (`DatasetPinning`).
    package var effectiveSpec: JSONValue
    /// What `plan(effectiveSpec:)` found.
    package var plan: JobPlan?

    package init(submittedSpec: [UInt8], effectiveSpec: JSONValue, plan: JobPlan?) {
        self.submittedSpec = submittedSpec
        self.effectiveSpec = effectiveSpec
        self.plan = plan
    }
}

package enum SubmitOutcome: Sendable {
    /// With the answer that was stored under the idempotency key, if there was one.
    case created(JobRecord, StoredResponse?)
    case replayed(StoredResponse, job: String?)
}

/// Where an explicit retry begins.
package enum RetryStart: String, Sendable, Hashable, CaseIterable {
    case latest, scratch
}

package enum ArtifactDisposal: String, Sendable, Hashable, CaseIterable {
    case delete, keep
}

/// Members that are nil stay as they are.
package struct JobPatch: Sendable, Hashable {
    package var name: String?
    /// A value of nil removes the label.
    package var labels: [String: String?] = [:]
    /// 0...100. Refused once the job has ended.
    package var priority: Int?
    /// The revision that the caller has seen (If-Match).
    package var ifRevision: Int64?

    package init() {}
}

/// What the scheduler itself reads of an effective spec; everything else is the worker's.
struct ScheduledSpec: Sendable, Hashable {
    var name: String
    var labels: [String: String]
    var queue: String
    var priority: Int
    var attemptsMax: Int
    var backoffSeconds: Double
    /// 0 lets the server choose.
    var threads: Int
    var retention: RetentionPolicy

    /// Defaults are JOBSPEC.md's, for the members that an effective spec may leave out.
    init(_ spec: JSONValue) {
        name = spec["name"]?.stringValue ?? "unnamed"
        labels = [:]
        for (key, value) in spec["labels"]?.objectValue ?? [:] { labels[key] = value.stringValue }
        queue = spec["queue"]?.stringValue ?? "default"
        priority = spec["priority"]?.intValue ?? 50
        attemptsMax = min(max(spec["retry"]?["max_attempts"]?.intValue ?? 3, 1), 1000)
        backoffSeconds = min(max(spec["retry"]?["backoff_seconds"]?.doubleValue ?? 1, 0), 3600)
        threads = spec["budget"]?["threads"]?.intValue ?? 0
        retention = RetentionPolicy(spec["checkpoint"]?["keep"])
    }
}
