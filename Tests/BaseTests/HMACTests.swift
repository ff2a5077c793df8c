import Base
import Testing

@Suite struct HMACTests {
    /// RFC 4231, sections 4.2, 4.3, 4.4 and 4.7.
    @Test(arguments: [
        ([UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func vectors(key: [UInt8], message: [UInt8], code: String) {
        let found = HMAC.code(of: message, key: key)
        #expect(hex(found) == code)
        #expect(HMAC.isValid(found, of: message, key: key))
        #expect(!HMAC.isValid(found.dropLast(), of: message, key: key))
        #expect(!HMAC.isValid(found, of: message + [0], key: key))
        #expect(!HMAC.isValid(found.dropLast() + [found[31] ^ 1], of: message, key: key))
    }

    @Test("base64 for URLs: one text for the same bytes, and no other text is read")
    func urlAlphabet() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 67 &+ 190) }
            let text = Base64.encodeURL(bytes)
            #expect(!text.contains("+") && !text.contains("/") && !text.contains("="))
            #expect(Base64.decodeURL(text) == bytes)
        }
        #expect(Base64.encodeURL([0xfb, 0xff]) == "-_8")
        // The last has bits that belong to no byte.
        for bad in ["-_8=", "+/8", "-_ 8", "a", "-_9"] { #expect(Base64.decodeURL(bad) == nil, "\(bad)") }
    }
}
