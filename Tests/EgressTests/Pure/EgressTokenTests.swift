import AssayTesting
import Base
import Testing

@testable import Egress

@Suite("Tokens of the egress proxy")
struct EgressTokenTests {
    static func key(_ byte: UInt8) throws -> SigningKey { try #require(SigningKey(Array(repeating: byte, count: 32))) }

    static func token(_ grant: EgressGrant = .everyPublicHost, expires: Int64 = 2_000_000_000) throws -> EgressToken {
        try EgressToken(run: "0123456789abcdef", phase: "execute", step: "second", grant: grant, expires: Timestamp(seconds: expires))
    }

    @Test(
        "a token says what was signed, in letters that a URL needs not escape",
        arguments: [
            [], ["example.com"], ["*.example.com:8443", "10.0.0.0/8", "2001:db8::1", "[2001:db8::1]:443"],
            (0..<200).map { "host-\($0).example.com" },
        ])
    func roundTrip(hosts: [String]) throws {
        for everyPublicHost in [true, false] {
            let token = try Self.token(EgressGrant(everyPublicHost: everyPublicHost, hosts: try hosts.map { try HostPattern($0) }))
            let text = try token.signed(with: Self.key(1))
            #expect(
                text.utf8.allSatisfy { $0 >= 0x61 && $0 <= 0x7A || $0 >= 0x41 && $0 <= 0x5A || $0 >= 0x30 && $0 <= 0x39 || ".-_".utf8.contains($0) })
            #expect(try EgressToken(verifying: text, keys: [Self.key(1)]) == token)
        }
    }

    @Test func duringARotationBothKeysCount() throws {
        let text = try Self.token().signed(with: Self.key(1))
        #expect(try EgressToken(verifying: text, keys: [Self.key(2), Self.key(1)]) == Self.token())
        #expect(throws: EgressTokenError.wrongSignature) { try EgressToken(verifying: text, keys: [Self.key(2), Self.key(3)]) }
        #expect(throws: EgressTokenError.wrongSignature) { try EgressToken(verifying: text, keys: []) }
    }

    @Test func whatWasChangedIsRefused() throws {
        let text = try Self.token(.none).signed(with: Self.key(1))
        let other = try Self.token().signed(with: Self.key(1))
        let (parts, otherParts) = (text.split(separator: "."), other.split(separator: "."))
        #expect(throws: EgressTokenError.wrongSignature) { try EgressToken(verifying: "e1.\(otherParts[1]).\(parts[2])", keys: [Self.key(1)]) }
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
            #expect(throws: EgressTokenError.self) { try EgressToken(verifying: changed, keys: [Self.key(1)]) }
        }
        for end in ["", ".", "=", " ", ".x", "\n"] {
            #expect(throws: EgressTokenError.self) { try EgressToken(verifying: text + (end.isEmpty ? "A" : end), keys: [Self.key(1)]) }
        }
    }

    @Test(
        "what is no token",
        arguments: [
            ("", .malformed), ("e1", .malformed), ("e1..", .wrongSignature), ("e2.a.b", .unknownVersion), ("x1.a.b", .malformed),
            ("e1.a.%%", .malformed),
            (String(repeating: "a", count: 20_000), .tooLarge),
        ] as [(String, EgressTokenError)])
    func refuses(text: String, error: EgressTokenError) {
        #expect(throws: error) { try EgressToken(verifying: text, keys: [Self.key(1)]) }
    }

    @Test func whatASignedTokenCannotSayIsRefused() throws {
        for run in ["", "a/b", "a b", String(repeating: "a", count: 65), "ä"] {
            #expect(throws: EgressTokenError.malformed) {
                try EgressToken(run: run, phase: "execute", grant: .none, expires: Timestamp(seconds: 1))
            }
        }
        let many = EgressGrant.only(try (0..<2000).map { try HostPattern("host-\($0).example.com") })
        #expect(throws: EgressTokenError.tooLarge) { try Self.token(many).signed(with: Self.key(1)) }
        #expect(SigningKey(Array(repeating: 1, count: 31)) == nil)
    }

    @Test func expiryIsInWholeSeconds() throws {
        let token = try EgressToken(run: "r", phase: "p", grant: .none, expires: Timestamp(seconds: 100, nanoseconds: 5))
        #expect(!token.isExpired(at: Timestamp(seconds: 99, nanoseconds: 999_999_999)))
        #expect(token.isExpired(at: Timestamp(seconds: 100)))
    }

    @Test func keyFilesAreReadAgain() throws {
        let folder = "/tmp/assay-keys-\(UInt64.random(in: 0...UInt64.max))"
        try Directory.make(folder)
        defer { _ = Directory.removeTree(folder) }
        let time = ManualTime()
        #expect(throws: SigningKeyFileError.self) { try SigningKeyFiles(["\(folder)/missing"]) }
        try FileWriting.write(Array(repeating: 1, count: 31), to: "\(folder)/a")
        let short = #expect(throws: SigningKeyFileError.self) { try SigningKeyFiles(["\(folder)/a"]) }
        #expect(short?.description.contains("at least 32") == true)
        try FileWriting.write(Array(repeating: 1, count: 32), to: "\(folder)/a")
        let files = try SigningKeyFiles(["\(folder)/a"], time: time, log: Log("test", destination: Log.Destination.none))
        #expect(files.keys() == [try Self.key(1)])
        try FileWriting.write(Array(repeating: 2, count: 32), to: "\(folder)/a")
        #expect(files.keys() == [try Self.key(1)])
        time.advance(seconds: 6)
        #expect(files.keys() == [try Self.key(2)])
        try FileWriting.write([], to: "\(folder)/a")
        time.advance(seconds: 6)
        #expect(files.keys() == [try Self.key(2)], "a file that is broken for a moment takes no keys away")
    }
}
