import Base
import Foundation
import Subprocess
import Testing

/// A machine for targets of type vm: a real sshd with a network, process ids and a `/var/lib/assay` of its own, which containers of this machine
/// reach. Killing it kills everything that runs on it, as a reboot does; its files stay.
final class RemoteMachine: Sendable {
    let bench: Workbench
    let address: String
    private let name: String
    private let sshd = Locked<RunningCommand?>(nil)

    /// What the machine keeps in `/var/lib/assay`.
    var state: String { "\(bench.directory)/machine/state" }
    private var folder: String { "\(bench.directory)/machine" }
    /// The end of the machine's network cable.
    private var cable: String { "\(name)h" }

    /// A machine for the duration of `body`.
    static func with(_ bench: Workbench, _ body: (RemoteMachine) async throws -> Void) async throws {
        let machine = RemoteMachine(bench)
        do {
            try await machine.setUp()
            try await machine.boot()
            try await body(machine)
        } catch {
            await machine.remove()
            throw error
        }
        await machine.remove()
    }

    private init(_ bench: Workbench) {
        self.bench = bench
        let number = UInt16.random(in: 0 ... .max)
        name = "av\(String(number, radix: 16))"
        // A network of four addresses: this end, and the machine's.
        address = "10.\(UInt8.random(in: 200...250)).\(number >> 8).\((number & 0xFF) / 4 * 4 + 2)"
    }

    private var gateway: String {
        let parts = address.split(separator: ".")
        return (parts.dropLast() + [Substring("\((Int(parts[3]) ?? 2) - 1)")]).joined(separator: ".")
    }

    @discardableResult
    private func run(_ words: String...) async throws -> String {
        let result = try await Command(words[0], Array(words.dropFirst()), deadlineSeconds: 60).run()
        try #require(result.succeeded, "\(words.joined(separator: " ")): \(result.stderrText)")
        return result.stdoutText
    }

    private func setUp() async throws {
        for part in ["state", "keys"] { try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true) }
        for key in ["host", "user", "stranger"] { try await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/keys/\(key)") }
        try await run("cp", "\(folder)/keys/user.pub", "\(folder)/keys/authorized")
        try bench.write(
            "machine/sshd_config",
            """
            Port 22
            ListenAddress \(address)
            HostKey \(folder)/keys/host
            AuthorizedKeysFile \(folder)/keys/authorized
            PermitRootLogin prohibit-password
            PasswordAuthentication no
            StrictModes no
            UsePAM no
            PidFile none

            """)
        try await run("ip", "netns", "add", name)
        try await run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        try await run("ip", "address", "add", "\(gateway)/30", "dev", cable)
        try await run("ip", "link", "set", cable, "up")
        try await run("ip", "-n", name, "address", "add", "\(address)/30", "dev", "eth0")
        for device in ["lo", "eth0"] { try await run("ip", "-n", name, "link", "set", device, "up") }
        try await run("ip", "-n", name, "route", "add", "default", "via", gateway)
    }

    /// Starts the machine; returns when it answers.
    func boot() async throws {
        let script = """
            mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/assay \
            && mount --bind "$1/state" /var/lib/assay && mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f "$1/sshd_config"
            """
        let running = try bench.start(
            "ip", ["netns", "exec", name, "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "bash", "-c", script, "sshd", folder],
            to: "machine/sshd.log")
        sshd.withLock { $0 = running }
        try await eventually("sshd listens", seconds: 60) { try await self.listens() }
    }

    private func listens() async throws -> Bool {
        try await Command("ssh-keyscan", ["-T", "5", address], deadlineSeconds: 20).run().stdoutText.contains("ssh-ed25519")
    }

    /// Kills everything that runs on the machine.
    func powerOff() async {
        let running = sshd.withLock { running in
            defer { running = nil }
            return running
        }
        running?.signal(SIGKILL)
        _ = await running?.wait()
    }

    func plug(_ isIn: Bool) async throws { try await run("ip", "link", "set", cable, isIn ? "up" : "down") }

    /// The directories of trials that are there.
    func trialsLeft() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: "\(state)/trials")) ?? [] }

    /// Processes of trials on any machine of tests: their users have numbers that nothing else has.
    func processesLeft() async throws -> [String] {
        let text = try await Command("ps", ["-eo", "uid,pid,args"]).run().stdoutText
        return text.split(separator: "\n").map(String.init).filter { $0.trimmed.hasPrefix("19000") }
    }

    /// The Secret, the ConfigMap and the EvalTarget that a user writes for this machine.
    ///
    /// - Parameter hostKey: the key that is expected of it.
    func documents(target: String, hostKey: String = "host", key: String = "user", extra: String = "") throws -> String {
        let known = try bench.read("machine/keys/\(hostKey).pub").split(separator: " ").prefix(2).joined(separator: " ")
        let hosts: JSONValue = [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "machine-hosts"], "data": ["known_hosts": .string("\(address) \(known)\n")],
        ]
        return JobFiles.secret("machine-key", ["ssh-privatekey": try bench.read("machine/keys/\(key)")]) + hosts.text + "\n---\n" + """
            apiVersion: assay.dev/v1alpha1
            kind: EvalTarget
            metadata: {name: \(target)}
            spec: {type: azure-vm, sync: oneshot, host: {address: \(address), sshSecretRef: {name: machine-key}, knownHostsRef: {name: machine-hosts}}\(extra)}
            ---

            """
    }

    private func remove() async {
        await powerOff()
        _ = try? await Command("ip", ["netns", "del", name], deadlineSeconds: 30).run()
        _ = try? await Command("ip", ["link", "del", cable], deadlineSeconds: 30).run()
    }
}
