import AssayTesting
import Foundation
import KubeCore
import Subprocess

/// Helm's own engine against this world's server.
extension World {
    static let helm = Helm(root: PermissionsTests.root)

    /// A kubeconfig for programs that take no `--server`.
    func kubeconfig() throws -> String {
        let text = """
            apiVersion: v1
            kind: Config
            clusters: [{name: world, cluster: {server: "http://127.0.0.1:\(port)"}}]
            users: [{name: me, user: {}}]
            contexts: [{name: world, context: {cluster: world, user: me}}]
            current-context: world
            """
        try text.write(toFile: "\(path)/kubeconfig", atomically: true, encoding: .utf8)
        return "\(path)/kubeconfig"
    }

    /// `helm` with the verbs that speak to a server.
    func helm(_ words: [String]) async throws -> (ok: Bool, out: String, err: String) {
        let result = try await Self.helm(words + ["--kubeconfig", try kubeconfig()])
        return (result.succeeded, result.stdoutText, result.stderrText)
    }

    /// The shell session of a page, with `helm` and `kubectl` for this server, in a directory where `charts` is that of the checkout.
    func session(_ lines: some Sequence<String>) async throws -> (ok: Bool, out: String, err: String) {
        let charts = "\(path)/charts"
        if !FileManager.default.fileExists(atPath: charts) {
            try FileManager.default.createSymbolicLink(atPath: charts, withDestinationPath: "\(PermissionsTests.root)/charts")
        }
        let helm = "helm() { \(PermissionsTests.root)/scripts/helm \"$@\" --kubeconfig \(try kubeconfig()); }\ncd \(path)\n"
        return try await shell(helm + lines.joined(separator: "\n"))
    }

    /// The commands of a page's shell session that has a line with the words.
    static func commands(of page: String, with words: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(PermissionsTests.root)/\(page)", encoding: .utf8)
        let blocks = text.components(separatedBy: "```console\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
        guard let block = blocks.first(where: { $0.contains(words) }) else { return [] }
        return block.split(separator: "\n").filter { $0.hasPrefix("$ ") }.map { String($0.dropFirst(2)) }
    }
}
