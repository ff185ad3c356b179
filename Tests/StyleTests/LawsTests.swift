// The laws of the house, checked on the sources themselves: who may import whom, how long a file may get.
import Foundation
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The Swift files below a folder of the project.
private func swiftFiles(_ folder: String) throws -> [URL] {
    let enumerator = try #require(
        FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil))
    return enumerator.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
}

private func lines(_ file: URL) throws -> [Substring] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
}

/// Targets from the bottom up: a target imports only those before it.
private let order = [
    "CKernels", "COpenBLAS", "CCrypto", "CLinux", "CCurl", "Hashing", "FileFormats", "Protobuf",
    "TensorEngine", "Linen",
    "Optax",
    "Serialization",
    "JobSpec", "Datasets", "Training", "Store", "Scheduler", "HTTPServer", "API", "spindle",
]

@Suite struct LawsTests {
    @Test("imports point down the list of targets only", arguments: order)
    func importsPointDown(target: String) throws {
        let rank = try #require(order.firstIndex(of: target))
        for file in try swiftFiles("Sources/\(target)") {
            for line in try lines(file) where line.hasPrefix("import ") || line.contains(" import ") {
                guard let name = line.split(separator: " ").last,
                    let imported = order.firstIndex(of: String(name))
                else {
                    continue
                }
                #expect(imported < rank, "\(file.lastPathComponent) imports \(name)")
            }
        }
    }

    @Test(
        "the engine never runs in the server process", arguments: ["API", "Scheduler", "Store", "HTTPServer"])
    func serverDoesNotImportEngine(target: String) throws {
        let forbidden = ["TensorEngine", "Linen", "Optax", "Training"]
        for file in try swiftFiles("Sources/\(target)") {
            for line in try lines(file) where line.hasPrefix("import ") {
                #expect(!forbidden.contains(String(line.dropFirst(7))), "\(file.lastPathComponent): \(line)")
            }
        }
    }

    @Test("the HTTP server knows nothing of jobs, the engine nothing but its kernels")
    func roomsKeepToThemselves() throws {
        for (target, allowed) in [
            ("HTTPServer", ["CLinux"]), ("TensorEngine", ["CKernels", "COpenBLAS"]),
        ] {
            for file in try swiftFiles("Sources/\(target)") {
                for line in try lines(file) where line.hasPrefix("import ") {
                    let name = String(line.dropFirst(7))
                    #expect(
                        !order.contains(name) || allowed.contains(name), "\(file.lastPathComponent): \(line)")
                }
            }
        }
    }

    @Test("no library target reads the environment")
    func noEnvironment() throws {
        for target in order where target != "spindle" {
            for file in try swiftFiles("Sources/\(target)") {
                let text = try String(contentsOf: file, encoding: .utf8)
                let reads = ["getenv(", "ProcessInfo.processInfo.environment", "secure_getenv"]
                #expect(!reads.contains { text.contains($0) }, "\(file.lastPathComponent)")
            }
        }
    }

    @Test("a source file is one concept: at most 600 lines, with a header that says what it is")
    func fileSizes() throws {
        for file in try swiftFiles("Sources") {
            let lines = try lines(file)
            #expect(lines.count <= 600, "\(file.lastPathComponent) has \(lines.count) lines")
            #expect(lines.first?.hasPrefix("// ") == true, "\(file.lastPathComponent) has no header")
        }
    }

    @Test("nothing in the sources traps on purpose or is left for later")
    func noTraps() throws {
        for file in try swiftFiles("Sources") {
            for (number, line) in try lines(file).enumerated() {
                for word in ["fatalError(", "preconditionFailure(", "try!", "TODO", "FIXME"]
                where line.contains(word) {
                    Issue.record("\(file.lastPathComponent):\(number + 1) has \(word)")
                }
            }
        }
    }

    @Test("code that articles show is in the sources, as it stands there")
    func articlesShowSources() throws {
        let articles = try #require(
            FileManager.default.enumerator(
                at: root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        ).compactMap { $0 as? URL }.filter { $0.pathExtension == "md" }
        #expect(!articles.isEmpty)
        for article in articles {
            let parts = try String(contentsOf: article, encoding: .utf8).components(separatedBy: "<!-- from ")
            for part in parts.dropFirst() {
                let path = try #require(part.components(separatedBy: " -->").first)
                let block = try #require(part.components(separatedBy: "```swift\n").dropFirst().first)
                let code = try #require(block.components(separatedBy: "```").first)
                let source = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                #expect(source.contains(code), "\(article.lastPathComponent) shows what is not in \(path)")
            }
        }
    }
}
