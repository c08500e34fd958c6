internal import Programs
package import SystemPackage

/// Damage that a disk does to a store.
package enum StoreDamage {
    /// Overwrites bytes of the object of a file of the last snapshot, where it lies in its pack.
    package static func flip(_ file: String, in store: FilePath) async throws {
        let script = """
            cd "$1" && ref=$(git for-each-ref --format='%(refname)' refs/snapshots | tail -n 1)
            id=$(git ls-tree -r "$ref" | sed -n "s,[0-9]* blob \\([0-9a-f]*\\).*/$2\\$,\\1,p")
            for pack in objects/pack/*.pack; do
              at=$(git verify-pack -v "$pack" | awk -v id="$id" '$1 == id { print $5 }')
              test -z "$at" && continue
              chmod u+w "$pack" && printf XXX | dd of="$pack" bs=1 seek=$((at + 2)) conv=notrunc status=none && exit
            done
            exit 1
            """
        try await Program("/bin/sh", ["-c", script, "sh", store.string, file]).runSuccessfully()
    }
}
