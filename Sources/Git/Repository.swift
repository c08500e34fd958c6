internal import Clibgit2
package import SystemPackage

/// An open git repository through libgit2: configuration, and what is rarer than reading and setting ``References``.
///
/// A libgit2 object may move between threads but must never be used by two at once; a noncopyable type says that.
@safe
package struct Repository: ~Copyable {
    private let pointer: OpaquePointer

    /// Opens the bare repository at `path`.
    package init(opening path: FilePath) throws(GitError) {
        try unsafe self.init("open the repository \(path)") { pointer in
            unsafe path.withPlatformString { unsafe libgit2.git_repository_open_bare(&pointer, $0) }
        }
    }

    /// Creates a bare repository at `path`.
    package init(creatingBareAt path: FilePath) throws(GitError) {
        try unsafe self.init("create the repository \(path)") { pointer in
            unsafe path.withPlatformString { unsafe libgit2.git_repository_init(&pointer, $0, 1) }
        }
    }

    /// Takes ownership of the pointer that `open` hands out; it is stored last, when nothing can fail any more.
    private init(_ operation: String, open: (inout OpaquePointer?) -> Int32) throws(GitError) {
        var pointer: OpaquePointer?
        try check(unsafe open(&pointer), operation)
        guard let pointer = unsafe pointer else {
            preconditionFailure("\(operation) succeeded and returned nothing")
        }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe libgit2.git_repository_free(pointer)
    }

    /// Removes a reference, if it still points at `expected`; durable when its directory and the repository's are synced.
    ///
    /// Throws `notFound` or `modified` when somebody else was faster.
    package borrowing func removeReference(_ name: String, expecting expected: ObjectID) throws(GitError) {
        var reference: OpaquePointer?
        try check(unsafe libgit2.git_reference_lookup(&reference, pointer, name), "look up \(name)")
        defer { unsafe libgit2.git_reference_free(reference) }
        guard let target = unsafe libgit2.git_reference_target(reference),
            ObjectID(unsafe target.pointee) == expected
        else { throw GitError(.modified, "remove \(name)", "somebody else moved it") }
        // libgit2 compares with what was looked up again, under git's own lock.
        try check(unsafe libgit2.git_reference_delete(reference), "remove \(name)")
    }

    /// Says which branch stock git shows when none is named; it need not exist yet.
    package borrowing func setHead(_ branch: String) throws(GitError) {
        try check(unsafe libgit2.git_repository_set_head(pointer, branch), "point HEAD to \(branch)")
    }

    /// Sets a value in the repository's own configuration.
    package borrowing func configure(_ key: String, _ value: String) throws(GitError) {
        var configuration: OpaquePointer?
        try check(unsafe libgit2.git_repository_config(&configuration, pointer), "open the configuration")
        defer { unsafe libgit2.git_config_free(configuration) }
        try check(unsafe libgit2.git_config_set_string(configuration, key, value), "set \(key)")
    }

    /// A value of the repository's configuration, nil when it is not set.
    package borrowing func configuration(_ key: String) throws(GitError) -> String? {
        var configuration: OpaquePointer?
        try check(
            unsafe libgit2.git_repository_config_snapshot(&configuration, pointer), "open the configuration")
        defer { unsafe libgit2.git_config_free(configuration) }
        var value: UnsafePointer<CChar>?
        let status = unsafe libgit2.git_config_get_string(&value, configuration, key)
        if status == GIT_ENOTFOUND.rawValue {
            unsafe libgit2.git_error_clear()
            return nil
        }
        try check(status, "read \(key)")
        return unsafe value.map { unsafe String(cString: $0) }
    }
}

/// The objects of a repository through libgit2: reads whatever git can have made of them.
@safe
struct ObjectDatabase: ~Copyable {
    private let pointer: OpaquePointer

    init(_ repository: FilePath) throws(GitError) {
        var pointer: OpaquePointer?
        let path = repository.appending("objects")
        try check(
            unsafe path.withPlatformString { unsafe libgit2.git_odb_open(&pointer, $0) },
            "open the objects of \(repository)")
        guard let pointer = unsafe pointer else {
            preconditionFailure("git_odb_open succeeded and returned nothing")
        }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe libgit2.git_odb_free(pointer)
    }

    borrowing func object(_ id: ObjectID) throws(GitError) -> (kind: ObjectKind, contents: [UInt8]) {
        var object: OpaquePointer?
        var raw = id.raw
        let status = unsafe libgit2.git_odb_read(&object, pointer, &raw)
        let origin = unsafe libgit2.git_error_last().map { unsafe $0.pointee.klass }
        let isOfSystem = [GIT_ERROR_OS, GIT_ERROR_NOMEMORY].contains { Int32($0.rawValue) == origin }
        do throws(GitError) {
            try check(status, "read object \(id)")
        } catch {
            guard error.code != .notFound else { throw error }
            // What the disk cannot give is lost like bytes that are no object; what we may not read, or lack memory for, is not.
            let isThere = isOfSystem && !error.reason.hasSuffix("Input/output error")
            throw GitError(isThere ? .system : .damaged, error.operation, error.reason)
        }
        defer { unsafe libgit2.git_odb_object_free(object) }
        let type = unsafe libgit2.git_odb_object_type(object).rawValue
        guard let kind = UInt8(exactly: type).flatMap(ObjectKind.init(rawValue:)) else {
            throw GitError(.damaged, "read object \(id)", "it has the unknown type \(type)")
        }
        let buffer = unsafe UnsafeRawBufferPointer(
            start: libgit2.git_odb_object_data(object), count: libgit2.git_odb_object_size(object))
        return unsafe (kind, Array(buffer))
    }
}

extension ObjectID {
    init(_ raw: git_oid) {
        self = unsafe withUnsafeBytes(of: raw) { unsafe ObjectID($0) }
    }

    var raw: git_oid {
        var raw = git_oid()
        let bytes = self.bytes
        unsafe withUnsafeMutableBytes(of: &raw) { unsafe $0.copyBytes(from: bytes) }
        return raw
    }
}
