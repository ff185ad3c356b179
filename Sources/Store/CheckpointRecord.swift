// A checkpoint: a folder with two files, written whole before the row, deleted after it.

import Hashing
import JobSpec

package struct CheckpointRecord: Sendable, Hashable, Identifiable {
    package let id: String
    package let ordinal: Int64
    package let job: String
    package var attempt: Int
    /// Finished steps.
    package let step: Int64
    /// Name of the folder within the job's checkpoint folder: "step-000440".
    package let folder: String
    package let stateDigest: Digest
    package let stateBytes: Int64
    package let resumeDigest: Digest
    package let resumeBytes: Int64
    /// The metrics at this step.
    package let metrics: [String: Double]
    package var cause: CheckpointCause
    package var status: CheckpointStatus
    package var pinned: Bool
    package let createdAt: Timestamp
    package var deletedAt: Timestamp?
    /// Which policy or whose wish removed it.
    package var deletionReason: String?

    package var totalBytes: Int64 { stateBytes + resumeBytes }
}

package typealias CheckpointCause = CheckpointReport.Cause

/// Deletion is in two phases: `deleting` says so durably, then the files go, then `deleted` stays as the
/// tombstone.
package enum CheckpointStatus: String, Sendable, Hashable, CaseIterable {
    case committed, corrupt, deleting, deleted
}
