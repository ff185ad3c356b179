// Folders and files of an export.
import Glibc

/// Makes a folder that must not exist.
func makeFolder(_ path: String) throws(CheckpointError) {
    guard mkdir(path, 0o755) == 0 else {
        throw CheckpointError.system(call: "mkdir", path: path, errno: errno)
    }
}

/// Writes a file that must not exist.
func writeFile(_ path: String, _ contents: [UInt8]) throws {
    let file = try CheckpointFile(creating: path)
    try contents.withUnsafeBytes { try file.append($0) }
    _ = try file.finish()
}
