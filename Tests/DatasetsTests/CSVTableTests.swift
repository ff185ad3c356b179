// CSV files: what is read from good ones, and where bad ones are refused.

import Datasets
import JobSpec
import TestSupport
import Testing

struct CSVTableTests {
    /// Small chunks, so that records cross their borders.
    static func table(_ folder: TemporaryFolder, _ bytes: [UInt8], chunkBytes: Int = 16) throws -> CSVTable {
        CSVTable(path: try folder.write("t.csv", bytes), chunkBytes: chunkBytes)
    }

    @Test(
        "good files give their cells",
        arguments: [
            ("a,b\n1,2\n", [["a", "b"], [1, 2]]),
            ("a,b\r\n1,2\r\n3,4", [["a", "b"], [1, 2], [3, 4]]),
            ("\u{FEFF}a\n1\n\n\n", [["a"], [1]]),
            ("a,b\n-1.5,+2\n.5,5.\n1e3,007\n", [["a", "b"], [-1.5, 2], [0.5, 5.0], [1000.0, 7]]),
            ("a,b\n 1 ,\t2\n", [["a", "b"], [1, 2]]),
            ("a,b\n,x\n", [["a", "b"], [nil, "x"]]),
            ("\"a\",\"b,c\"\n\"1\",\"say \"\"hi\"\"\"\n", [["a", "b,c"], [1, "say \"hi\""]]),
            ("a,b\n\"two\r\nlines\n\",3\n4,\"\"\n", [["a", "b"], ["two\r\nlines\n", 3], [4, nil]]),
            (
                "a\nnan\n1_000\n0x10\n1e999\n12abc\n",
                [["a"], ["nan"], ["1_000"], ["0x10"], ["1e999"], ["12abc"]]
            ),
            ("é,b\nü,99999999999999999999\n", [["é", "b"], ["ü", 1e20]]),
            ("a,b\n1,\n2,\n", [["a", "b"], [1, nil], [2, nil]]),
        ] as [(String, [[JSONValue]])])
    func good(text: String, expected: [[JSONValue]]) throws {
        let folder = try TemporaryFolder()
        for chunkBytes in [16, 17, 1 << 20] {
            let table = try Self.table(folder, Array(text.utf8), chunkBytes: chunkBytes)
            let preview = try table.preview(rows: 100)
            #expect(preview["columns"] == .array(expected[0]))
            #expect(preview["rows"] == .array(expected.dropFirst().map { .array($0) }))
            #expect(preview["truncated"] == false)
            #expect(try table.inspect().rows == expected.count - 1)
        }
    }

    struct Bad: Sendable {
        let text: [UInt8]
        let row: Int?
        let column: Int?
        let detail: String

        init(_ text: String, row: Int?, column: Int? = nil, _ detail: String) {
            self.init(bytes: Array(text.utf8), row: row, column: column, detail)
        }

        init(bytes: [UInt8], row: Int?, column: Int? = nil, _ detail: String) {
            text = bytes
            self.row = row
            self.column = column
            self.detail = detail
        }
    }

    static let bad: [Bad] = [
        Bad("", row: 0, "no header"),
        Bad("\na\n", row: 0, "no header"),
        Bad("a,b\n", row: nil, "no rows"),
        Bad("a,,b\n1,2,3\n", row: 0, column: 2, "no name"),
        Bad("a,b,a\n1,2,3\n", row: 0, column: 3, "name \"a\""),
        Bad("a\r1\r2", row: 0, column: 1, "CR alone"),
        Bad("a,b\n1,2\n3\n", row: 2, column: 2, "1 fields, but the header has 2"),
        Bad("a,b\n1,2,3\n", row: 1, column: 3, "3 fields, but the header has 2"),
        Bad("a,b\n1,\"2\",3\n", row: 1, column: 3, "more fields"),
        Bad("a,b\n\"1\"\n", row: 1, "1 fields"),
        Bad("a,b\n1,2\n\n3,4\n", row: 2, "empty line"),
        Bad("a,b\n1,\"2\n", row: nil, "never closed"),
        Bad("a,b\n1,\"2\"x\n", row: 1, column: 2, "after a closing quote"),
        Bad("a,b\n1,x\"2\"\n", row: 1, column: 2, "quote in a field"),
        Bad(bytes: Array("a\n1\nx".utf8) + [0xFF, 0x0A], row: 2, column: 1, "UTF-8"),
        Bad(bytes: Array("a\nx".utf8) + [0x00, 0x0A], row: 1, column: 1, "control character"),
        Bad(bytes: [0x1F, 0x8B, 0x08, 0x00], row: 0, column: 1, "control character"),
    ]

