import Base
import HTTPTransport
import Testing

@testable import KubeClient

@Suite struct KubeconfigTests {
    static let plain = """
        apiVersion: v1
        kind: Config
        current-context: work
        clusters:
        - name: prod
          cluster: {server: "https://prod:6443", certificate-authority-data: Y2E=, tls-server-name: kubernetes}
        - name: lab
          cluster: {server: "http://127.0.0.1:8001/k8s/", insecure-skip-tls-verify: true, proxy-url: "http://proxy:3128"}
        users:
        - name: me
          user: {token: secret-token}
        - name: cert
          user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}
        contexts:
        - name: work
          context: {cluster: prod, user: me, namespace: team-a}
        - name: lab
          context: {cluster: lab, user: cert}
        - name: anonymous
          context: {cluster: lab}
        """

    private func config(_ text: String, context: String? = nil, path: String = "/k/config") throws -> KubeConfig {
        try Kubeconfig(merging: [Kubeconfig.File(path: path, bytes: Array(text.utf8))]).config(context: context)
    }

    @Test func theCurrentContext() throws {
        let work = try config(Self.plain)
        #expect(work.server == "https://prod:6443")
        #expect(work.namespace == "team-a")
        #expect(work.credential == .token("secret-token"))
        #expect(work.tls == TLSOptions(authorities: .data(Array("ca".utf8)), serverName: "kubernetes"))
    }

