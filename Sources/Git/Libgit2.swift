internal import Clibgit2
internal import Glibc
internal import SystemPackage

/// libgit2, which is loaded and started once, when something is first needed of it.
package enum Libgit2 {
    /// Why it cannot be loaded, in the dynamic linker's words; nil once it is there.
    package static let failure: String? = {
        if let failure = unsafe clibgit2_load(&functions) { return unsafe String(cString: failure) }
        precondition(unsafe functions.git_libgit2_init() > 0, "libgit2 failed to start")
        // It runs nothing that a configuration names, and whoever may read a store may restore from it.
        precondition(
            unsafe clibgit2_set_owner_validation(&functions, 0) == 0,
            "libgit2 has no owner validation to switch off")
        precondition(
            unsafe clibgit2_set_fsync_gitdir(&functions, 1) == 0, "libgit2 cannot be told to sync references")
        // A store is what its own configuration says, whoever opens it and with whatever home.
        for level in [
            GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
            GIT_CONFIG_LEVEL_GLOBAL,
        ] {
            precondition(
                unsafe clibgit2_set_search_path(&functions, level.rawValue, "") == 0,
                "libgit2 has no search paths")
        }
        return nil
    }()

    /// How Debian installs it.
    package static let installation = "apt install libgit2-\(LIBGIT2_SOVERSION)"

    // Written before `failure` is there, and never again; whoever uses them asks for that first.
    private nonisolated(unsafe) static var functions = clibgit2()

    /// What it can do.
    ///
    /// Without it the process ends, as it does at its start for a library that it is linked to: what only libgit2 can read must
    /// not be taken for damaged.
    @unsafe fileprivate static var loaded: clibgit2 {
        guard let failure else { return unsafe functions }
        let text = "error: libgit2 cannot be loaded: \(failure)\nhint: \(installation)\n"
        // There is nobody left to whom a failure to say it could be said.
        _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
        _exit(EXIT_FAILURE)
    }
}

/// What libgit2 can do.
@unsafe var libgit2: clibgit2 { unsafe Libgit2.loaded }
