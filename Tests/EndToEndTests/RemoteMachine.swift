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

    /// The size of its disk; nil: that of this machine.
    private let diskMB: Int?
    /// Programs that the machine lacks.
    private let lacking: [String]
    /// Variables of every session.
    private let variables: [String: String]

    /// A machine for the duration of `body`.
    static func with(
        _ bench: Workbench, diskMB: Int? = nil, lacking: [String] = [], variables: [String: String] = [:],
        _ body: (RemoteMachine) async throws -> Void
    ) async throws {
        let machine = RemoteMachine(bench, diskMB, lacking, variables)
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

    private init(_ bench: Workbench, _ diskMB: Int?, _ lacking: [String], _ variables: [String: String]) {
        self.variables = variables
        self.bench = bench
        self.diskMB = diskMB
        self.lacking = lacking
        let number = UInt16.random(in: 0 ... .max)
        name = "av\(String(number, radix: 16))"
        // A network of four addresses: this end, and the machine's.
        address = "10.\(UInt8.random(in: 200...250)).\(number >> 8).\((number & 0xFF) / 4 * 4 + 2)"
    }

    /// An image `localhost/task:1`, and the variables with which a machine's podman has it.
    static func images(_ bench: Workbench) async throws -> (user: UserPodman, variables: [String: String]) {
        let user = try UserPodman(bench)
        try await user.makeImage("localhost/task:1", files: ["etc/marked": "the image's\n"])
        // What an administrator sets for podman on a machine like this one.
        try bench.write(
            "containers.conf",
            """
            [engine]
            runtime = "runc"
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            [containers]
            netns = "host"
            log_driver = "k8s-file"
            default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]

            """)
        return (user, user.environment.merging(["CONTAINERS_CONF": "\(bench.directory)/containers.conf"]) { $1 })
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
        if let diskMB { try await run("mount", "-t", "tmpfs", "-o", "size=\(diskMB)m", "tmpfs", state) }
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

            """ + (variables.isEmpty ? "" : "SetEnv \(variables.map { "\($0)=\($1)" }.joined(separator: " "))\n"))
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
            && mount --bind "$1/state" /var/lib/assay && mount -t tmpfs tmpfs /run && mkdir /run/sshd || exit 1
            groups() {
              while read -r name hierarchy _; do
                [ "$hierarchy" -gt 0 ] 2>/dev/null || continue
                mkdir "/sys/fs/cgroup/$name" && { mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"; }
              done </proc/cgroups
            }
            if [ "$2" = v2 ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; else mount -t tmpfs tmpfs /sys/fs/cgroup && groups; fi || exit 1
            mount -t tmpfs tmpfs /dev/shm || exit 1
            shift 2
            for program; do mount --bind /dev/null "/usr/bin/$program" || exit 1; done
            exec /usr/sbin/sshd -D -e -f "$0"
            """
        let running = try bench.start(
            "ip",
            [
                "netns", "exec", name, "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "bash", "-c", script, "\(folder)/sshd_config",
                folder,
                FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers") ? "v2" : "v1",
            ] + lacking,
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

    /// Where the control groups of the machine's trials are, which belong to its directory alone.
    private var groupFolders: [String] {
        var status = stat()
        guard stat(state, &status) == 0 else { return [] }
        let name = "assay-\(status.st_dev)-\(status.st_ino)"
        return ["", "/memory", "/cpu", "/pids"].map { "/sys/fs/cgroup\($0)/\(name)" }.filter { FileManager.default.fileExists(atPath: $0) }
    }

    /// The control groups of trials that are there.
    func groupsLeft() -> [String] {
        groupFolders.flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(folder)/\($0)" }
                .filter { FileManager.default.fileExists(atPath: "\($0)/cgroup.procs") }
        }
    }

    /// The processes of trials on the machine: their users have numbers that nothing else has.
    func processesLeft() async throws -> [String] {
        let pids = Set(try await run("ip", "netns", "pids", name).split(separator: "\n").map(String.init))
        let text = try await Command("ps", ["-eo", "pid,uid,args"]).run().stdoutText
        return text.split(separator: "\n").map(String.init).filter { line in
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            return words.count == 3 && words[1].hasPrefix("19000") && pids.contains(words[0])
        }
    }

    /// The Secret, the ConfigMap and the EvalTarget that a user writes for this machine.
    ///
    /// - Parameter hostKey: the key that is expected of it.
    func documents(target: String = "machine", hostKey: String = "host", key: String = "user", extra: String = "") throws -> String {
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

    /// Expects that soon nothing of any trial is left on the machine.
    func expectClean(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("nothing is left on the machine", sourceLocation: sourceLocation) {
            let left = try await processesLeft()
            return trialsLeft().isEmpty && groupsLeft().isEmpty && left.isEmpty
        }
    }

    /// Kills the processes on this machine that hold connections of trials to the machine.
    func killRelays() throws -> Int {
        var killed = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let pid = Int32(name), let words = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"),
                String(decoding: words, as: UTF8.self).hasSuffix("assay\0remote-trial\0"),
                let variables = FileManager.default.contents(atPath: "/proc/\(name)/environ"),
                String(decoding: variables, as: UTF8.self).contains("\"\(address)\"")
            else { continue }
            killed += kill(pid, SIGKILL) == 0 ? 1 : 0
        }
        return killed
    }

    private func remove() async {
        await powerOff()
        for folder in groupsLeft() + groupFolders { _ = try? await Command("rmdir", ["--", folder], deadlineSeconds: 30).run() }
        _ = try? await Command("ip", ["netns", "del", name], deadlineSeconds: 30).run()
        _ = try? await Command("ip", ["link", "del", cable], deadlineSeconds: 30).run()
    }
}
