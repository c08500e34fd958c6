import Testing

@testable import Drivers

/// Expressions of update centres; what matches was asked of `java.util.regex`.
@Suite struct VersionPatternTests {
    private func matches(_ pattern: String, _ version: String) -> Bool {
        VersionPattern(pattern).matches(version)
    }

    @Test(arguments: [
        (".*", "1.0"), ("", ""), ("1[.]2", "1.2"), ("1\\.2", "1.2"), ("(0|1)([.-].*)?", "1.5-rc1"),
        ("1[.]([0-9]|1[0-4])(|[.-].*)", "1.14.2"), ("[0-9]{1,3}(?:[.]v[a-f0-9_]+)?", "123.vab_c"),
        ("(?!2[.]5).*", "2.4"), ("(?=.*rc).*", "1.0-rc1"), ("a{2,}", "aaaa"), ("a{2}", "aa"),
        ("(a|b)*?c", "abac"),
        ("^1$", "1"), ("[^a]", "b"), ("\\d+\\w\\s\\S", "12a x"), ("[\\d.]+", "1.2"), ("[a-c-]+", "a-b"),
        ("(a*)*", "aaa"), ("(?:)", ""), ("x(|y)", "x"),
    ])
    func whatJavaMatchesMatches(_ pattern: String, _ version: String) {
        #expect(VersionPattern(pattern).isUnderstood)
        #expect(matches(pattern, version))
    }

    @Test(arguments: [
        ("1.2", "1.2.3"), ("1[.]2", "1x2"), ("(0|1)([.-].*)?", "2.0"), ("(?!2[.]5).*", "2.5.1"),
        ("(?=.*rc).*", "1.0"), ("a{2,3}", "aaaa"), ("a{2}", "a"), ("[^a]", "a"), (".", "\n"), ("a|b", "ab"),
        ("1$2", "12"), ("[a-c]", "d"), ("(?!a)a", "a"),
    ])
    func whatJavaDoesNotMatchDoesNot(_ pattern: String, _ version: String) {
        #expect(VersionPattern(pattern).isUnderstood)
        #expect(!matches(pattern, version))
    }

    @Test(arguments: [
        "(", ")", "*", "a**", "[", "[a", "a{", "a{3,1}", "(?<n>a)", "\\1", "a++", "(?i)a", "\\bx", "\\",
    ])
    func whatIsNotUnderstoodCountsForEveryVersion(_ pattern: String) {
        #expect(!VersionPattern(pattern).isUnderstood)
        #expect(matches(pattern, "1.0"))
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "(a+)+b", "(a|a)*b", "(a|aa)+$b", "(.*)*(.*)*(.*)*x", "((a{0,30}){0,30}){0,20}b", "(?!(a+)+b).*c",
        ])
    func anExpressionMadeToHangDoesNot(_ pattern: String) {
        #expect(matches(pattern, String(repeating: "a", count: 900)) == !VersionPattern(pattern).isUnderstood)
    }

    @Test func anExpressionThatWouldFillTheMemoryIsNotUnderstood() {
        #expect(!VersionPattern("((((a{1000}){1000}){1000}){1000})").isUnderstood)
        #expect(!VersionPattern(String(repeating: "(", count: 100_000)).isUnderstood)
    }
}
