import Base
import EvalModel
import Subprocess
import Testing

@testable import TrialRuntime

@Suite("The check of a vm target's host")
struct HostCheckTests {
    private static let login = HostLogin(address: "vm.example", port: 2222, user: "root")

    private func problem(_ output: String, exit: Exit = .code(0), errors: String = "") -> HostCheck.Problem? {
        HostCheck.problem(of: exit, output, errors, Self.login)
    }

    @Test("a host that has everything")
    func fit() {
        #expect(problem("user root\nfree 4096 512\nchecked\n") == nil)
        #expect(HostCheck.engine(in: "user root\nengine podman\nfree 4096 512\nchecked\n") == "podman")
        #expect(HostCheck.engine(in: "user root\nfree 4096 512\nchecked\n") == nil)
    }

    @Test("what is missing is named with the packages that have it")
    func programs() {
        guard case .missingPrograms(let text)? = problem("missing flock ip setpriv tar\nuser root\nchecked\n") else {
            Issue.record("no missing programs")
            return
        }
        #expect(
            text
                == "vm.example lacks flock, ip, setpriv, tar; install iproute2 and tar and util-linux there, for example with: apt-get install iproute2 tar util-linux"
        )
        guard case .missingPrograms(let shell)? = problem("", exit: .code(127), errors: "sh: 1: exec: bash: not found") else {
            Issue.record("no missing shell")
            return
        }
        #expect(shell.contains("apt-get install bash"))
    }

    @Test(
        "a host that is reached and cannot run trials",
        arguments: [
            ("user azureuser\nchecked\n", "must be root"),
            ("user root\nrefused unshare: unshare failed: Operation not permitted\nchecked\n", "unshare failed"),
            ("user root\nunlimited\nfree 4096 512\nchecked\n", "control groups"), ("user root\nfree 100 512\nchecked\n", "only 100 MiB free"),
        ])
    func unfit(output: String, words: String) {
        guard case .unfit(let text)? = problem(output) else {
            Issue.record("\(output)")
            return
        }
        #expect(text.contains(words))
    }

    @Test("what ssh says tells a wrong key of the host from a refused login and from a host that is not there")
    func connection() {
        func kind(_ errors: String, _ exit: Exit = .code(255)) -> String {
            switch problem("", exit: exit, errors: errors) {
            case .unknownKey?: "key"
            case .loginRefused?: "login"
            case .unreachable?: "unreachable"
            default: "other"
            }
        }
        #expect(kind("No ED25519 host key is known for vm.example and you have requested strict checking.\nHost key verification failed.") == "key")
        #expect(kind("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.") == "key")
        #expect(kind("root@vm.example: Permission denied (publickey).") == "login")
        #expect(kind("ssh: connect to host vm.example port 2222: Connection refused") == "unreachable")
        // A forced command that does something else.
        #expect(kind("This account is not available.", .code(1)) == "unreachable")
        #expect(problem("Welcome!\nuser root\nfree 4096 512\nchecked\n") == nil, "a login message is no answer")
    }

    @Test("a key and the trusted hosts are needed; those of the ConfigMap count first")
    func keys() throws {
        #expect(throws: HostKeys.Missing.key) { try HostKeys(secret: ["known_hosts": [1]], map: [:]) }
        #expect(throws: HostKeys.Missing.knownHosts) { try HostKeys(secret: ["identity": [1]], map: [:]) }
        let keys = try HostKeys(secret: ["identity": [1], "ssh-privatekey": [2], "known_hosts": [3]], map: ["known_hosts": [4]])
        #expect(keys.key == [2] && keys.knownHosts == [4])
    }

    @Test("limits as the host script takes them")
    func limits() {
        #expect(RemoteHost.Limits(cpus: 0.5, memoryMB: 64, storageMB: 10240).words == ["500", "64", "10240"])
        #expect(RemoteHost.Limits(cpus: .infinity, memoryMB: 1, storageMB: 1).words.first == "1000000000")
    }

    @Test("only a trial on a host can lose it, be evicted or end without its last word")
    func words() {
        func ending(_ line: String, isRemote: Bool) -> TrialError? {
            var reader = GateReader()
            var progress = TrialProgress(isRemote: isRemote)
            for word in reader.feed(Array("phase execute 1\n\(line)\n".utf8)) { _ = progress.apply(word) }
            guard case .failed(let error) = progress.ending(verify: true) else { return nil }
            return error
        }
        #expect(ending("host-lost the cable", isRemote: true) == TrialError(.environmentNodeLost, "the cable"))
        #expect(ending("host-evicted no room", isRemote: true) == TrialError(.environmentEvicted, "no room"))
        #expect(ending("image-failed no such image", isRemote: true) == TrialError(.environmentImagePullFailed, "no such image"))
        #expect(ending("runner-died it wrote too much", isRemote: true) == TrialError(.agentExecutionFailed, "it wrote too much, during execute"))
        for line in ["host-lost x", "host-evicted x", "image-failed x", "runner-died x"] {
            #expect(ending(line, isRemote: false)?.type == .agentExecutionFailed)
        }
        // Without a word the connection itself was lost.
        #expect(ending("", isRemote: true)?.type == .environmentNodeLost)
    }
}
