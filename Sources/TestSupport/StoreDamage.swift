package import SystemPackage

/// Damage that a disk does to a store.
package enum StoreDamage {
    /// Overwrites bytes of the object of a file of the last snapshot, wherever it lies in a pack.
    package static func flip(_ file: String, in store: FilePath) async throws {
        let id = try await shell(
            """
            ref=$(git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1)
            git ls-tree -r "$ref" | sed -n 's,[0-9]* blob \\([0-9a-f]*\\).*/\(file)$,\\1,p'
            """, in: store)
        try await flip(object: id, in: store)
    }

    /// Overwrites bytes of an object, whose id is as git prints it, wherever it lies in a pack: so many bytes behind the
    /// beginning of its record.
    package static func flip(object id: String, at offset: Int = 3, in store: FilePath) async throws {
        let id = id.prefix { $0 != "\n" }
        try await shell(
            """
            for index in objects/pack/*.idx; do
              start=$(git show-index <"$index" | awk -v id=\(id) '$2 == id { print $1 }')
              test -n "$start" || continue
              found=${index%.idx}.pack; chmod u+w "$found"
              printf '\\377\\377\\377' | dd of="$found" bs=1 seek=$((start + \(offset))) conv=notrunc status=none
            done
            test -n "${found-}"
            """, in: store)
    }
}
