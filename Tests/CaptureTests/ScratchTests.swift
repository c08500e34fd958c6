import FileTree
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Workers

/// Directories for a while, in a place that others clean up meanwhile.
@Suite struct ScratchTests {
    private final class Rounds: Sendable {
        let count = Atomic(0)
        let isOver = Atomic(false)
    }

    @Test func cleaningTakesNoneThatIsBeingMade() throws {
        try withTemporaryDirectory { directory in
            let rounds = Rounds()
            let cleaning = Background {
                while !rounds.isOver.load(ordering: .relaxed) {
                    try Scratch.removeAbandoned(in: directory)
                    rounds.count.add(1, ordering: .relaxed)
                }
            }
            let made = Result {
                while !cleaning.isDone, rounds.count.load(ordering: .relaxed) < 50 {
                    let scratch = try Scratch(in: directory)
                    #expect(try Files.isDirectory(scratch.path))
                }
            }
            rounds.isOver.store(true, ordering: .relaxed)
            try cleaning.wait()
            try made.get()
            #expect(try Files.names(directory) == [])
        }
    }
}
