import Base
import Glibc
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

    @Test("a layer of more than 8 GiB, whose size is in a pax header, as Go's tar writes it")
    func largeLayer() async throws {
        try await TestImage.withFolder { folder in
            func header(_ name: String, _ type: Character, size: Int) -> [UInt8] {
                var block = [UInt8](repeating: 0, count: 512)
                block.replaceSubrange(0..<name.utf8.count, with: name.utf8)
                let digits = String(size, radix: 8)
                block.replaceSubrange(124..<135, with: (String(repeating: "0", count: 11 - digits.count) + digits).utf8)
                block[156] = type.asciiValue ?? 0
                return block
            }
            let (size, records) = (9 << 30, "18 path=blobs/big\n19 size=9663676416\n")
            try #require(records.utf8.count == 18 + 19)
            let path = "\(folder)/large.tar"
            let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            try #require(fd >= 0)
            defer { close(fd) }
            func write(_ bytes: [UInt8], at offset: Int) {
                #expect(bytes.withUnsafeBytes { pwrite(fd, $0.baseAddress, $0.count, offset) } == bytes.count)
            }
            write(header("PaxHeaders/big", "x", size: records.utf8.count) + Array(records.utf8), at: 0)
            write(header("big", "0", size: 0), at: 1024)
            write(header("./after", "0", size: 3) + Array("end".utf8), at: 1536 + size)
            #expect(ftruncate(fd, off_t(1536 + size + 1024 + 1024)) == 0)
            #expect(try TarIndex.entries(of: fd, path) == ["blobs/big": 1536..<(1536 + size), "after": (2048 + size)..<(2051 + size)])
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
