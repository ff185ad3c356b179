// Runs a group of golden cases and says which of them this version does not build.
import Testing

/// What became of the cases of one group.
struct ParityCoverage {
    var passed = 0
    var failed = 0
    /// The names of the cases that need something that is not built, by what they need.
    var notBuilt: [String: [String]] = [:]

    var notBuiltCount: Int { notBuilt.values.reduce(0) { $0 + $1.count } }
}

/// Runs `body` on every case of a group. A case is passed when `body` returns, failed when it throws, and not built when it
/// throws `NotBuilt`; a case that expects an error is passed when `body` throws something else than those two.
///
/// Prints the cases that are not built. `notBuilt` is their number in the checked-in set of cases: a case that stops being
/// built, or starts to be, fails the test until the number is corrected.
@discardableResult
func checkParity(
    _ suite: String, _ group: String, notBuilt expectedNotBuilt: Int,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (ParityCase) throws -> Void
) throws -> ParityCoverage {
    var coverage = ParityCoverage()
    for parityCase in try ParitySuite.load(suite, group) {
        do {
            do {
                try body(parityCase)
            } catch  where parityCase.expectsError && !(error is NotBuilt) && !(error is ParityMismatch) {
                coverage.passed += 1
                continue
            }
            if parityCase.expectsError { throw ParityMismatch("expected an error, got none") }
            coverage.passed += 1
        } catch let missing as NotBuilt {
            coverage.notBuilt[missing.feature, default: []].append(parityCase.name)
        } catch {
            coverage.failed += 1
            Issue.record("\(parityCase.path): \(error)", sourceLocation: sourceLocation)
        }
    }
    print(
        "parity \(suite)/\(group): \(coverage.passed) passed, \(coverage.failed) failed, \(coverage.notBuiltCount) not built"
    )
    for (feature, names) in coverage.notBuilt.sorted(by: { $0.key < $1.key }) {
        print(
            "parity \(suite)/\(group): not built, needs \(feature) (\(names.count)): \(names.joined(separator: ", "))"
        )
    }
    if ParitySuite.isCheckedIn {
        #expect(
            coverage.notBuiltCount == expectedNotBuilt,
            "\(suite)/\(group): the number of cases that are not built changed; correct it in the test",
            sourceLocation: sourceLocation)
    }
    return coverage
}
