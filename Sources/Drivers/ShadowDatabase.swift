package import Programs
package import SystemPackage

/// Which database holds the state of a component whose state is not in its own roots.
package struct StateDatabase: Hashable, Sendable {
    /// The component that captures it, nil when the system file does not say.
    package var component: String?
    /// Its name, nil when only the component knows it.
    package var name: String?
    /// What of it is not to be in a shadow, by the names of its tables.
    package var omissions: [String: DumpOmission]

    /// A database.
    package init(component: String?, name: String?, omissions: [String: DumpOmission]) {
        self.component = component
        self.name = name
        self.omissions = omissions
    }
}

/// What is left out of the rows of a table.
package enum DumpOmission: Hashable, Sendable {
    /// All of them.
    case rows
    /// Those with a value in a column, as the dump spells both.
    case rowsWhere(column: String, value: String)
    /// The contents of some columns, which then are null.
    case fields(Set<String>)
}

/// A database server of a shadow's own: it runs in a sandbox beside that of the programs that use it, which see its socket
/// alone, and ends with the shadow.
package struct ShadowDatabase: Sendable {
    /// The server.
    package var cluster: PostgreSQLCluster
    /// The database.
    package var name: String
    /// The directory of the host with what the server keeps.
    package var data: FilePath
    /// The directory of the host with its socket; its path is short.
    package var socket: FilePath

    /// A server.
    package init(cluster: PostgreSQLCluster, name: String, data: FilePath, socket: FilePath) {
        self.cluster = cluster
        self.name = name
        self.data = data
        self.socket = socket
    }

    /// A program that asks it, and prints U+0001 and then the rows: fields with U+001F between them.
    package func query(_ sql: String) -> Program { cluster.query(sql, in: name) }
}

/// What a shadow has in place of the database server that production's state is in.
package enum StateServer: Sendable {
    /// A server of its own, with the state of the snapshot.
    case own(ShadowDatabase)
    /// Nothing, and why.
    case missing(String)
}
