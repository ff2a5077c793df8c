import Base
import Subprocess

// Probes of containers.
extension PodmanCLI {
    /// The most of a probe's output that is kept, in bytes, as the kubelet keeps it.
    private static let outputBytes = 10 << 10

    /// Runs a probe once.
    ///
    /// - Parameters:
    ///   - container: podman's id of the probed container.
    ///   - sandbox: the container whose network the pod has. Probes of ports run there, with the bash of this machine.
    ///   - variables: of the probed container, for `$(NAME)` in the probe's command.
    /// - Returns: nil when it succeeded, else what it said.
    func failure(of probe: NodeProbe, in container: String, sandbox: String, variables: [String: String]) async -> String? {
        switch probe.check {
        case .exec(let command):
            let words = command.map { EnvExpansion.expand($0) { variables[$0] } }
            guard let result = await executed(words, in: container, probe) else { return "podman exec failed" }
            if result.timedOut { return "command timed out: \"\(words.joined(separator: " "))\" timed out after \(probe.timeoutSeconds)s" }
            return result.succeeded ? nil : Self.text(result)
        case .tcp(let port):
            guard let result = await executed(Self.connection(port), in: sandbox, probe) else { return "podman exec failed" }
            return result.succeeded ? nil : "dial tcp 127.0.0.1:\(port): \(result.timedOut ? "i/o timeout" : "connect: connection refused")"
        case .http(let port, let path, let headers):
            guard let result = await executed(Self.request(port, path, headers), in: sandbox, probe) else { return "podman exec failed" }
            if result.timedOut { return "Get \"http://127.0.0.1:\(port)\(path)\": context deadline exceeded" }
            guard let status = Self.status(result.stdoutText) else {
                return "Get \"http://127.0.0.1:\(port)\(path)\": connect: connection refused"
            }
            return (200..<400).contains(status) ? nil : "HTTP probe failed with statuscode: \(status)"
        case .unsupported(let what): return "\(what) is not supported on this node"
        }
    }

    /// nil when podman could not be run.
    private func executed(_ words: [String], in container: String, _ probe: NodeProbe) async -> CommandResult? {
        // podman itself needs a part of a second, which is not the probe's.
        try? await call(["exec", container] + words, deadline: Double(probe.timeoutSeconds) + 0.5)
    }

    private static func text(_ result: CommandResult) -> String {
        String(decoding: (result.stdout + Array(result.stderrText.utf8)).prefix(outputBytes), as: UTF8.self)
    }

    /// Connects to a port of the pod. Arguments are passed as such, so that nothing in them is read as a script.
    private static func connection(_ port: Int) -> [String] {
        ["bash", "-c", #"exec 3<>"/dev/tcp/127.0.0.1/$1""#, "probe", String(port)]
    }

    /// Prints the first line of the answer.
    private static func request(_ port: Int, _ path: String, _ headers: [NodeProbe.Header]) -> [String] {
        var lines = headers
        func add(_ name: String, _ value: String) {
            if !lines.contains(where: { $0.name.lowercased() == name.lowercased() }) { lines.append(.init(name: name, value: value)) }
        }
        add("Host", "127.0.0.1:\(port)")
        add("User-Agent", "kube-probe/1.36")
        add("Accept", "*/*")
        add("Connection", "close")
        let place = path.hasPrefix("/") ? path : "/" + path
        let text = "GET \(place) HTTP/1.1\r\n" + lines.map { "\($0.name): \($0.value)\r\n" }.joined() + "\r\n"
        return [
            "bash", "-c", #"exec 3<>"/dev/tcp/127.0.0.1/$1" && printf %s "$2" >&3 && IFS= read -r line <&3 && printf '%s\n' "$line""#, "probe",
            String(port), text,
        ]
    }

    /// The status in the first line of an answer of HTTP.
    static func status(_ line: String) -> Int? {
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/") else { return nil }
        return Int(words[1].prefix(3))
    }
}
