import SystemPackage
import Testing

@testable import Shadow

@Suite struct BoundSocketsTests {
    @Test func theKernelsListIsRead() {
        let text = """
            Num       RefCount Protocol Flags    Type St Inode Path
            000000000a1f91f5: 00000003 00000000 00000000 0001 03 3319202
            0000000039eada40: 00000002 00000000 00010000 0001 01    12 /usr/lib/acme/a door
            0000000039eada41: 00000003 00000000 00000000 0001 03  3319 /usr/lib/acme/a door
            0000000039eada42: 00000002 00000000 00000000 0002 01 33191 @abstract
            0000000039eada43: 00000002 00000000 00000000 0002 01 33192 run/relative
            0000000039eada44: 00000002 00000000 00010000 0001 01 33193 /run/acme.sock

            """
        #expect(BoundSockets(list: Array(text.utf8)).paths == ["/run/acme.sock", "/usr/lib/acme/a door"])
    }
}
