// Rendered jobs by identifier and revision: what a status poll is answered from.
import HTTPServer
import Store
import Synchronization

package final class JobCache: Sendable {
    package struct Entry: Sendable {
        package var revision: Int64
        package var tag: String
        package var bytes: [UInt8]
        /// The 200 that a status poll gets.
        package var response: HTTPResponse
    }

    private let entries = Mutex<[String: Entry]>([:])
    private let capacity: Int

    package init(capacity: Int = 4096) {
        self.capacity = capacity
    }

    /// The rendered form of `job`, made when the cache has none of its revision.
    package func entry(for job: JobRecord) -> Entry {
        if let known = entries.withLock({ $0[job.id] }), known.revision == job.revision { return known }
        let tag = job.entityTag
        let bytes = job.json.serializedBytes()
        let entry = Entry(
            revision: job.revision, tag: tag, bytes: bytes, response: .resource(bytes, tag: tag))
        entries.withLock { entries in
            // Emptied rather than aged: a full cache means many jobs, and each is rendered again in microseconds.
            if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
            entries[job.id] = entry
        }
        return entry
    }

    package func remove(_ id: String) {
        entries.withLock { _ = $0.removeValue(forKey: id) }
    }
}
