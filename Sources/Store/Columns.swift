// Column values to and from their Swift types, and the rows of the smaller tables.

import Foundation
import GRDB
import Hashing
import JobSpec

enum Columns {
    static func data(_ digest: Digest) -> Data { Data(digest.bytes) }

    static func digest(_ data: Data) throws(StoreError) -> Digest {
        guard let digest = Digest(bytes: Array(data)) else {
            throw .database(detail: "a digest of \(data.count) bytes")
        }
        return digest
    }

    static func time(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
    static func time(_ milliseconds: Int64?) -> Timestamp? { milliseconds.map(Timestamp.init(milliseconds:)) }

    static func named<Name: RawRepresentable<String>>(_ text: String) throws(StoreError) -> Name {
        guard let value = Name(rawValue: text) else {
            throw .database(detail: "\(text) is no \(Name.self)")
        }
        return value
    }

    static func named<Name: RawRepresentable<String>>(_ text: String?) throws(StoreError) -> Name? {
        guard let text else { return nil }
        return try named(text) as Name
    }

    static func json(_ text: String) throws(StoreError) -> JSONValue {
        if text == "null" { return .null }
        do {
            return try JSONValue(parsing: text)
        } catch {
            throw .database(detail: "a JSON column: \(error)")
        }
    }

    static func labels(_ text: String) throws(StoreError) -> [String: String] {
        if text == "{}" { return [:] }
        var labels: [String: String] = [:]
        for (key, value) in try json(text).objectValue ?? [:] { labels[key] = value.stringValue }
        return labels
    }

    static func metrics(_ text: String) throws(StoreError) -> [String: Double] {
        if text == "{}" { return [:] }
        var metrics: [String: Double] = [:]
        for (key, value) in try json(text).objectValue ?? [:] { metrics[key] = value.extendedDoubleValue }
        return metrics
    }

    /// Doubles as their 64 bits: SQLite would make NULL of NaN.
    static func bits(_ value: Double) -> Int64 { Int64(bitPattern: value.bitPattern) }
    static func double(_ bits: Int64) -> Double { Double(bitPattern: UInt64(bitPattern: bits)) }
    static func double(_ bits: Int64?) -> Double? { bits.map { double($0) } }
}

enum AttemptRow {
    static func decode(_ row: Row, job: String) throws -> AttemptRecord {
        AttemptRecord(
            job: job, number: row["number"], slot: row["slot"], startedAt: Columns.time(row["started_at"]),
            endedAt: Columns.time(row["ended_at"]),
            process: ProcessIdentity(pid: row["pid"], startTicks: row["start_ticks"], bootID: row["boot_id"]),
            resumedFrom: row["resumed_from"], fromStep: row["from_step"], toStep: row["to_step"],
            outcome: try Columns.named(row["outcome"] as String?), exitCode: row["exit_code"],
            signal: row["signal"],
            detail: row["detail"], counted: row["counted"], cpuSeconds: row["cpu_seconds"],
            peakResidentBytes: row["peak_resident_bytes"], engineVersion: row["engine_version"],
            kernelLevel: row["kernel_level"], threads: row["threads"])
    }
}

enum EventRow {
    static func decode(_ row: Row, job: String) throws -> EventRecord {
        EventRecord(
            sequence: row["sequence"], job: job, number: row["number"], at: Columns.time(row["at"]),
            kind: try Columns.named(row["kind"]), level: EventLevel(rawValue: row["level"]) ?? .info,
            data: try Columns.json(row["data"]))
    }
}

enum CheckpointRow {
    static func decode(_ row: Row, job: String) throws -> CheckpointRecord {
        CheckpointRecord(
            id: row["id"], ordinal: row["ordinal"], job: job, attempt: row["attempt"], step: row["step"],
            folder: row["folder"], stateDigest: try Columns.digest(row["state_digest"]),
            stateBytes: row["state_bytes"], resumeDigest: try Columns.digest(row["resume_digest"]),
            resumeBytes: row["resume_bytes"], metrics: try Columns.metrics(row["metrics"]),
            cause: try Columns.named(row["cause"]), status: try Columns.named(row["status"]),
            pinned: row["pinned"],
            createdAt: Columns.time(row["created_at"]), deletedAt: Columns.time(row["deleted_at"]),
            deletionReason: row["deletion_reason"])
    }
}

enum DatasetRow {
    static func decode(_ row: Row) throws -> DatasetRecord {
        DatasetRecord(
            id: row["id"], ordinal: row["ordinal"], name: row["name"], version: row["version"],
            digest: try Columns.digest(row["digest"]), format: row["format"], bytes: row["bytes"],
            rows: row["row_count"], schema: try Columns.json(row["schema"]),
            createdAt: Columns.time(row["created_at"]))
    }
}
