// Dataset rows and the files they stand for, which change only together, on the writer's queue.

import Foundation
import GRDB
import Glibc
import Hashing
import JobSpec

/// An upload that is complete: read, checked, and fsynced by whoever received it.
package struct NewDataset: Sendable {
    package var name: String
    package var digest: Digest
    package var format: String
    package var bytes: Int64
    package var rows: Int64?
    package var schema: JSONValue
    /// In `DataFolder.temporary`; moved to its place by the insertion.
    package var uploadedFile: String

    package init(
        name: String, digest: Digest, format: String, bytes: Int64, rows: Int64?, schema: JSONValue,
        uploadedFile: String
    ) {
        self.name = name
        self.digest = digest
        self.format = format
        self.bytes = bytes
        self.rows = rows
        self.schema = schema
        self.uploadedFile = uploadedFile
    }
}

extension WriteTransaction {
    /// A new version of the name, or the version that has these bytes already, which then is the newest.
    package func put(_ new: NewDataset) throws -> (record: DatasetRecord, isNew: Bool) {
        let place = folder.dataset(new.digest)
        // The same bytes may be in place under another name; putting them there again is harmless.
        let wasThere = access(place, F_OK) == 0
        guard rename(new.uploadedFile, place) == 0 else {
            throw StoreError.folder(
                path: new.uploadedFile, operation: "move into the data folder",
                detail: String(cString: strerror(errno)))
        }
        if !wasThere { onUndo { unlink(place) } }
        try DataFolder.synchronize(folder.datasets)
        let newest = try row("SELECT MAX(version) AS version FROM datasets WHERE name = ?", [new.name])
        let version: Int = (newest?["version"] ?? 0) + 1
        let known = try row(
            "SELECT * FROM datasets WHERE name = ? AND digest = ?", [new.name, Columns.data(new.digest)])
        if let known {
            let record = try DatasetRow.decode(known)
            guard record.version + 1 < version else { return (record, false) }
            try execute("UPDATE datasets SET version = ? WHERE ordinal = ?", [version, record.ordinal])
        } else {
            try execute(
                """
                INSERT INTO datasets (id, name, version, digest, format, bytes, row_count, schema, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    Identifier.dataset(), new.name, version, Columns.data(new.digest), new.format, new.bytes,
                    new.rows, new.schema.serialized(), now.milliseconds,
                ])
        }
        guard
            let row = try row(
                "SELECT * FROM datasets WHERE name = ? AND digest = ?", [new.name, Columns.data(new.digest)])
        else { throw StoreError.database(detail: "the dataset \(new.name) vanished while it was stored") }
        return (try DatasetRow.decode(row), known == nil)
    }

    /// Every digest that a row stands for.
    package func datasetDigests() throws -> Set<Digest> {
        Set(try rows("SELECT DISTINCT digest FROM datasets").map { try Columns.digest($0["digest"]) })
    }

    /// Refused while a job refers to these bytes and no other name has them. The file goes after the commit,
    /// with the last row that stands for it.
    package func deleteDataset(_ dataset: DatasetRecord) throws {
        let digest = Columns.data(dataset.digest)
        let others = try row("SELECT COUNT(*) AS n FROM datasets WHERE digest = ?", [digest])
        let isLast = (others?["n"] ?? 0) <= 1
        if isLast {
            let users = try rows(
                """
                SELECT jobs.id FROM job_datasets JOIN jobs ON jobs.ordinal = job_datasets.job
                WHERE job_datasets.digest = ? AND jobs.deleted_at IS NULL ORDER BY job_datasets.job LIMIT 20
                """, [digest])
            guard users.isEmpty else {
                throw StoreError.referenced(
                    kind: "dataset", id: dataset.reference, by: users.map { $0["id"] })
            }
        }
        try execute("DELETE FROM datasets WHERE ordinal = ?", [dataset.ordinal])
        try addTombstone(kind: "dataset", id: dataset.id, reason: "deleted by request")
        if isLast {
            let place = folder.dataset(dataset.digest)
            afterCommit { unlink(place) }
        }
    }
}
