import AssayTesting
import Base
import HTTPTransport
import KubeCore
import Testing

@testable import KubeClient

@Suite struct TokenFileTests {
    @Test("catalogue 16: the token file is read again each minute, and a bad read keeps the old token") func rules() {
        var state = TokenFileState(initial: nil)
        #expect(state.step(now: 0) == .read)
        #expect(state.didRead(nil, now: 0) == nil)
        #expect(state.step(now: 0) == .read)
        #expect(state.didRead("one", now: 0) == "one")
        #expect(state.step(now: 59.9) == .use("one"))
        #expect(state.step(now: 60) == .read)
        #expect(state.didRead("", now: 60) == "one")
        #expect(state.step(now: 61) == .use("one"))
        #expect(state.step(now: 70) == .read)
        #expect(state.didRead(nil, now: 70) == "one")
        #expect(state.didRead("two", now: 80) == "two")
        #expect(state.step(now: 139) == .use("two"))
    }

    @Test("catalogue 16: a 401 drops the rejected token and no other") func refusal() {
        var state = TokenFileState(initial: "first")
        #expect(state.didRead("one", now: 0) == "one")
        state.rejected("first")
        #expect(state.step(now: 1) == .use("one"))
        state.rejected("one")
        #expect(state.step(now: 1) == .read)
        #expect(state.didRead(nil, now: 1) == nil)
    }

    @Test("catalogue 16: a token file that is rotated, empty, missing and rotated again: requests continue") func overTheWire() async throws {
        let accepted = Locked<Set<String>>(["Bearer one"])
        let server = try ScriptedServer { request in
            accepted.withLock { $0.contains(request.headers["authorization"] ?? "") }
                ? .json(["kind": "Pod"]) : .failure(401, reason: "Unauthorized")
        }
        let directory = try TemporaryDirectory()
        let path = try directory.write("token", "one\n")
        let time = ManualTime()
        var config = KubeConfig.direct(server: server.url)
        config.credential = .tokenFile(path: path, initial: nil)
        let client = KubeClient(config: config, time: time, log: Log("test", destination: Log.Destination.none))
        func get() async throws { _ = try await client.get(.pods, ObjectKey(namespace: "a", name: "x")) }

        try await get()
        // Rotated while the old one still works: the new one is used after a minute.
        accepted.withLock { _ = $0.insert("Bearer two") }
        try directory.write("token", "two")
        try await get()
        time.advance(seconds: 61)
        try await get()
        #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer one", "Bearer one", "Bearer two"])
        // Empty, then missing: the old token is kept.
        try directory.write("token", "")
        time.advance(seconds: 61)
        try await get()
        try directory.remove("token")
        time.advance(seconds: 61)
        try await get()
        #expect(server.requests.last?.headers["authorization"] == "Bearer two")
        // Rotated within the minute, and the old one rejected: the file is read at once, and the request is sent again.
        time.advance(seconds: 11)
        try directory.write("token", "three")
        accepted.withLock { $0 = ["Bearer three"] }
        try await get()
        #expect(server.requests.last?.headers["authorization"] == "Bearer three")
        // Rejected without a newer token: the 401 is returned after one attempt.
        accepted.withLock { $0 = [] }
        let before = server.requests.count
        let error = await #expect(throws: KubeError.self) { try await get() }
        #expect(error?.status?.isUnauthorized == true)
        #expect(server.requests.count == before + 1)
        // Dropped, and the file is missing: the error names the file, and the client recovers later.
        try directory.remove("token")
        _ = await #expect(throws: KubeError.self) { try await get() }
        let missing = await #expect(throws: KubeError.self) { try await get() }
        #expect("\(missing as Any)".contains(path))
        #expect("\(missing as Any)".contains("three") == false)
        try directory.write("token", "four")
        accepted.withLock { $0 = ["Bearer four"] }
        try await get()
    }
}

