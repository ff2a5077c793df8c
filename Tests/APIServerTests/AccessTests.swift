import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

@Suite("Who may do what")
struct AccessTests {
    private let accounts = "/api/v1/namespaces/default/serviceaccounts"

    /// A server with a token, and a token of a new service account in `default`.
    private func withAccount(_ rules: JSONValue, cluster: Bool = false, _ body: (ServerUnderTest, ServerUnderTest) async throws -> Void) async throws
    {
        let admin = try await ServerUnderTest.start(token: "the-servers-own-token-of-32-bytes")
        let result: Result<Void, any Error>
        do {
            let account: JSONValue = ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "worker"]]
            #expect(try await admin.send("POST", accounts, account).status == 201)
            let (role, place) = (cluster ? "ClusterRole" : "Role", cluster ? "" : "/namespaces/default")
            let rbac = "/apis/rbac.authorization.k8s.io/v1\(place)"
            let api = "rbac.authorization.k8s.io"
            let made = try await admin.send(
                "POST", "\(rbac)/\(role.lowercased())s",
                ["apiVersion": "\(api)/v1", "kind": .string(role), "metadata": ["name": "r"], "rules": rules])
            #expect(made.status == 201, "\(made.message)")
            let binding: JSONValue = [
                "apiVersion": "\(api)/v1", "kind": .string("\(role)Binding"), "metadata": ["name": "b"],
                "roleRef": ["apiGroup": .string(api), "kind": .string(role), "name": "r"],
                "subjects": [["kind": "ServiceAccount", "name": "worker", "namespace": "default"]],
            ]
            #expect(try await admin.send("POST", "\(rbac)/\(role.lowercased())bindings", binding).status == 201)
            let issued = try await admin.send(
                "POST", "\(accounts)/worker/token", ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": [:]])
            #expect(issued.status == 201, "\(issued.message)")
            var worker = admin
            worker.token = try #require(issued.json.at("status", "token")?.string)
            result = .success(try await body(admin, worker))
        } catch {
            result = .failure(error)
        }
        await admin.server.stop()
        try result.get()
    }

    @Test("a service account may do what its role allows, in its namespace, and nothing else")
    func role() async throws {
        let rules: JSONValue = [
            ["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]],
            ["apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]],
            ["apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["mine"]],
        ]
        try await withAccount(rules) { admin, worker in
            let answer1 = try await worker.send("POST", configMaps, configMap("a"))
            #expect(answer1.status == 201)
            let answer2 = try await worker.get("\(configMaps)/a")
            #expect(answer2.status == 200)
            let listed = try await worker.get(configMaps)
            #expect(listed.status == 403)
            #expect(
                listed.message
                    == "configmaps is forbidden: User \"system:serviceaccount:default:worker\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
            )
            let answer3 = try await worker.send("DELETE", "\(configMaps)/a")
            #expect(answer3.status == 403)
            let answer4 = try await worker.get("/api/v1/namespaces/kube-system/configmaps/a")
            #expect(answer4.status == 403)
            let nodes = try await worker.get("/api/v1/nodes")
            #expect(nodes.message.hasSuffix("cannot list resource \"nodes\" in API group \"\" at the cluster scope"), "\(nodes.message)")
            let answer5 = try await worker.get("/api/v1/namespaces/default/secrets/mine")
            #expect(answer5.status == 404)
            let answer6 = try await worker.get("/api/v1/namespaces/default/secrets/other")
            #expect(answer6.status == 403)
            let answer7 = try await worker.get("/api/v1/namespaces/default/pods/p/log")
            #expect(answer7.status == 404)
            let answer8 = try await worker.get("/api/v1/namespaces/default/pods/p")
            #expect(answer8.status == 403)
            // What every client reads first.
            for path in ["/api", "/apis", "/version", "/openapi/v3"] { #expect(try await worker.get(path).status == 200, "\(path)") }
            // Whoever has the server's own token may do everything.
            #expect(try await admin.get(configMaps).status == 200)
        }
    }

    @Test("a cluster role holds in every namespace; a role allows to read its own namespace")
    func clusterRole() async throws {
        let rules: JSONValue = [["apiGroups": [""], "resources": ["configmaps", "namespaces"], "verbs": ["list", "get"]]]
        try await withAccount(rules, cluster: true) { _, worker in
            for path in ["/api/v1/configmaps", "/api/v1/namespaces/kube-system/configmaps", "/api/v1/namespaces"] {
                let answer9 = try await worker.get(path)
                #expect(answer9.status == 200, "\(path)")
            }
        }
        try await withAccount(rules) { _, worker in
            let answer10 = try await worker.get("/api/v1/namespaces/default")
            #expect(answer10.status == 200)
            let answer11 = try await worker.get("/api/v1/namespaces/kube-system")
            #expect(answer11.status == 403)
            let answer12 = try await worker.get("/api/v1/namespaces")
            #expect(answer12.status == 403)
        }
    }

    @Test("a token that was changed, that belongs to a deleted account, or that is for another audience is refused")
    func badTokens() async throws {
        try await withAccount([]) { admin, worker in
            let token = try #require(worker.token)
            #expect(
                try await worker.send(
                    "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                    ["apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"]
                ).status == 201)
            var bad = worker
            for text in [token + "x", String(token.dropLast()), token.split(separator: ".").prefix(2).joined(separator: "."), "a.b.c", ""] {
                bad.token = text
                #expect(try await bad.get("/api").status == 401, "\(text.prefix(20))")
            }
            let other = try await admin.send(
                "POST", "\(accounts)/worker/token",
                ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["audiences": ["somebody-else"]]])
            bad.token = other.json.at("status", "token")?.string
            #expect(try await bad.get("/api").status == 401)
            let short = try await admin.send(
                "POST", "\(accounts)/worker/token",
                ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 60]])
            #expect(short.status == 422 && short.message.contains("10 minutes"), "\(short.message)")
            _ = try await admin.send("DELETE", "\(accounts)/worker")
            let answer13 = try await worker.get("/api")
            #expect(answer13.status == 401)
        }
    }

    @Test("a token is of the account: one of the same name that was made anew has another")
    func accountAnew() async throws {
        try await withAccount([]) { admin, worker in
            _ = try await admin.send("DELETE", "\(accounts)/worker")
            let account: JSONValue = ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "worker"]]
            _ = try await admin.send("POST", accounts, account)
            let answer14 = try await worker.get("/api")
            #expect(answer14.status == 401)
        }
    }

    @Test("a namespace gets the service account `default`, and pods run as it")
    func defaultAccount() async throws {
        try await withServer { server in
            _ = try await server.send("POST", "/api/v1/namespaces", ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "team"]])
            for namespace in ["default", "team"] {
                #expect(try await server.get("/api/v1/namespaces/\(namespace)/serviceaccounts/default").status == 200)
            }
            let plain = try await server.send("POST", pods, pod("plain"))
            #expect(plain.json.at("spec", "serviceAccountName") == "default" && plain.json.at("spec", "serviceAccount") == "default")
            var other = pod("named")
            other.set(["spec", "serviceAccountName"], to: "worker")
            let named = try await server.send("POST", pods, other)
            #expect(named.json.at("spec", "serviceAccountName") == "worker")
            // Templates of workloads are not pods: nothing is set in them.
            let deployment: JSONValue = [
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"],
                "spec": [
                    "selector": ["matchLabels": ["a": "b"]],
                    "template": ["metadata": ["labels": ["a": "b"]], "spec": ["containers": [["name": "c", "image": "x"]]]],
                ],
            ]
            let made = try await server.send("POST", "/apis/apps/v1/namespaces/default/deployments", deployment)
            #expect(made.status == 201 && made.json.at("spec", "template", "spec", "serviceAccountName") == nil, "\(made.message)")
        }
    }

    @Test("a protobuf body of a kind that is read as JSON only: 415, and the message does not offer protobuf")
    func protobuf() async throws {
        try await withServer { server in
            // k8s\0, then runtime.Unknown with the type meta v1 Pod.
            let body = Array("k8s\0".utf8) + [0x0a, 0x09, 0x0a, 0x02] + Array("v1".utf8) + [0x12, 0x03] + Array("Pod".utf8) + [0x12, 0x00]
            for path in [pods, "/api/v1/nodes", "/apis/apps/v1/namespaces/default/deployments"] {
                let answer = try await server.send("POST", path, bytes: body, type: "application/vnd.kubernetes.protobuf")
                #expect(answer.status == 415 && answer.message.contains("application/json"), "\(answer.message)")
                #expect(!answer.message.contains("vnd.kubernetes.protobuf"), "\(answer.message)")
            }
        }
    }

    @Test("kubectl: whoami, can-i, can-i --list, create token")
    func kubectl() async throws {
        let rules: JSONValue = [["apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]]]
        try await withAccount(rules) { admin, worker in
            try await withDirectory { directory in
                func kubectl(_ token: String, _ arguments: String...) async throws -> (ok: Bool, out: String, err: String) {
                    let config = """
                        apiVersion: v1
                        kind: Config
                        current-context: c
                        clusters: [{name: c, cluster: {server: "\(admin.url)", proxy-url: "http://x:\(token)@127.0.0.1:\(admin.port)"}}]
                        users: [{name: u, user: {}}]
                        contexts: [{name: c, context: {cluster: c, user: u}}]
                        """
                    try config.write(toFile: "\(directory)/config", atomically: true, encoding: .utf8)
                    let result = try await Command(
                        ProcessInfo.processInfo.environment["KUBECTL"] ?? "kubectl", ["--cache-dir", "\(directory)/cache"] + arguments,
                        environment: .inheriting(adding: ["HOME": directory, "KUBECONFIG": "\(directory)/config"]), deadlineSeconds: 60
                    ).run()
                    return (result.succeeded, result.stdoutText, result.stderrText)
                }
                let (own, other) = (try #require(admin.token), try #require(worker.token))
                let me = try await kubectl(own, "auth", "whoami")
                #expect(me.ok && me.out.contains("assay") && me.out.contains("system:masters"), "\(me.out)\(me.err)")
                let it = try await kubectl(other, "auth", "whoami")
                #expect(it.out.contains("system:serviceaccount:default:worker"), "\(it.out)\(it.err)")
                #expect(try await kubectl(own, "auth", "can-i", "delete", "nodes").out == "yes\n")
                #expect(try await kubectl(other, "auth", "can-i", "get", "configmaps").out == "yes\n")
                #expect(try await kubectl(other, "auth", "can-i", "delete", "configmaps").out.hasPrefix("no"))
                let list = try await kubectl(other, "auth", "can-i", "--list")
                #expect(list.ok && list.out.contains("configmaps") && list.out.contains("[get list]"), "\(list.out)\(list.err)")
                #expect(try await kubectl(own, "auth", "can-i", "--list").out.contains("*.*"))
                let made = try await kubectl(own, "create", "token", "worker", "--duration=1h")
                #expect(made.ok && made.out.split(separator: ".").count == 3, "\(made.out)\(made.err)")
                #expect(try await kubectl(made.out.trimmingCharacters(in: .whitespacesAndNewlines), "get", "configmaps").ok)
                let refused = try await kubectl(other, "get", "pods")
                #expect(!refused.ok && refused.err.contains("cannot list resource \"pods\""), "\(refused.err)")
                // The server's address, which clients print, has no token.
                let info = try await kubectl(own, "cluster-info")
                #expect(info.ok && info.out.contains(admin.url) && !info.out.contains(own), "\(info.out)\(info.err)")
            }
        }
    }
}
