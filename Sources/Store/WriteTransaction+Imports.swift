// Rows of imported checkpoints and their files, which change only together, on the writer's queue.

import Foundation
import GRDB
import Glibc
import Hashing
import JobSpec

extension WriteTransaction {
    /// The values of `new` under an identifier of their own; those that are there already are not stored twice.
    package func put(_ new: NewImport) throws -> (record: ImportedCheckpoint, isNew: Bool) {
        let digest = Columns.data(new.stateDigest)
        if let known = try row("SELECT * FROM imported_checkpoints WHERE state_digest = ?", [digest]) {
            let file = new.file
            afterCommit { unlink(file) }
            return (try ImportRow.decode(known), false)
        }
        let id = Identifier.checkpoint()
        let place = folder.importedState(id)
        guard rename(new.file, place) == 0 else {
            throw StoreError.folder(
                path: new.file, operation: "move into the data folder",
                detail: String(cString: strerror(errno)))
        }
        onUndo { unlink(place) }
        try DataFolder.synchronize(folder.imports)
        try execute(
            """
            INSERT INTO imported_checkpoints (id, name, state_digest, state_bytes, contents, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [id, new.name, digest, new.stateBytes, new.contents.serialized(), now.milliseconds])
        guard let row = try row("SELECT * FROM imported_checkpoints WHERE id = ?", [id]) else {
            throw StoreError.database(detail: "the checkpoint \(id) vanished while it was stored")
        }
        return (try ImportRow.decode(row), true)
    }

    /// The file goes after the commit. Refused while a job is to start from the checkpoint.
    package func deleteImport(_ checkpoint: ImportedCheckpoint) throws {
        let users = try users(ofCheckpoint: checkpoint.id)
        guard users.isEmpty else {
            throw StoreError.referenced(kind: "checkpoint", id: checkpoint.id, by: users)
        }
        try execute("DELETE FROM imported_checkpoints WHERE ordinal = ?", [checkpoint.ordinal])
        try addTombstone(kind: "checkpoint", id: checkpoint.id, reason: "deleted by request")
        let place = folder.importedState(checkpoint.id)
        afterCommit { unlink(place) }
    }

    /// Every identifier that a row stands for.
    package func importIDs() throws -> Set<String> {
        Set(try rows("SELECT id FROM imported_checkpoints").map { $0["id"] })
    }
}

enum ImportRow {
    static func decode(_ row: Row) throws -> ImportedCheckpoint {
        ImportedCheckpoint(
            id: row["id"], ordinal: row["ordinal"], name: row["name"],
            stateDigest: try Columns.digest(row["state_digest"]), stateBytes: row["state_bytes"],
            contents: try Columns.json(row["contents"]), createdAt: Columns.time(row["created_at"]))
    }
}

extension Store {
    /// Newest first.
    package func importedCheckpoints(
        before ordinal: Int64 = .max, limit: Int = 1000
    ) async throws -> [ImportedCheckpoint] {
        try await reading { database in
            try Self.rows(
                database,
                "SELECT * FROM imported_checkpoints WHERE ordinal < ? ORDER BY ordinal DESC LIMIT ?",
                [ordinal, limit]
            ).map(ImportRow.decode)
        }
    }

    /// A checkpoint of a job, or an imported one. Throws `.notFound`, and `.gone` for one that was deleted or found corrupt.
    package func storedCheckpoint(id: String) async throws -> StoredCheckpoint {
        let imported = try await reading { database in
            try Self.row(database, "SELECT * FROM imported_checkpoints WHERE id = ?", [id])
                .map(ImportRow.decode)
        }
        if let imported { return .imported(imported) }
        return .ofJob(try await checkpoint(id: id))
    }

    package func put(_ new: NewImport) async throws -> (record: ImportedCheckpoint, isNew: Bool) {
        try await write { try $0.put(new) }
    }

    package func delete(_ checkpoint: ImportedCheckpoint) async throws {
        try await write { try $0.deleteImport(checkpoint) }
    }
}