    @Test func anotherContext() throws {
        let lab = try config(Self.plain, context: "lab")
        #expect(lab.namespace == "default")
        #expect(lab.credential == .none)
        #expect(
            lab.tls
                == TLSOptions(
                    clientCertificate: .data(Array("cert".utf8)), clientKey: .data(Array("key".utf8)), insecure: true))
        #expect(lab.proxy == .url("http://proxy:3128"))
        #expect(try config(Self.plain, context: "anonymous").credential == .none)
    }

    /// (fields of the user, expected result)
    @Test(arguments: [
        ("{tokenFile: t/token}", KubeCredential.tokenFile(path: "/k/t/token", initial: nil)),
        ("{tokenFile: /abs/token, token: first}", .tokenFile(path: "/abs/token", initial: "first")),
        ("{username: u, password: p}", .basic(user: "u", password: "p")),
        ("{}", .none),
        (
            "{exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/plug, args: [a, b], env: [{name: N, value: v}], interactiveMode: Never}}",
            .exec(ExecPlugin(command: "/k/bin/plug", arguments: ["a", "b"], environment: ["N": "v"]))
        ),
        (
            "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws}}",
            .exec(ExecPlugin(apiVersion: "client.authentication.k8s.io/v1beta1", command: "aws"))
        ),
    ]) func credentials(user: String, credential: KubeCredential) throws {
        #expect(try config(Self.minimal(user: user)).credential == credential)
    }

    static func minimal(user: String = "{}", cluster: String = "{server: \"https://h\"}") -> String {
        """
        current-context: c
        clusters: [{name: k, cluster: \(cluster)}]
        users: [{name: u, user: \(user)}]
        contexts: [{name: c, context: {cluster: k, user: u}}]
        """
    }

    @Test("a user in the server's address is the credential if the kubeconfig has no other")
    func userOfTheAddress() throws {
        let text = Self.plain.replacing("https://prod:6443", with: "https://assay:p%40ss@prod:6443/k8s/")
        let work = try config(text)
        #expect(work.server == "https://prod:6443/k8s/")
        #expect(work.credential == .token("secret-token"))
        let bare = try config(text.replacing("{token: secret-token}", with: "{}"))
        #expect(bare.credential == .basic(user: "assay", password: "p@ss"))
    }

    @Test func impersonation() throws {
        let config = try config(Self.minimal(user: "{token: t, as: jane, as-uid: '7', as-groups: [a, b]}"))
        #expect(config.impersonation == KubeConfig.Impersonation(user: "jane", uid: "7", groups: ["a", "b"]))
    }

    @Test(
        arguments: [
            ("", nil, "kubeconfig /k/config sets no current-context: name a context (none)"),
            ("a: [", nil, "kubeconfig /k/config is not YAML"),
            ("- 1", nil, "kubeconfig /k/config is not a YAML mapping: is it the right file?"),
            ("clusters: 7", nil, "kubeconfig /k/config: clusters is not a list"),
            ("clusters: [{}]", nil, "kubeconfig /k/config: clusters[0] has no name"),
            (plain, "nope", "kubeconfig /k/config has no context \"nope\": it has \"anonymous\", \"lab\", \"work\""),
            (
                "contexts: [{name: c, context: {cluster: gone}}]", "c",
                "kubeconfig /k/config: context \"c\" names the cluster \"gone\", which is not there: it has none"
            ),
            (
                "clusters: [{name: k, cluster: {server: \"https://h\"}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]", "c",
                "kubeconfig /k/config: context \"c\" names the user \"u\", which is not there: it has none"
            ),
            (
                minimal(cluster: "{server: \"h:6443\"}"), nil,
                "kubeconfig /k/config: clusters[k].server is \"h:6443\": it must begin with https://"
            ),
            (
                minimal(cluster: "{server: \"https://h\", certificate-authority-data: \"%%\"}"), nil,
                "kubeconfig /k/config: clusters[k].certificate-authority-data is not base64"
            ),
            (
                minimal(cluster: "{server: \"https://h\", certificate-authority: no/such.pem}"), nil,
                "kubeconfig /k/config: clusters[k].certificate-authority: /k/no/such.pem does not exist"
            ),
            (
                minimal(cluster: "{server: \"https://h\", certificate-authority-data: Y2E=, insecure-skip-tls-verify: true}"), nil,
                "kubeconfig /k/config: clusters[k] sets both insecure-skip-tls-verify and a certificate-authority: remove one"
            ),
            (
                minimal(user: "{client-key-data: a2V5}"), nil,
                "kubeconfig /k/config: users[u] has a client certificate or a client key, not both: add the other"
            ),
            (
                minimal(user: "{auth-provider: {name: gcp}}"), nil,
                "kubeconfig /k/config: users[u].auth-provider is no longer part of Kubernetes: use an exec plugin"
            ),
            (
                minimal(user: "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}"), nil,
                "kubeconfig /k/config: users[u].exec.apiVersion is \"client.authentication.k8s.io/v1alpha1\""
            ),
            (
                minimal(user: "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}}"), nil,
                "kubeconfig /k/config: users[u].exec needs a terminal"
            ),
        ] as [(String, String?, String)])
    func errorsSayWhatAndWhere(text: String, context: String?, message: String) {
        let error = #expect(throws: KubeConfigError.self) { try config(text, context: context) }
        #expect(error?.message.hasPrefix(message) == true, "\(error?.message ?? "none")")
    }

    @Test func theFirstFileToNameAnEntryWins() throws {
        let directory = try TemporaryDirectory()
        let first = try directory.write(
            "a/config",
            """
            contexts: [{name: shared, context: {cluster: k1, user: u}}]
            clusters: [{name: k1, cluster: {server: "https://first", certificate-authority: ca.pem}}]
            """)
        let second = try directory.write(
            "b/config",
            """
            current-context: shared
            contexts: [{name: shared, context: {cluster: k2, user: u, namespace: lost}}, {name: other, context: {cluster: k2}}]
            clusters: [{name: k1, cluster: {server: "https://second"}}, {name: k2, cluster: {server: "https://k2"}}]
            users: [{name: u, user: {tokenFile: token}}]
            """)
        try directory.write("a/ca.pem", "ca")
        let environment = ["KUBECONFIG": "\(first):\(directory.path)/missing:\(second)"]
        let shared = try KubeConfig.load(environment: environment)
        #expect(shared.server == "https://first")
        #expect(shared.namespace == "default")
        // Paths are relative to their file.
        #expect(shared.tls.authorities == .file(directory.path + "/a/ca.pem"))
        #expect(shared.credential == .tokenFile(path: directory.path + "/b/token", initial: nil))
        #expect(try KubeConfig.load(context: "other", environment: environment).server == "https://k2")
        // An explicit path is the only file that is read.
        #expect(throws: KubeConfigError.self) { try KubeConfig.load(kubeconfigPath: first, environment: environment) }
    }

    @Test func whereFilesAreLookedFor() throws {
        let directory = try TemporaryDirectory()
        try directory.write(".kube/config", Self.plain)
        #expect(try KubeConfig.load(environment: ["HOME": directory.path]).server == "https://prod:6443")
        for (environment, part) in [
            (["HOME": directory.path + "/x"], "/x/.kube/config does not exist and KUBECONFIG is not set"),
            ([:], "neither KUBECONFIG nor HOME is set"),
            (["KUBECONFIG": "/no/a:/no/b"], "none of the files of KUBECONFIG exists (/no/a, /no/b)"),
        ] as [([String: String], String)] {
            let error = #expect(throws: KubeConfigError.self) { try KubeConfig.load(environment: environment) }
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "none")")
        }
        let error = #expect(throws: KubeConfigError.self) { try KubeConfig.load(kubeconfigPath: "/no/such", environment: [:]) }
        #expect(error?.message == "cannot read /no/such: No such file or directory")
    }

    @Test func inACluster() throws {
        let directory = try TemporaryDirectory()
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
        let missing = #expect(throws: KubeConfigError.self) {
            try KubeConfig.inCluster(environment: environment, directory: directory.path)
        }
        #expect(missing?.message.contains("automountServiceAccountToken") == true)
        try directory.write("token", "t\n")
        try directory.write("ca.crt", "ca")
        try directory.write("namespace", "assay-system")
        let config = try KubeConfig.inCluster(environment: environment, directory: directory.path)
        #expect(config.server == "https://[fd00::1]:443")
        #expect(config.namespace == "assay-system")
        #expect(config.credential == .tokenFile(path: directory.path + "/token", initial: nil))
        #expect(config.tls.authorities == .file(directory.path + "/ca.crt"))
        #expect(throws: KubeConfigError.self) { try KubeConfig.inCluster(environment: [:], directory: directory.path) }
    }

    @Test func theSourcesOfTheDefaultConfiguration() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("config", Self.plain)
        let pod = ["KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"]
        #expect(try KubeConfig.automatic(kubeconfigPath: file, environment: pod).server == "https://prod:6443")
        #expect(
            try KubeConfig.automatic(environment: pod.merging(["KUBECONFIG": file]) { $1 }).server == "https://prod:6443")
        let error = #expect(throws: KubeConfigError.self) { try KubeConfig.automatic(environment: pod) }
        #expect(error?.message.hasPrefix("in-cluster configuration") == true)
    }
}
