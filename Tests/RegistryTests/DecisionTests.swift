import Base
import Testing

@testable import Registry

@Suite struct RegistryDecisionTests {
    @Test("what a registry asks for")
    func challenges() {
        #expect(AuthChallenge(["Basic realm=\"test\""], usesTLS: true) == .basic)
        #expect(
            AuthChallenge(["Bearer realm=\"https://auth.example.com/token\",service=\"registry\",scope=\"repository:a/b:pull,push\""], usesTLS: true)
                == .bearer(realm: "https://auth.example.com/token", service: "registry", scope: "repository:a/b:pull,push"))
        #expect(
            AuthChallenge(["Negotiate", "bearer realm=https://a.b/t"], usesTLS: true) == .bearer(realm: "https://a.b/t", service: nil, scope: nil))
        // A login that came to the registry by TLS goes nowhere in clear text.
        let plain = ["Bearer realm=\"http://auth.example.com/token\""]
        #expect(AuthChallenge(plain, usesTLS: true) == nil)
        #expect(AuthChallenge(plain, usesTLS: false) == .bearer(realm: "http://auth.example.com/token", service: nil, scope: nil))
        for nothing in [[], ["Bearer"], ["Bearer realm=\"file:///etc/passwd\""], ["Bearer realm=\"unended"], ["Digest x=1"], ["Bearer =,=,,"]] {
            #expect(AuthChallenge(nothing, usesTLS: false) == nil, "\(nothing)")
        }
    }

    @Test("logins of a Secret, by host")
    func logins() throws {
        let json = """
            {"auths": {"https://index.docker.io/v1/": {"auth": "\(Base64.encode(Array("hub:a:b".utf8)))"},
             "registry.example.com:5000": {"username": "u", "password": "p"}, "token.example.com": {"identitytoken": "t"}, "empty.example.com": {}}}
            """
        let credentials = try RegistryCredentials(dockerConfig: json.utf8)
        #expect(credentials.login(for: "docker.io")?.password == "a:b")
        #expect(credentials.login(for: "registry.example.com:5000")?.user == "u")
        #expect(credentials.login(for: "token.example.com")?.identityToken == "t")
        for host in ["registry.example.com", "empty.example.com", "example.com"] { #expect(credentials.login(for: host) == nil) }
    }

    @Test(
        "what is no file of logins is refused",
        arguments: ["", "[]", "{}", #"{"auths": {"a.b": {"auth": "%"}}}"#, #"{"auths": {"a.b": {"auth": "YWI="}}}"#])
    func badLogins(text: String) {
        #expect(throws: RegistryCredentials.Invalid.self) { try RegistryCredentials(dockerConfig: text.utf8) }
    }

    @Test("an archive is read without unpacking it, also with long names")
    func archive() async throws {
        try await TestImage.withFolder { folder in
            let image = try await TestImage(in: folder, layer: Array("layer".utf8))
            let archive = try OCIArchive(image.archive)
            #expect(archive.blobs.count == 2)
            #expect(try archive.read(archive.blobs[1].digest, 1..<4) == Array("aye".utf8))
            #expect("sha256:" + SHA256.hex(of: archive.manifest) == image.digest)
        }
    }

    @Test("what is no image is an error, not a crash", arguments: ["text", "empty", "cut", "blob", "size"])
    func damaged(how: String) async throws {
        try await TestImage.withFolder { folder in
            let image = try await TestImage(in: folder, layer: Array("layer".utf8)) { manifest in
                if how == "blob" { manifest["config"] = ["digest": .string("sha256:" + String(repeating: "0", count: 64)), "size": 5] }
            }
            var bytes = try FileReading.bytes(image.archive)
            switch how {
            case "text":
                bytes =
                    Array("no archive at all, but a text that is longer than the header of a tar file is\n".utf8) + [UInt8](repeating: 65, count: 600)
            case "empty": bytes = []
            case "cut": bytes = Array(bytes.prefix(700))
            case "size": for index in 124..<136 { bytes[index] = 0xFF }
            default: break
            }
            try FileWriting.replace(image.archive, with: bytes, durable: false)
            #expect(throws: (any Error).self) { try OCIArchive(image.archive) }
        }
    }
}
