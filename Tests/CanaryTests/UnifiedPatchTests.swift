import FileTree
import Programs
import SystemPackage
import TestSupport
import Testing

@testable import Canary

/// Patches as git writes them, applied as git applies them, and refused where they do not fit.
struct UnifiedPatchTests {
    private func apply(_ patch: String, to text: String) throws -> String? {
        let patch = try UnifiedPatch(Array(patch.utf8))
        return try UnifiedPatch.apply(patch.files[0], to: Array(text.utf8)).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private func reason(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing was refused"
        } catch {
            return "\(error)"
        }
    }

    private static let patch = """
        --- a/master/master.cfg
        +++ b/master/master.cfg
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         three

        """

    @Test func aPieceGoesWhereItsLinesStand() throws {
        #expect(try apply(Self.patch, to: "one\ntwo\nthree\n") == "one\n2\nthree\n")
        #expect(try apply(Self.patch, to: "new\none\ntwo\nthree\nfour") == "new\none\n2\nthree\nfour")
    }

    @Test func whatDoesNotFitIsRefusedWithItsPlace() {
        #expect(reason { _ = try apply(Self.patch, to: "one\n2\nthree\n") }.contains("line 1 are not there"))
        let twice = "x\none\ntwo\nthree\none\ntwo\nthree\n"
        #expect(reason { _ = try apply(Self.patch, to: twice) }.contains("more than once"))
    }

    @Test(arguments: [
        ("", "changes no file"), ("--- a/x\n+++ b/x\n", "nothing follows"),
        ("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "leads elsewhere"),
        ("--- \"a/\\303\"\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "in quotes"),
        ("--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+b\n", "about no file"),
        ("--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n+b\n", "ends in the middle"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n*b\n", "not as many"),
        ("--- a/x\n+++ b/x\n@@ -what @@\n", "which lines"),
        (
            "--- a/x\n+++ b/x\n@@ -9223372036854775807,3 +1,3 @@\n a\n-b\n+c\n d\n",
            "'@@ -9223372036854775807,3 +1,3 @@' does not say which lines"
        ),
        ("--- a/x\n+++ b/x\n@@ -1,2147483648 +1 @@\n-a\n+b\n", "which lines"),
        ("diff --git a/x b/x\nGIT binary patch\n", "binary"),
    ])
    func whatIsNoPatchIsRefused(_ text: String, _ words: String) {
        #expect(reason { _ = try UnifiedPatch(Array(text.utf8)) }.contains(words))
    }

    @Test func filesThatAreNewGoOrMoveAreSaid() throws {
        let patch = try UnifiedPatch(
            Array(
                """
                diff --git a/old b/new
                similarity index 100%
                rename from old
                rename to new
                diff --git a/gone b/gone
                deleted file mode 100644
                --- a/gone
                +++ /dev/null
                @@ -1 +0,0 @@
                -x
                \\ No newline at end of file
                --- /dev/null
                +++ b/made
                @@ -0,0 +1 @@
                +y

                """.utf8))
        #expect(patch.files.map(\.old) == ["old", "gone", nil])
        #expect(patch.files.map(\.new) == ["new", nil, "made"])
        #expect(try UnifiedPatch.apply(patch.files[0], to: [1, 2]) == [1, 2])
        #expect(try UnifiedPatch.apply(patch.files[1], to: Array("x".utf8)) == nil)
        #expect(
            reason { _ = try UnifiedPatch.apply(patch.files[1], to: Array("x\nz".utf8)) }.contains(
                "not there"))
        #expect(try UnifiedPatch.apply(patch.files[2], to: []) == Array("y\n".utf8))
    }

    /// Lines of few kinds, some files without a last line feed: many pieces, many places that look alike.
    @Test func whatGitWritesIsApplied() async throws {
        try await withTemporaryDirectory { directory in
            var random = SeededGenerator(seed: 5)
            var texts: [(old: [UInt8], new: [UInt8])] = []
            for name in ["a", "b"] { try Files.makeDirectory(directory.appending(name)) }
            for number in 0..<40 {
                func line() -> String { ["x", "y", "", "long line", "ü"][Int(random.next() % 5)] }
                let old = (0..<Int(random.next() % 60)).map { _ in line() }
                var new = old
                for _ in 0..<Int(random.next() % 6) + 1 where !new.isEmpty {
                    let place = Int(random.next() % UInt64(new.count))
                    if random.next() & 1 == 0 {
                        new.remove(at: place)
                    } else {
                        new.insert("n\(random.next() % 9)", at: place)
                    }
                }
                let end = random.next() & 1 == 0 ? "\n" : ""
                texts.append(
                    (
                        Array((old.joined(separator: "\n") + "\n").utf8),
                        Array((new.joined(separator: "\n") + end).utf8)
                    ))
                try Files.replace(directory.appending("a/\(number)"), with: texts[number].old)
                try Files.replace(directory.appending("b/\(number)"), with: texts[number].new)
            }
            // Two directories differ, which is status 1.
            let outcome = try await Program(
                "git", ["-C", directory.string, "diff", "--no-index", "--no-prefix", "-U1", "a", "b"]
            ).run()
            #expect(outcome.status == 1)
            let patch = try UnifiedPatch(Array(outcome.output.utf8))
            var applied = 0
            for file in patch.files {
                let number = try #require((file.old ?? file.new).flatMap { Int($0) })
                #expect(try UnifiedPatch.apply(file, to: texts[number].old) == texts[number].new)
                applied += 1
            }
            #expect(applied > 30)
        }
    }
}
