/// A git repository among the captured files whose objects are kept in the store as the git objects that they are.
package struct SourceRepository: Hashable, Sendable {
    /// The name of the root that it lies in.
    package var root: String
    /// Its git directory below the root: the repository itself when it is bare, else its `.git`.
    package var path: EntryPath

    /// A repository.
    package init(root: String, path: EntryPath) {
        self.root = root
        self.path = path
    }

    /// Its name for people: the root's and the path.
    package var name: String { path.isRoot ? root : "\(root)/\(path)" }

    /// The name of its list of references in the snapshot: flat, because one repository can lie in another.
    ///
    /// Slashes are `+`; what would read as one is escaped by `=`, so that no two repositories meet under one name.
    package var referencesName: String {
        "refs/"
            + name.replacing("=", with: "=e").replacing("%", with: "=c").replacing("+", with: "=p").replacing(
                "/", with: "+")
            + ".refs"
    }
}

/// What a repository's own files say it needs of its objects.
package struct SourceTips: Hashable, Sendable {
    /// An object, and what names it.
    package struct Tip: Hashable, Sendable {
        /// Its id, in 40 hexadecimal digits.
        package var id: String
        /// The reference or file that names it.
        package var name: String

        /// A tip.
        package init(id: String, name: String) {
            self.id = id
            self.name = name
        }
    }

    /// Objects without which the repository is damaged: those of HEAD, the references and the working trees' HEADs.
    package var references: [Tip] = []
    /// Objects that the repository remembers and need not have any more: those of reflogs, `ORIG_HEAD` and its like.
    package var remembered: [Tip] = []
    /// Contents that an index stages.
    package var staged: [Tip] = []
    /// References that could not be read, and why.
    package var problems: [CapturedComponent.Problem] = []
    /// All references, sorted by name, one a line: an id or `ref:` and a reference, a space, the name.
    package var listing: [UInt8] = []

    /// Nothing.
    package init() {}
}
