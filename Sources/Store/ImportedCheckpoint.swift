// A checkpoint that was brought from outside: one file, no job. And what a checkpoint is to those who only read its values.

import Hashing
import JobSpec

/// A Flax TrainState that a worker made of an uploaded file; jobs can start from it.
package struct ImportedCheckpoint: Sendable, Hashable, Identifiable {
    package let id: String
    package let ordinal: Int64
    /// As the user calls it; may be empty.
    package let name: String
    package let stateDigest: Digest
    package let stateBytes: Int64
    /// What the worker found: the format of the file, the parts, the number of arrays and elements.
    package let contents: JSONValue
    package let createdAt: Timestamp
}

/// A file that a worker has written, checked and synced.
package struct NewImport: Sendable {
    package var name: String
    package var stateDigest: Digest
    package var stateBytes: Int64
    package var contents: JSONValue
    /// In `DataFolder.temporary`; moved to its place by the insertion.
    package var file: String

    package init(
        name: String, stateDigest: Digest, stateBytes: Int64, contents: JSONValue, file: String
    ) {
        self.name = name
        self.stateDigest = stateDigest
        self.stateBytes = stateBytes
        self.contents = contents
        self.file = file
    }
}

/// Any checkpoint that there is, by its identifier.
package enum StoredCheckpoint: Sendable, Hashable, Identifiable {
    case ofJob(CheckpointRecord)
    case imported(ImportedCheckpoint)

    package var id: String {
        switch self {
        case .ofJob(let checkpoint): checkpoint.id
        case .imported(let checkpoint): checkpoint.id
        }
    }

    package var stateDigest: Digest {
        switch self {
        case .ofJob(let checkpoint): checkpoint.stateDigest
        case .imported(let checkpoint): checkpoint.stateDigest
        }
    }

    package var createdAt: Timestamp {
        switch self {
        case .ofJob(let checkpoint): checkpoint.createdAt
        case .imported(let checkpoint): checkpoint.createdAt
        }
    }

    /// Nil for an imported one.
    package var job: String? {
        if case .ofJob(let checkpoint) = self { checkpoint.job } else { nil }
    }
}
