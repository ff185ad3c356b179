// Splits and dataset references as text.

import JobSpec
import TestSupport
import Testing

struct SplitRangeTests {
    @Test(
        "a split gives its rows",
        arguments: [
            ("0%:80%", 1797, 0..<1437), ("80%:", 1797, 1437..<1797), (":", 10, 0..<10), (":5", 10, 0..<5),
            ("3:", 10, 3..<10), ("3:200", 10, 3..<10), ("20:30", 10, 10..<10), ("12.5%:50%", 80, 10..<40),
            ("0.01%:100%", 10_000, 1..<10_000), ("5:50%", 4, 4..<4), ("0:", 0, 0..<0),
        ])
    func rows(text: String, count: Int, expected: Range<Int>) throws {
        let split = try #require(SplitRange(text))
        #expect(split.rows(of: count) == expected)
        #expect(SplitRange(split.description) == split)
    }

    @Test("complementary splits cover every row once, for any number of rows")
    func complementary() throws {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<2_000 {
            let hundredths = Int.random(in: 1...9_999, using: &generator)
            let cut = "\(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)%"
            let count = Int.random(in: 0...Int.max, using: &generator)
            let first = try #require(SplitRange(":\(cut)")).rows(of: count)
            let second = try #require(SplitRange("\(cut):")).rows(of: count)
            #expect(
                first.lowerBound == 0 && first.upperBound == second.lowerBound && second.upperBound == count)
        }
    }

    @Test(
        "what is no split is refused",
        arguments: [
            "", "80%", "a:b", "1:2:3", "-1:5", "5:5", "6:5", "101%:", "50%:50%", "100%:", "0:0", "1.234%:",
            "%:", "1e3:", " 1:2", "0x1:2", "99999999999999999999:",
        ])
    func wrong(text: String) {
        #expect(SplitRange(text) == nil)
    }
}

struct DatasetReferenceTests {
    @Test("references print as they are written")
    func valid() throws {
        let digest = String(repeating: "0f", count: 32)
        for text in ["digits", "a.b-c_1", "digits@sha256:\(digest)"] {
            #expect(DatasetReference(text)?.description == text)
        }
        #expect(DatasetReference("d@sha256:\(digest.uppercased())")?.sha256 == digest)
    }

    @Test(
        "names that could be paths or confuse are refused",
        arguments: [
            "", ".", "..", "a/b", "-a", "_a", "a b", "é", "a@", "a@sha256:", "a@md5:00", "a@sha256:zz", "@",
            String(repeating: "a", count: 101),
        ])
    func wrong(text: String) {
        #expect(DatasetReference(text) == nil)
    }
}
