internal import Clibarchive
internal import Glibc
internal import SystemPackage

/// libarchive, which is loaded for the first archive that is read or written.
package enum Libarchive {
    /// Why it cannot be loaded, in the dynamic linker's words; nil once it is there.
    package static let failure: String? = {
        unsafe clibarchive_load(&functions).map { unsafe String(cString: $0) }
    }()

    /// How Debian installs it.
    package static let installation = "apt install libarchive13"

    // Written before `failure` is there, and never again; whoever uses them asks for that first.
    private nonisolated(unsafe) static var functions = clibarchive()

    /// What it can do.
    ///
    /// Without it the process ends, as it does at its start for a library that it is linked to: an archive that nobody can open
    /// must not be taken for a damaged one.
    @unsafe fileprivate static var loaded: clibarchive {
        guard let failure else { return unsafe functions }
        let text = "error: libarchive cannot be loaded: \(failure)\nhint: \(installation)\n"
        // There is nobody left to whom a failure to say it could be said.
        _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
        _exit(EXIT_FAILURE)
    }
}

/// What libarchive can do.
@unsafe var libarchive: clibarchive { unsafe Libarchive.loaded }
