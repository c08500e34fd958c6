internal import FileTree
internal import SnapshotModel
internal import SystemPackage
internal import XML

/// The users of a shadow: production's, as far as they are found, and the one that may log in.
///
/// Jenkins up to 2.523 finds a user's directory by `users/users.xml`; later ones name it by a key of `secrets/`, and move
/// every directory of a `users.xml` that they find. So one that lists all of them serves both, with keys of the shadow's own.
struct ShadowUsers {
    let keys: ShadowKeys

    private var directory: String { "\(keys.user)_0000000000000000001" }

    /// What the user's directory and the list have to be, by path.
    func files(in home: FilePath) throws -> [EntryPath: [UInt8]] {
        let users = EntryPath("users")
        return [
            users.appending(directory).appending("config.xml"): Array(configuration.utf8),
            users.appending("users.xml"): try list(home),
        ]
    }

    private func list(_ home: FilePath) throws -> [UInt8] {
        var entries: [String: String] = [:]
        let users = home.appending("users")
        if try Files.isDirectory(users) {
            for name in try Files.names(users) {
                let place = FilePath(bytes: users.byteArray + [UInt8(ascii: "/")] + name)
                guard try Files.status(place)?.kind == .directory,
                    let bytes = try Files.readIfPresent(place.appending("config.xml"), limit: 64 << 20),
                    // What cannot be read is told where the document itself is looked at.
                    let id = NormalXML.read(bytes).element?.child("id")?.text, !id.isEmpty,
                    let text = String(validating: name, as: UTF8.self)
                else { continue }
                entries[id.lowercased()] = text
            }
            if let bytes = try Files.readIfPresent(users.appending("users.xml"), limit: 64 << 20) {
                for (id, name) in Self.entries(bytes) { entries[id] = name }
            }
        }
        entries[keys.user] = directory
        let lines = entries.sorted { $0.key < $1.key }.map { id, name in
            "    <entry>\n      <string>\(Self.escaped(id))</string>\n      <string>\(Self.escaped(name))</string>\n    </entry>\n"
        }
        return Array(
            ("<?xml version='1.1' encoding='UTF-8'?>\n<hudson.model.UserIdMapper>\n  <version>1</version>\n"
                + "  <idToDirectoryNameMap class=\"concurrent-hash-map\">\n\(lines.joined())"
                + "  </idToDirectoryNameMap>\n</hudson.model.UserIdMapper>\n").utf8)
    }

    /// The pairs of a list that is there.
    private static func entries(_ bytes: [UInt8]) -> [(String, String)] {
        let map = NormalXML.read(bytes).element?.child("idToDirectoryNameMap")
        return (map?.children ?? []).compactMap { entry in
            let texts = entry.children.map(\.text)
            return texts.count == 2 ? (texts[0], texts[1]) : nil
        }
    }

    /// Text as it stands in an element.
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private var configuration: String {
        """
        <?xml version='1.1' encoding='UTF-8'?>
        <user>
          <version>10</version>
          <id>\(keys.user)</id>
          <fullName>Understudy</fullName>
          <properties>
            <jenkins.security.ApiTokenProperty>
              <tokenStore>
                <tokenList>
                  <jenkins.security.apitoken.ApiTokenStore_-HashedToken>
                    <uuid>\(keys.tokenIdentifier)</uuid>
                    <name>understudy</name>
                    <creationDate>2000-01-01 00:00:00.0 UTC</creationDate>
                    <value>
                      <version>11</version>
                      <hash>\(keys.tokenHash)</hash>
                    </value>
                  </jenkins.security.apitoken.ApiTokenStore_-HashedToken>
                </tokenList>
              </tokenStore>
            </jenkins.security.ApiTokenProperty>
            <hudson.security.HudsonPrivateSecurityRealm_-Details>
              <passwordHash>\(keys.passwordHash("users/\(directory)/config.xml/\(Self.passwordPath)"))</passwordHash>
            </hudson.security.HudsonPrivateSecurityRealm_-Details>
          </properties>
        </user>

        """
    }

    private static let passwordPath =
        "user/properties/hudson.security.HudsonPrivateSecurityRealm_-Details/passwordHash"
}
