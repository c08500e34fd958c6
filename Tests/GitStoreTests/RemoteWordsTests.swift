import Git
import Testing

@testable import GitStore

/// What is told of a remote that could not be read says why.
@Suite struct RemoteWordsTests {
    private static let advice =
        "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
        + "and the repository exists.\n"

    private static let cases: [(output: String, reason: String)] = [
        (
            "ssh: connect to host 127.0.0.1 port 1: Connection refused\r\n" + advice,
            "ssh: connect to host 127.0.0.1 port 1: Connection refused"
        ),
        (
            "Warning: Permanently added 'x' (ED25519) to the list of known hosts.\r\n"
                + "git@x: Permission denied (publickey).\r\n" + advice,
            "git@x: Permission denied (publickey)."
        ),
        ("Host key verification failed.\r\n" + advice, "Host key verification failed."),
        ("ERROR: Repository not found.\n" + advice, "ERROR: Repository not found."),
        (advice, "fatal: Could not read from remote repository."),
        ("remote: x\nfatal: repository 'x' not found\n", "fatal: repository 'x' not found"),
        ("fatal: '/x' is no repository\n" + advice, "fatal: '/x' is no repository"),
        (
            "remote: fatal: unable to write loose object file: No space left on device        \n"
                + "error: remote unpack failed: unpack-objects abnormal exit\nTo /x\n ! [remote rejected] a -> b (unpacker error)\n",
            "remote: fatal: unable to write loose object file: No space left on device; "
                + "error: remote unpack failed: unpack-objects abnormal exit; ! [remote rejected] a -> b (unpacker error)"
        ),
        (
            "remote: fatal: no room\none\ntwo\nthree\nfatal: the remote end hung up unexpectedly\n",
            "remote: fatal: no room; one; two; three"
        ),
        ("one\ntwo\nthree\n", "two; three"), ("", ""),
    ]

    @Test(arguments: cases.indices)
    func theLineThatSaysWhyIsTold(_ place: Int) {
        #expect(RemoteGit.reason(Self.cases[place].output) == Self.cases[place].reason)
    }

    @Test func whatToDoFitsWhyItFailed() {
        let remote = Remote(name: "r", url: "/x")
        #expect(RemoteGit.hint(remote, "remote: fatal: No space left on device").contains("the remote r is"))
        #expect(RemoteGit.hint(remote, "fatal: No space left on device").contains("where the store is"))
        #expect(
            RemoteGit.hint(remote, "remote: warning: x; fatal: No space left on device").contains(
                "where the store is"))
        #expect(RemoteGit.hint(remote, "! [remote rejected] a -> b (hook declined)").contains("refused"))
        #expect(RemoteGit.hint(remote, "ssh: Connection refused").contains("git ls-remote /x"))
        let none = "fatal: '/x' does not appear to be a git repository"
        #expect(RemoteGit.hint(remote, none).contains("'git init --bare'"))
        #expect(RemoteGit.hint(Remote(name: "r", url: "h:x"), none).contains("git ls-remote h:x"))
    }

    @Test func ofARemoteThatCouldNotBeReadNothingIsSaid() {
        let id = ObjectID.of(.blob, [])
        #expect(
            Healing.words(2, id, read: ["a", "b"], unread: [])
                == "2 objects are damaged or missing and on none of the remotes a, b, the first is \(id)")
        #expect(
            Healing.words(2, id, read: [], unread: ["c"])
                == "2 objects are damaged or missing, the first is \(id); what is on c is not known, which could "
                + "not be read")
    }
}
