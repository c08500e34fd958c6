import FileTree
import SystemPackage
import Testing

@Suite struct MountPointsTests {
    @Test func theKernelsLinesAreReadWithTheirEscapes() {
        let text = #"""
            24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            41 24 8:1 /shared /srv/home/with\040space rw - ext4 /dev/sda1 rw
            42 24 0:5 / /srv/a\134b\011c\012d rw - tmpfs none rw
            """#
        #expect(
            MountPoints.parsed(Array(text.utf8)) == ["/", "/srv/home/with space", "/srv/a\\b\tc\nd"])
    }

    @Test func thisProcessHasARoot() throws {
        #expect(try MountPoints.all().contains("/"))
    }
}
