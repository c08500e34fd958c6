internal import Cryptography
internal import FoundationEssentials
internal import Judge

/// The signature of an `update-center.json`, checked as Jenkins checks it: the chain of its certificates leads to a root that
/// is trusted for this alone, and the first of them signed the file with RSA and SHA-512.
///
/// Stricter than Jenkins: SHA-1 alone, and a certificate that has expired, are not enough.
enum UpdateCenterSignature {
    /// Why a file is not believed.
    struct Refused: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    private struct Block: Decodable {
        var certificates: [String]
        var signature: String?

        enum CodingKeys: String, CodingKey {
            case certificates
            case signature = "correct_signature512"
        }
    }

    /// Throws when a file, with or without its wrapper of JavaScript, is not signed as it must be.
    static func check(_ file: [UInt8], roots: [Certificate]) throws(Refused) {
        let canonical: CanonicalJSON
        do {
            canonical = try CanonicalJSON(PluginCatalog.unwrapped(file), without: "signature")
        } catch {
            throw Refused(description: "\(error)")
        }
        guard let member = canonical.member else { throw Refused(description: "it is not signed") }
        let block: Block
        do {
            block = try JSONDecoder().decode(Block.self, from: Data(member))
        } catch {
            throw Refused(description: "its signature cannot be read: \(error)")
        }
        guard let signature = block.signature else {
            throw Refused(description: "it is not signed with SHA-512")
        }
        var chain: [Certificate] = []
        for text in block.certificates {
            guard let bytes = Data(base64Encoded: text), let certificate = Certificate(Array(bytes)) else {
                throw Refused(description: "certificate \(chain.count + 1) of its signature is none")
            }
            chain.append(certificate)
        }
        if let fault = Certificate.fault(of: chain, roots: roots) {
            throw Refused(description: "its certificate leads to no root that is trusted: \(fault)")
        }
        guard chain.allSatisfy(\.isInTime) else {
            throw Refused(description: "its certificate has expired, or is not valid yet")
        }
        guard let signer = chain.first,
            decoded(signature).contains(where: { signer.signed(canonical.bytes, with: $0) })
        else { throw Refused(description: "it is not what the holder of its certificate has signed") }
    }

    /// What a text may stand for: Jenkins takes both spellings.
    private static func decoded(_ text: String) -> [[UInt8]] {
        [bytes(hex: text.utf8), Data(base64Encoded: text).map { Array($0) }].compactMap { $0 }
    }
}