@Suite struct ExecPluginTests {
    /// A plugin that counts its runs in a file and runs `body`.
    private func plugin(_ directory: TemporaryDirectory, _ body: String, hint: String = "") throws -> ExecPlugin {
        let path = try directory.write(
            "plugin", "#!/bin/sh\necho run >> '\(directory.path)/runs'\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" > '\(directory.path)/info'\n\(body)\n",
            executable: true)
        return ExecPlugin(
            command: path, arguments: ["a b", "$c"], environment: ["WHO": "me"], installHint: hint,
            cluster: ["server": "https://h"])
    }

    private func credential(_ status: String) -> String {
        "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":\(status)}'"
    }

    private func runs(_ directory: TemporaryDirectory) throws -> Int {
        try KubeConfig.fileText(directory.path + "/runs").split(separator: "\n").count
    }

    @Test func aTokenIsReusedAndRenewedBeforeItExpires() async throws {
        let directory = try TemporaryDirectory()
        let time = ManualTime()
        let expiry = time.now().adding(seconds: 100).rfc3339
        let server = try ScriptedServer { _ in .json([:]) }
        var config = KubeConfig.direct(server: server.url)
        config.credential = .exec(try plugin(directory, credential(#"{"token":"t-'"$WHO$#$1"'","expirationTimestamp":"\#(expiry)"}"#)))
        let client = KubeClient(config: config, time: time)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await client.get(.pods, ObjectKey(namespace: "a", name: "x")) } }
            try await group.waitForAll()
        }
        #expect(Set(server.requests.map { $0.headers["authorization"] }) == ["Bearer t-me2a b"])
        #expect(try runs(directory) == 1)
        time.advance(seconds: 91)
        _ = try await client.get(.pods, ObjectKey(namespace: "a", name: "x"))
        #expect(try runs(directory) == 2)
        let info = try JSONValue(parsing: try FileReading.bytes(directory.path + "/info"))
        #expect(info.at("spec", "cluster", "server")?.string == "https://h")
        #expect(info["apiVersion"]?.string == "client.authentication.k8s.io/v1")
    }

    @Test func aRejectedTokenIsRenewed() async throws {
        let directory = try TemporaryDirectory()
        let server = try ScriptedServer { request in
            request.headers["authorization"] == "Bearer 1" ? .failure(401, reason: "Unauthorized") : .json([:])
        }
        var config = KubeConfig.direct(server: server.url)
        config.credential = .exec(
            try plugin(directory, "n=$(wc -l < '\(directory.path)/runs'); n=$((n))\n" + credential(#"{"token":"'$n'"}"#)))
        let client = KubeClient(config: config)
        _ = try await client.get(.pods, ObjectKey(namespace: "a", name: "x"))
        #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer 1", "Bearer 2"])
    }

    @Test(arguments: [
        ("echo no login >&2; echo secret; exit 3", "failed with exit status 3: no login"),
        ("echo secret", "its output is not an ExecCredential"),
        (
            #"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"secret"}}'"#,
            "but the kubeconfig names"
        ),
        (#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}'"#, "neither a token nor a certificate"),
        (
            #"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"clientKeyData":"secret"}}'"#,
            "certificate without its key"
        ),
    ]) func errorsContainNoSecrets(body: String, part: String) async throws {
        let directory = try TemporaryDirectory()
        let plugin = try plugin(directory, body)
        let error = await #expect(throws: KubeError.self) { try await plugin.run() }
        let text = "\(error as Any)"
        #expect(text.contains(plugin.command))
        #expect(text.contains(part))
        #expect(!text.contains("secret"))
    }

    @Test func theErrorForAMissingProgramHasTheHint() async throws {
        let plugin = ExecPlugin(command: "no-such-credential-plugin", installHint: "run: install it")
        let error = await #expect(throws: KubeError.self) { try await plugin.run() }
        #expect("\(error as Any)".contains("no-such-credential-plugin"))
        #expect("\(error as Any)".contains("run: install it"))
    }
}
