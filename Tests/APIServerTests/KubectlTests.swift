import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

/// The kubectl to test with: `KUBECTL`, or the one in PATH.
private let kubectl = ProcessInfo.processInfo.environment["KUBECTL"] ?? "kubectl"

@Suite("kubectl against the API server")
struct KubectlTests {
    private struct Session {
        let server: ServerUnderTest
        let directory: String

        func command(_ arguments: String..., input: JSONValue? = nil) -> Command { command(arguments, input) }

        func command(_ arguments: [String], _ input: JSONValue?) -> Command {
            Command(
                kubectl, ["--server", server.url, "--cache-dir", directory + "/cache"] + arguments,
                environment: .inheriting(adding: ["HOME": directory, "KUBECONFIG": directory + "/none"]),
                standardInput: input.map { .bytes($0.serialized()) } ?? .none, deadlineSeconds: 60)
        }

        @discardableResult
        func callAsFunction(_ arguments: String..., input: JSONValue? = nil) async throws -> (ok: Bool, out: String, err: String) {
            let result = try await command(arguments, input).run()
            return (result.succeeded, result.stdoutText, result.stderrText)
        }
    }

    private func withKubectl(_ body: (Session) async throws -> Void) async throws {
        try await withDirectory { directory in
            try await withServer { server in try await body(Session(server: server, directory: directory)) }
        }
    }

