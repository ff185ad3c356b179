// Checkpoint folders: whole or not there, verified when read, clean after failures.
import Foundation
import Hashing
import TensorEngine
import Testing

@testable import Serialization

@Suite struct CheckpointFolderTests {
    /// A folder of its own for each test, removed afterwards.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "checkpoints-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }

    private let state: StateDict = ["step": 3, "params": ["w": [1, 2.5, nil]]]
    private let resume: StateDict = ["epoch": 1]

    @Test("both files are written, digested as reported, and read back")
    func roundTrip() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/step-000003")
            // More than the file's buffer, so that a tensor also goes past it.
            let large = try zeros([300, 300])
            let tree: Tree = ["w": .tensor(large)]
            let summary = try checkpoint.write(state: tree, resume: resume)
            #expect(try names(folder) == ["step-000003"])
            #expect(try names(checkpoint.path) == ["resume.msgpack", "state.msgpack"])
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: checkpoint.statePath)))
            #expect(try bytes == toBytes(tree))
            #expect(summary.state == FileSummary(sha256: SHA256.hash(bytes), byteCount: bytes.count))
            let read = try checkpoint.read(
                stateSHA256: summary.state.sha256, resumeSHA256: summary.resume.sha256)
            #expect(read.resume["epoch"]?.intValue == 1)
            #expect(try fromStateDict(tree, read.state)["w"]?.tensor?.shape == [300, 300])
        }
    }

    @Test("a changed byte is found, with the path and both digests")
    func digestMismatch() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/step-000003")
            let summary = try checkpoint.write(state: state, resume: resume)
            var bytes = try Data(contentsOf: URL(filePath: checkpoint.statePath))
            bytes[bytes.count - 3] ^= 1
            try bytes.write(to: URL(filePath: checkpoint.statePath))
            let error = #expect(throws: CheckpointError.self) {
                try checkpoint.read(stateSHA256: summary.state.sha256, resumeSHA256: summary.resume.sha256)
            }
            #expect(
                error
                    == .digestMismatch(
                        path: checkpoint.statePath, expected: summary.state.sha256,
                        got: SHA256.hash([UInt8](bytes))))
        }
    }

    @Test("what a process that died left behind, half written or of the same name, is replaced")
    func leftovers() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/step-000003")
            _ = try checkpoint.write(state: ["step": 1] as StateDict, resume: resume)
            let partial = folder + "/.step-000003.partial"
            try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: false)
            try Data("half".utf8).write(to: URL(filePath: partial + "/state.msgpack"))
            _ = try checkpoint.write(state: state, resume: resume)
            #expect(try names(folder) == ["step-000003"])
            #expect(try checkpoint.read(stateSHA256: nil, resumeSHA256: nil).state["step"]?.intValue == 3)
        }
    }

    @Test("leftovers of other steps are removed by name, and nothing else is")
    func removesLeftovers() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/step-000003")
            _ = try checkpoint.write(state: state, resume: resume)
            try FileManager.default.createDirectory(
                atPath: folder + "/.step-000009.partial", withIntermediateDirectories: false)
            try Data().write(to: URL(filePath: folder + "/.step-000009.partial/state.msgpack"))
            #expect(try CheckpointFolder.removeLeftovers(in: folder) == [".step-000009.partial"])
            #expect(try names(folder) == ["step-000003"])
        }
    }

    @Test("a state that cannot be written leaves nothing behind")
    func failedWrite() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/step-000003")
            var deep = StateDict.none
            for _ in 0..<200 { deep = .list([deep]) }
            #expect(throws: SerializationError.self) { try checkpoint.write(state: state, resume: deep) }
            let left = try names(folder)
            #expect(left.isEmpty)
        }
    }

    @Test("errors of the system name the call, the path and the reason")
    func systemErrors() throws {
        try inFolder { folder in
            let checkpoint = CheckpointFolder(path: folder + "/none/step-000003")
            let error = #expect(throws: CheckpointError.self) {
                try checkpoint.write(state: state, resume: resume)
            }
            #expect(
                error?.description
                    == "mkdir at \(folder)/none/.step-000003.partial: expected success, got errno 2, "
                    + "No such file or directory.")
            let missing = CheckpointFolder(path: folder + "/step-000004")
            #expect(throws: CheckpointError.system(call: "open", path: missing.resumePath, errno: 2)) {
                try missing.read(stateSHA256: nil, resumeSHA256: nil)
            }
        }
    }
}
