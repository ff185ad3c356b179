// Patterns over parameter paths.

import JobSpec
import Testing

struct PathPatternTests {
    @Test(
        "stars stand for parts of names, double stars for names",
        arguments: [
            ("**/kernel", "Dense_0/kernel", true), ("**/kernel", "a/b/kernel", true),
            ("**/kernel", "kernel", true),
            ("**/kernel", "a/kernel/b", false), ("**/kernel", "a/kernels", false),
            ("Dense_*/bias", "Dense_12/bias", true),
            ("Dense_*/bias", "x/Dense_1/bias", false), ("**", "a", true), ("a/**", "a/b/c", true),
            ("a/**", "a", true),
            ("a/**", "ab/c", false), ("*/b", "a/b", true), ("*/b", "b", false),
            ("**/a/**/b", "x/a/y/a/z/b", true),
            ("**/a/*/b", "a/a/x/b", true), ("*a*a*", "banana", true), ("*a*x", "banana", false),
            ("kernel", "kernel", true),
        ])
    func matches(pattern: String, path: String, expected: Bool) {
        #expect(PathPattern(pattern).matches(path) == expected)
    }

    @Test("a hostile pattern takes no exponential time")
    func hostile() {
        let pattern = PathPattern(Array(repeating: "**/*a*", count: 100).joined(separator: "/"))
        let path =
            Array(repeating: String(repeating: "a", count: 60), count: 400).joined(separator: "/") + "/b"
        #expect(!pattern.matches(path))
    }
}