    @Test("a custom resource's life: apply, get, describe, watch, wait, explain, delete")
    func customResource() async throws {
        try await withKubectl { kubectl in
            let defined = try await kubectl("apply", "-f", "-", input: thingDefinition)
            #expect(defined.ok && defined.out.contains("created"), "\(defined.err)")
            let established = try await kubectl(
                "wait", "--for=condition=established", "crd/things.test.assay.dev", "--timeout=50s")
            #expect(established.ok, "\(established.err)")
            #expect(try await kubectl("apply", "-f", "-", input: thing("a")).out == "thing.test.assay.dev/a created\n")
            #expect(try await kubectl("apply", "-f", "-", input: thing("a")).out == "thing.test.assay.dev/a unchanged\n")
            #expect(
                try await kubectl("apply", "-f", "-", input: thing("a", ["colour": "blue"])).out
                    == "thing.test.assay.dev/a configured\n")
            let columns = try await kubectl("get", "things").out.split(separator: "\n").map {
                $0.split(separator: " ").map(String.init)
            }
            #expect(columns.first == ["NAME", "COLOUR", "READY", "AGE"])
            #expect(columns.last?.prefix(2) == ["a", "blue"])
            let yaml = try await kubectl("get", "th", "a", "-o", "yaml").out
            #expect(yaml.contains("colour: blue") && yaml.contains("size: 3"))
            let described = try await kubectl("describe", "thing", "a")
            #expect(described.ok && described.out.contains("Colour:  blue"), "\(described.err)")
            #expect(try await kubectl("label", "thing", "a", "x=y").ok)
            #expect(try await kubectl("get", "things", "-l", "x=y", "-o", "name").out == "thing.test.assay.dev/a\n")
            let explained = try await kubectl("explain", "thing.spec")
            #expect(
                explained.ok && explained.out.contains("Its colour.") && explained.out.contains("enum: red, green, blue"),
                "\(explained.err)")
            async let waited = kubectl("wait", "--for=condition=Ready", "thing/a", "--timeout=50s")
            let ready: JSONValue = ["status": ["phase": "Done", "conditions": [["type": "Ready", "status": "True"]]]]
            #expect(try await kubectl("patch", "thing", "a", "--subresource=status", "--type=merge", "-p", ready.text).ok)
            let result = try await waited
            #expect(result.ok && result.out.contains("condition met"), "\(result.err)")
            #expect(try await kubectl("get", "thing", "a", "-o", "jsonpath={.status.phase}").out == "Done")
            let gone = try await kubectl("delete", "thing", "a")
            #expect(gone.ok && gone.out.contains("deleted"), "\(gone.err)")
            #expect(try await kubectl("delete", "crd", "things.test.assay.dev").ok)
        }
    }

    @Test("an invalid object is refused with the path of the field")
    func refused() async throws {
        try await withKubectl { kubectl in
            try await kubectl("apply", "-f", "-", input: thingDefinition)
            let pink = try await kubectl("apply", "-f", "-", input: thing("a", ["colour": "pink"]))
            #expect(!pink.ok && pink.err.contains("spec.colour: Unsupported value: \"pink\""), "\(pink.err)")
            let unknown = try await kubectl("apply", "-f", "-", input: thing("a", ["color": "red"]))
            #expect(!unknown.ok && unknown.err.contains("unknown field \"spec.color\""), "\(unknown.err)")
        }
    }

    @Test("get -w shows a change at once")
    func watch() async throws {
        try await withKubectl { kubectl in
            try await kubectl("apply", "-f", "-", input: thingDefinition)
            try await kubectl("apply", "-f", "-", input: thing("a"))
            let output = Locked<[UInt8]>([])
            let rows = { @Sendable () -> [String] in
                String(decoding: output.withLock { $0 }, as: UTF8.self).split(separator: "\n").map {
                    $0.split(separator: " ").prefix(2).joined(separator: " ")
                }
            }
            let watching = try RunningCommand.start(
                kubectl.command("get", "things", "-w", "--no-headers"), onStdout: { bytes in output.withLock { $0 += bytes } })
            #expect(await eventually { rows() == ["a red"] })
            _ = try await kubectl.server.merge("\(things)/a", ["spec": ["colour": "green"]])
            #expect(await eventually { rows() == ["a red", "a green"] })
            watching.signal(SIGTERM)
            _ = await watching.wait()
        }
    }

    @Test("server-side apply, with a conflict and by force")
    func serverSide() async throws {
        try await withKubectl { kubectl in
            try await kubectl("apply", "-f", "-", input: thingDefinition)
            #expect(
                try await kubectl("apply", "--server-side", "-f", "-", input: thing("a")).out
                    == "thing.test.assay.dev/a serverside-applied\n")
            try await kubectl("patch", "thing", "a", "--type=merge", "-p", "{\"spec\":{\"colour\":\"blue\"}}")
            let refused = try await kubectl("apply", "--server-side", "-f", "-", input: thing("a"))
            #expect(!refused.ok && refused.err.contains("conflict with \"kubectl-patch\""), "\(refused.err)")
            #expect(try await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input: thing("a")).ok)
        }
    }

    @Test("built-in kinds: kinds that kubectl sends as protobuf, pods and their logs, namespaces, events")
    func builtin() async throws {
        try await withKubectl { kubectl in
            for command in [
                ["create", "configmap", "c", "--from-literal=a=b"], ["create", "secret", "generic", "s", "--from-literal=a=b"],
                ["create", "namespace", "n"], ["create", "serviceaccount", "sa"],
                ["create", "role", "r", "--verb=get", "--resource=pods"],
                ["create", "rolebinding", "rb", "--role=r", "--serviceaccount=default:sa"], ["auth", "can-i", "create", "pods"],
                ["get", "all,cm,secret,sa,role,rolebinding,events,leases", "-A"], ["api-resources"], ["api-versions"],
                ["version"],
                ["explain", "pod.spec.containers"], ["delete", "namespace", "n"],
            ] {
                let result = try await kubectl.command(command, nil).run()
                #expect(result.succeeded, "kubectl \(command.joined(separator: " ")): \(result.stderrText)")
            }
            #expect(try await kubectl("get", "secret", "s", "-o", "jsonpath={.data.a}").out == "Yg==")
            let made = try await kubectl("apply", "-f", "-", input: pod("p"))
            #expect(made.ok, "\(made.err)")
            let listed = try await kubectl("get", "pods", "--no-headers").out.split(separator: " ").prefix(4)
            #expect(listed == ["p", "0/1", "Pending", "0"])
            #expect(try await kubectl("describe", "pod", "p").ok)
            #expect(try await kubectl("apply", "-f", "-", input: pod("p")).out == "pod/p unchanged\n")
            #expect(try await kubectl("set", "image", "pod/p", "trial=localhost/t:2").ok)
            let immutable = try await kubectl("patch", "pod", "p", "-p", "{\"spec\":{\"restartPolicy\":\"Always\"}}")
            #expect(!immutable.ok && immutable.err.contains("spec: Forbidden: pod updates may not change fields"))
            #expect(try await kubectl("delete", "pod", "p", "--force", "--grace-period=0").ok)
        }
    }
}
