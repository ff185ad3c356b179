// Where the repository and its test data are, found from this file's own place.

import Foundation

package enum Repository {
    /// The folder with Package.swift.
    package static let folder: URL = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A file of Tests/Fixtures, such as "data/digits.csv".
    package static func fixture(_ path: String) -> URL {
        folder.appending(path: "Tests/Fixtures").appending(path: path)
    }

    /// A file of deploy/examples.
    package static func example(_ name: String) -> URL {
        folder.appending(path: "deploy/examples").appending(path: name)
    }

    package static func bytes(_ url: URL) throws -> [UInt8] {
        Array(try Data(contentsOf: url))
    }
}
