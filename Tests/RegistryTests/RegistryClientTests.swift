import AssayTesting
import Base
import Testing

@testable import Registry

/// Against Debian's docker-registry.
@Suite struct RegistryClientTests {
    private func client(_ registry: ImageRegistry, password: String? = nil) throws -> RegistryClient {
        RegistryClient(
            try ImageRepository(parsing: registry.repository("team/tasks")),
            credentials: try password.map { try RegistryCredentials(dockerConfig: registry.dockerConfig(password: $0).utf8) } ?? .none,
            authorities: registry.authority.isEmpty ? nil : registry.authority)
    }

    @Test(
        "an image is stored, found by its tag, and stored again without sending its layers",
        arguments: [(false, false), (true, false), (false, true), (true, true)])
    func push(login: Bool, tls: Bool) async throws {
        try await TestImage.withFolder { folder in
            let registry = try await ImageRegistry(directory: "\(folder)/registry", .init(login: login, tls: tls))
            let client = try client(registry, password: login ? "open-sesame" : nil)
            #expect(try await client.digest(ofTag: "one") == nil)
            // More than one piece, and not a multiple of it.
            let image = try await TestImage(in: folder, layer: [UInt8](repeating: 7, count: RegistryClient.pieceBytes * 2 + 12345))
            let digest = try await client.push(try OCIArchive(image.archive), tag: "one")
            #expect(digest == image.digest)
            #expect(try await client.digest(ofTag: "one") == digest)
            let uploads = registry.requests.count { $0.contains("blobs/uploads") }
            #expect(uploads > 0)
            #expect(try await client.push(try OCIArchive(image.archive), tag: "two") == digest)
            #expect(registry.requests.count { $0.contains("blobs/uploads") } == uploads)
            await registry.stop()
        }
    }

    @Test("a text beside an image")
    func text() async throws {
        try await TestImage.withFolder { folder in
            let registry = try await ImageRegistry(directory: "\(folder)/registry")
            let client = try client(registry)
            #expect(try await client.text(ofTag: "a.log") == nil)
            try await client.push(text: "STEP 1/2: FROM scratch\nümlaut\n", tag: "a.log")
            #expect(try await client.text(ofTag: "a.log") == "STEP 1/2: FROM scratch\nümlaut\n")
            await registry.stop()
        }
    }

    @Test("a registry that refuses the login says so, and one that is down is unavailable")
    func refused() async throws {
        try await TestImage.withFolder { folder in
            let registry = try await ImageRegistry(directory: "\(folder)/registry", .init(login: true))
            let image = try await TestImage(in: folder, layer: [1, 2, 3])
            for password in [nil, "wrong"] {
                let client = try client(registry, password: password)
                let error = await #expect(throws: RegistryError.self) { try await client.push(try OCIArchive(image.archive), tag: "x") }
                #expect(error?.kind == .denied && error?.description.contains("HTTP 401 (unauthorized)") == true, "\(error as Any)")
                #expect((error?.description.contains("there is no login for \(registry.address)") == true) == (password == nil))
                await #expect(throws: RegistryError.self) { try await client.digest(ofTag: "x") }
            }
            await registry.stop()
            let error = await #expect(throws: RegistryError.self) { try await client(registry).digest(ofTag: "x") }
            #expect(error?.kind == .unavailable, "\(error as Any)")
        }
    }

    @Test("a certificate of another authority is not trusted")
    func authority() async throws {
        try await TestImage.withFolder { folder in
            let registry = try await ImageRegistry(directory: "\(folder)/registry", .init(tls: true))
            let stranger = RegistryClient(try ImageRepository(parsing: registry.repository("team/tasks")))
            let error = await #expect(throws: RegistryError.self) { try await stranger.digest(ofTag: "x") }
            #expect(error?.kind == .unavailable)
            await registry.stop()
        }
    }
}