    @Test("bad files are refused with row and column", arguments: bad)
    func refused(_ bad: Bad) throws {
        let folder = try TemporaryFolder()
        for chunkBytes in [16, 1 << 20] {
            let table = try Self.table(folder, bad.text, chunkBytes: chunkBytes)
            let error = try #require(throws: DatasetError.self) { try table.inspect() }
            #expect(error.row == bad.row, "\(error)")
            #expect(error.column == bad.column, "\(error)")
            #expect(error.description.contains(bad.detail), "\(error)")
        }
    }

    @Test("an error names the line of the file, also behind line breaks in quotes")
    func line() throws {
        let folder = try TemporaryFolder()
        let table = try Self.table(folder, Array("a,b\n\"1\n2\",3\n4\n".utf8))
        let error = try #require(throws: DatasetError.self) { try table.inspect() }
        #expect(error.row == 2)
        #expect(error.line == 4)
    }

    @Test("limits are kept")
    func limits() throws {
        let folder = try TemporaryFolder()
        var limits = CSVLimits()
        limits.maximumColumns = 2
        limits.maximumRowBytes = 64
        limits.maximumFileBytes = 1_000
        let cases = [
            ("a,b,c\n1,2,3\n", "more than 2 columns"),
            ("a,b\n1,\(String(repeating: "x", count: 200))\n", "more than 64 bytes"),
            ("a,b\n1,\"\(String(repeating: "x\n", count: 200))\n", "never closed?"),
            (String(repeating: "a", count: 1_001), "the limit is 1000"),
        ]
        for (text, detail) in cases {
            let path = try folder.write("t.csv", text)
            let error = try #require(throws: DatasetError.self) {
                try CSVTable(path: path, limits: limits, chunkBytes: 16).inspect()
            }
            #expect(error.detail.contains(detail), "\(error)")
        }
        #expect(throws: DatasetError.self) { try CSVTable(path: folder.path("none.csv")).inspect() }
        #expect(throws: DatasetError.self) { try CSVTable(path: folder.path).inspect() }
    }

    @Test("types and ranges are found by column")
    func schema() throws {
        let folder = try TemporaryFolder()
        let text = "i,f,s,m,e,z\n-3,1,x,1,,1\n7,2.5,2,,,-0\n"
        let schema = try Self.table(folder, Array(text.utf8)).inspect()
        #expect(
            schema.json.serialized()
                == #"{"rows":2,"columns":[{"name":"i","type":"int","min":-3.0,"max":7.0},{"name":"f","type":"float","min":1.0,"max":2.5},{"name":"s","type":"string"},{"name":"m","type":"int","min":1.0,"max":1.0,"missing":1},{"name":"e","type":"string","missing":2},{"name":"z","type":"int","min":0.0,"max":1.0}]}"#
        )
    }

    @Test("the preview is bounded in rows and in length of texts")
    func preview() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "é", count: 5_000)
        let table = try Self.table(folder, Array("a,b\n\(long),1\nx,2\ny,3\n".utf8))
        let preview = try table.preview(rows: 2)
        #expect(preview["rows"]?.arrayValue?.count == 2)
        #expect(preview["truncated"] == true)
        #expect(preview["rows"]?[0]?[0]?.stringValue?.count == 201)
        #expect(try table.preview(rows: 0)["rows"] == [])
        #expect(try table.preview(rows: -5)["rows"] == [])
    }

    @Test("the digits are read as they are")
    func digits() throws {
        let table = CSVTable(path: Repository.fixture("data/digits.csv").path(percentEncoded: false))
        let schema = try table.inspect()
        #expect(schema.rows == 1_797)
        #expect(schema.columns.count == 65)
        #expect(schema.columns.allSatisfy { $0.type == .int && $0.missing == 0 })
        let loaded = try table.load(inputs: nil, target: "target", as: .classes)
        #expect(loaded.inputs.count == 64)
        #expect(loaded.data.rows == 1_797)
        #expect(loaded.data.inputs.floats.count == 1_797 * 64)
        #expect(loaded.data.classes == 10)
        // Sums taken with NumPy from the same file.
        #expect(loaded.data.inputs.floats.reduce(0) { $0 + Double($1) } == 561_718)
        let labels = loaded.data.target.integers
        #expect(labels.prefix(5) == [0, 1, 2, 3, 4])
        #expect(labels.reduce(0) { $0 + Int($1) } == 8_070)
    }

    @Test("columns are loaded in the order that is asked for")
    func order() throws {
        let folder = try TemporaryFolder()
        let table = try Self.table(folder, Array("a,b,text,y\n1,2,x,0.5\n3,4,\"z\"\"\",-1\n".utf8))
        let loaded = try table.load(inputs: ["b", "a"], target: "y", as: .values)
        #expect(loaded.data.inputs.floats == [2, 1, 4, 3])
        #expect(loaded.data.target.floats == [0.5, -1])
    }

    @Test(
        "what cannot be loaded is refused at its place",
        arguments: [
            ("a,y\n1,2\nx,3\n", nil, 2, "expected a number, got \"x\""), ("a,y\n1,2\n,3\n", nil, 2, "empty"),
            ("a,y\n1,2.5\n", nil, 1, "class label"), ("a,y\n1,-1\n", nil, 1, "class label"),
            ("a,y\n1,1000001\n", nil, 1, "class label"), ("a,y\n1e39,1\n", nil, 1, "too large for float32"),
            ("a,z\n1,2\n", nil, nil, "no column \"y\""), ("y\n1\n", nil, nil, "no input column"),
            ("alpha,y\n1,2\n", ["alhpa"], nil, "did you mean alpha?"),
            ("a,y\n1,2\n", ["a", "y"], nil, "twice"),
            ("a,y\n", nil, nil, "no rows"),
        ] as [(String, [String]?, Int?, String)])
    func unloadable(text: String, inputs: [String]?, row: Int?, detail: String) throws {
        let folder = try TemporaryFolder()
        let table = try Self.table(folder, Array(text.utf8))
        let error = try #require(throws: DatasetError.self) {
            try table.load(inputs: inputs, target: "y", as: .classes)
        }
        #expect(error.row == row, "\(error)")
        #expect(error.detail.contains(detail), "\(error)")
    }

    @Test("a table that would not fit in memory is refused")
    func tooLarge() throws {
        let folder = try TemporaryFolder()
        var limits = CSVLimits()
        limits.maximumLoadedBytes = 100
        let path = try folder.write("t.csv", "a,b,y\n" + String(repeating: "1,2,0\n", count: 100))
        #expect(throws: DatasetError.self) {
            try CSVTable(path: path, limits: limits).load(inputs: nil, target: "y", as: .classes)
        }
    }

    @Test("numbers written by us are read back as they were, in any shape of file")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<30 {
            let columns = Int.random(in: 1...9, using: &generator)
            let rows = Int.random(in: 1...40, using: &generator)
            let numbers = (0..<rows * columns).map { _ in
                Float.random(in: -1...1, using: &generator) * (Bool.random(using: &generator) ? 1e-3 : 1e6)
            }
            let ending = Bool.random(using: &generator) ? "\n" : "\r\n"
            var text = ((0..<columns).map { "c\($0)" } + ["y"]).joined(separator: ",") + ending
            for row in 0..<rows {
                var cells = numbers[row * columns..<(row + 1) * columns].map { "\($0)" } + ["\(row)"]
                for index in cells.indices where Int.random(in: 0..<5, using: &generator) == 0 {
                    cells[index] = "\"\(cells[index])\""
                }
                text += cells.joined(separator: ",") + ending
            }
            let table = try Self.table(
                folder, Array(text.utf8), chunkBytes: Int.random(in: 16...300, using: &generator))
            let loaded = try table.load(inputs: nil, target: "y", as: .classes)
            #expect(loaded.data.inputs.floats == numbers)
            #expect(loaded.data.target.integers == (0..<rows).map { Int32($0) })
        }
    }

    @Test("damaged files are read or refused, but never trap")
    func fuzz() throws {
        let folder = try TemporaryFolder()
        let seed = Array("name,\"b \"\"c\"\"\",y\r\n1.5,\"x\ny\",3\n-2e5,z,0\n\"4\",,9\n".utf8)
        let alphabet = Array("\",\r\n\t .-+eE0123456789a".utf8) + [0, 0x80, 0xC3, 0xFF]
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<600 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = alphabet.randomElement(using: &generator) ?? 0
                case 1: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: index)
                default: bytes.removeSubrange(index..<min(bytes.count, index + 3))
                }
            }
            let small = try Self.table(folder, bytes, chunkBytes: 16)
            let large = try Self.table(folder, bytes, chunkBytes: 4_096)
            let schema = try? small.inspect()
            #expect(schema == (try? large.inspect()))
            #expect((try? small.preview(rows: 9)) == (try? large.preview(rows: 9)))
            for kind in [TargetKind.classes, .values] {
                if let loaded = try? small.load(inputs: nil, target: "y", as: kind) {
                    #expect(loaded.data.inputs.floats.count == loaded.data.rows * loaded.data.features)
                }
            }
        }
    }
}
