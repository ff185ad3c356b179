import JobSpec
import Store
enum DatasetPreview { static func json(_ r: DatasetRecord, path: String, rows: Int) throws -> JSONValue { .null } }
