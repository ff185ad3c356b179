// What /proc says about processes: enough to know one again, and to know that it is gone.

import Foundation
import Glibc
import Store

enum ProcessTable {
    /// Of this boot of the machine; nil where /proc is not mounted.
    static func bootID() -> String? {
        read("/proc/sys/kernel/random/boot_id").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }

    /// Start in clock ticks after boot, and whether it is a zombie; nil if there is no such process.
    static func process(_ pid: Int32) -> (startTicks: Int64, isZombie: Bool)? {
        // The name in parentheses may contain anything, so fields are counted from its last parenthesis.
        guard let text = read("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 19, let ticks = Int64(fields[19]) else { return nil }
        return (ticks, fields[0] == "Z" || fields[0] == "X")
    }

    static func identity(of pid: Int32) -> ProcessIdentity? {
        guard let boot = bootID(), let process = process(pid) else { return nil }
        return ProcessIdentity(pid: pid, startTicks: process.startTicks, bootID: boot)
    }

    /// Whether exactly this process still runs.
    static func isAlive(_ identity: ProcessIdentity) -> Bool {
        guard identity.pid > 1, bootID() == identity.bootID, let process = process(identity.pid) else {
            return false
        }
        return process.startTicks == identity.startTicks && !process.isZombie
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
