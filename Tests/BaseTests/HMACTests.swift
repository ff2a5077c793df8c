import Base
import Testing

@Suite("HMAC-SHA256 and base64url")
struct HMACTests {
    /// RFC 4231.
    @Test(
        arguments: [
            (Array(repeating: UInt8(0x0B), count: 20), Array("Hi There".utf8), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (Array("Jefe".utf8), Array("what do ya want for nothing?".utf8), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Array(repeating: UInt8(0xAA), count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ] as [([UInt8], [UInt8], String)])
    func vectors(key: [UInt8], message: [UInt8], code: String) {
        let made = HMACSHA256.code(for: message, key: key)
        #expect(hex(made) == code)
        #expect(HMACSHA256.isValid(made, for: message, key: key))
        #expect(!HMACSHA256.isValid(made.dropLast(), for: message, key: key))
        #expect(!HMACSHA256.isValid(made, for: message + [0], key: key))
    }

    @Test func base64url() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 251) }
            let text = Base64URL.encode(bytes)
            #expect(!text.contains { "+/=".contains($0) })
            #expect(Base64URL.decode(text) == bytes)
        }
        for bad in ["A", "AB=", "A+", "A/", "AB\n", "AB CD", "AAB"] { #expect(Base64URL.decode(bad) == nil, "\(bad)") }
    }

    @Test(arguments: [
        "::-1", "::+1", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1", "1:", "::1%eth0", "12345::", "1.2.3.4.5", "1.2.3", "01.2.3.4", "1.2.3.256", "::1.2.3",
        "",
    ])
    func noAddresses(text: String) { #expect(IPAddress(text) == nil) }
}
