// What goes wrong with checkpoint files.
import Glibc
import Hashing

/// An error of a checkpoint's files.
package enum CheckpointError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A system call failed: its name, the path, and errno.
    case system(call: String, path: String, errno: Int32)
    /// The file's contents are not those that were recorded.
    case digestMismatch(path: String, expected: Digest, got: Digest)
    /// The file is not a regular file or is larger than what is accepted.
    case unusable(path: String, reason: String)

    /// True when the disk, or the quota, is full.
    package var isOutOfSpace: Bool {
        if case .system(_, _, let code) = self { code == ENOSPC || code == EDQUOT } else { false }
    }

    package var description: String {
        switch self {
        case .system(let call, let path, let code):
            "\(call) at \(path): expected success, got errno \(code), \(errorText(code))."
                + (isOutOfSpace ? " Free some space, or keep fewer checkpoints." : "")
        case .digestMismatch(let path, let expected, let got):
            "read checkpoint at \(path): expected SHA-256 \(expected.hex), got \(got.hex). "
                + "The file was changed or damaged after it was written; use an older checkpoint."
        case .unusable(let path, let reason):
            "read checkpoint at \(path): expected a checkpoint file, got \(reason)."
        }
    }
}

/// The system's text for an errno value.
private func errorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "unknown error" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
