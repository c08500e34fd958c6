package import Sealing
package import SnapshotModel
package import SystemPackage

/// A delivery system as its system file describes it.
package struct SystemDescription: Hashable, Sendable {
    /// The system's name: `acme`.
    package var name: String
    /// The store, absolute after reading.
    package var store: FilePath
    /// Who can open what is sealed, in the order of the file; nobody, and secrets are captured in clear.
    package var recipients: [Recipient]
    /// Who may sign snapshots, in the order of the file; nobody, and signatures are not asked for.
    package var signers: [SignerKey]
    /// The key that signs snapshots on this host, absolute after reading; nil when they are not signed.
    package var signingKey: FilePath?
    /// The components, in the order of the file.
    package var components: [Component]
    /// The directory of the policies, absolute after reading; nil for the built-in ones.
    package var policies: FilePath?
    /// The text of the file, empty for a description that was not read.
    package var text: String

    /// A description.
    package init(
        name: String, store: FilePath, recipients: [Recipient] = [], signers: [SignerKey] = [],
        signingKey: FilePath? = nil, components: [Component],
        policies: FilePath? = nil, text: String = ""
    ) {
        self.name = name
        self.store = store
        self.recipients = recipients
        self.signers = signers
        self.signingKey = signingKey
        self.components = components
        self.policies = policies
        self.text = text
    }

    /// The component of a name, nil when there is none.
    package func component(_ name: String) -> Component? {
        components.first { $0.name == name }
    }
}
