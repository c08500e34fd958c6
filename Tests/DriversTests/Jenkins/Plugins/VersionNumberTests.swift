import FileTree
import FoundationEssentials
import SystemPackage
import Testing

@testable import Drivers

/// Versions as Jenkins' own class compared them (Tests/Fixtures/jenkins-versions.json).
@Suite struct VersionNumberTests {
    struct Vector: Decodable {
        var a: String
        var b: String
        var cmp: Int
        var rev: Int
    }

    @Test func everyObservedComparisonAgrees() throws {
        let path = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
            .removingLastComponent()
            .appending("Fixtures/jenkins-versions.json")
        let vectors = try JSONDecoder().decode([Vector].self, from: Data(try Files.read(path)))
        #expect(vectors.count == 83)
        for vector in vectors {
            let left = VersionNumber(vector.a)
            let right = VersionNumber(vector.b)
            #expect(
                left.compared(to: right).signum() == vector.cmp.signum(), "\(vector.a) against \(vector.b)")
            #expect(
                right.compared(to: left).signum() == vector.rev.signum(), "\(vector.b) against \(vector.a)")
        }
    }

    @Test func comparisonIsAntisymmetricForRealVersions() {
        let versions = [
            "1.0", "2.462.3", "4009.v0089238351a_9", "2.18.3-396.v93cc2d00b_b_7b_", "1.33", "5.5.1-4",
            "5.2.1",
            "20241224-119.va_dca_1", "1.2-SNAPSHOT", "1.2-rc1",
        ].map { VersionNumber($0) }
        for left in versions {
            for right in versions {
                #expect(left.compared(to: right).signum() == -right.compared(to: left).signum())
            }
        }
    }

    /// Found by comparing 40,000 random pairs with Jenkins' own class.
    @Test(arguments: [
        (" ", "-SNAPSHOT", -1), ("-b+", "0 betaSNAPSHOT1.", 1), ("ea2bfinal.m", "m (x)", 1),
        ("alpha", "-20170207.105042-1", -1), ("-2a1", "0v10b0", 1), ("m (x)easpga", "cr", -1),
        ("-SNAPSHOTea", "2*rc", 1),
    ])
    func marksAtTheBeginningAndBlanksAreReadAsJenkinsReadsThem(_ left: String, _ right: String, _ order: Int)
    {
        #expect(VersionNumber(left).compared(to: VersionNumber(right)).signum() == order)
    }
}
