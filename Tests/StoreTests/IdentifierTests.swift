// Identifiers and times as text.

import Testing

@testable import Store

@Suite struct IdentifierTests {
    @Test(
        "Identifiers are unique and sort in the order of their making, also when the clock goes back"
    )
    func order() {
        var clock = Int64(1_700_000_000_000)
        let identifiers = (0..<2000).map { index -> String in
            clock += index % 7 == 0 ? -5 : 1
            return Identifier.make(prefix: "job_", now: Timestamp(milliseconds: clock))
        }
        #expect(identifiers == identifiers.sorted())
        #expect(Set(identifiers).count == identifiers.count)
        #expect(identifiers.allSatisfy { Identifier.isWellFormed($0, prefix: "job_") })
        #expect(!Identifier.isWellFormed("job_../../etc/passwd........", prefix: "job_"))
    }

    @Test("Times print as RFC 3339 in UTC with milliseconds, before 1970 too")
    func timestamps() {
        #expect(Timestamp(milliseconds: 1_795_345_200_120).description == "2026-11-22T11:00:00.120Z")
        #expect(Timestamp(milliseconds: -1).description == "1969-12-31T23:59:59.999Z")
    }
}
