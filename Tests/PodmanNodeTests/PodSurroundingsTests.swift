import AssayTesting
import Base
import Glibc
import KubeCore
import Subprocess
import Testing

@testable import PodmanNode

/// What a container finds: root, volumes, environment, limits, logs.
@Suite(.node) struct PodSurroundingsTests {
    private var harness: NodeHarness { get throws { try #require(NodeHarness.current) } }

    /// Runs a script in one container and returns its output.
    private func output(_ name: String, _ script: String, container: [String: JSONValue] = [:], spec: [String: JSONValue] = [:]) async throws
        -> String
    {
        let harness = try harness
        try await harness.create(name, podSpec([shell("trial", script, container)], initContainers: [], spec))
        let pod = try await harness.waitEnded(name)
        let log = String(decoding: try await harness.log(name, "trial"), as: UTF8.self)
        #expect(pod.at("status", "phase") == "Succeeded", "\(name): \(pod.ended("trial")?.text ?? "") \(log)")
        return log
    }

    @Test("rootfs:/ shows only the host's programs and settings without secrets")
    func isolation() async throws {
        let harness = try harness
        let script = """
            for path in /etc/shadow /etc/gshadow /etc/sudoers /etc/machine-id /etc/ssh /etc/containers /etc/environment /etc/gitconfig \
              /root/.ssh /root/.config /root/.docker /root/.gitconfig \(harness.directory) \(#filePath); do
              if [ -e "$path" ]; then echo "SEES $path"; fi
            done
            for directory in /home /root /tmp /run /srv /mnt /opt /var/tmp /var/lib /var/log; do
              for entry in $(ls -A "$directory"); do echo "FINDS $directory/$entry"; done
            done
            ls -A /
            id; head -1 /etc/passwd; /usr/local/bin/assay one; echo changed > /usr/bin/changed && rm /usr/bin/ls && echo wrote
            touch /tmp/a /etc/b /root/c && stat -c '%a' /tmp
            (echo x >> /usr/local/bin/assay) 2>/dev/null && echo "WROTE the executable"
            gateway=$(awk '$2 == "00000000" { print $3 }' /proc/net/route | head -1)
            for address in 127.0.0.1 ${gateway:+$((16#${gateway:6:2})).$((16#${gateway:4:2})).$((16#${gateway:2:2})).$((16#${gateway:0:2}))}; do
              (exec 3<>/dev/tcp/$address/\(port(harness))) 2>/dev/null && echo "REACHES the API server at $address"
            done
            exit 0
            """
        let text = try await output("isolation", script)
        #expect(!text.contains("SEES") && !text.contains("WROTE") && !text.contains("REACHES"), "\(text)")
        let found = text.split(separator: "\n").filter { $0.hasPrefix("FINDS") }
        // Files that podman itself creates.
        #expect(found.allSatisfy { ["FINDS /run/.containerenv", "FINDS /run/lock", "FINDS /run/secrets"].contains($0) }, "\(found)")
        #expect(text.contains("fake assay one") && text.contains("root:x:0:0") && text.contains("wrote") && text.contains("1777"))
        // The host is unchanged.
        #expect(FileEntry.exists("/usr/bin/ls") && !FileEntry.exists("/usr/bin/changed"))
    }

    private func port(_ harness: NodeHarness) -> String { harness.client.config.server.split(separator: ":").last.map(String.init) ?? "" }

    @Test("an image of podman's own storage, with its command, and a working directory that it lacks")
    func importedImage() async throws {
        let harness = try harness
        // A root with a shell and its libraries, from this machine.
        let script =
            "cd / && tar -chf - usr/bin/bash usr/bin/cat $(ldd /usr/bin/bash /usr/bin/cat | grep -o '/[^ ]*' | grep '^/lib\\|^/usr' | grep -v ':$' | sort -u)"
        let tar = harness.directory + "/image.tar"
        let made = try await Command("/bin/bash", ["-c", "(\(script)) > \(tar) 2>/dev/null"]).run()
        try #require(made.exit == .code(0))
        _ = try await harness.podman([
            "import", "--change", "ENTRYPOINT [\"/usr/bin/bash\", \"-c\"]", "--change", "CMD [\"echo from the image\"]", tar, "localhost/shell:1",
        ])
        try await harness.create("image-default", podSpec([["name": "trial", "image": "localhost/shell:1"]]))
        let first = try await harness.waitEnded("image-default")
        #expect(try await harness.log("image-default", "trial") == Array("from the image\n".utf8))
        #expect(first.container("trial")?["imageID"]?.string?.hasPrefix("sha256:") == true)
        try await harness.create(
            "image-args",
            podSpec([["name": "trial", "image": "localhost/shell:1", "args": ["echo $0 $PWD; cat /etc/hosts", "zero"], "workingDir": "/not/there"]]))
        let second = try await harness.waitEnded("image-args")
        #expect(
            String(decoding: try await harness.log("image-args", "trial"), as: UTF8.self).hasPrefix("zero /not/there\n127.0.0.1\tlocalhost\n"),
            "\(second["status"]?.text ?? "")")
        // An image without bash: the trial cannot start, and the error names the missing program.
        try await harness.create("image-no-program", podSpec([["name": "trial", "image": "localhost/shell:1", "command": ["/bin/no-bash"]]]))
        let third = try await harness.waitEnded("image-no-program")
        #expect(third.ended("trial")?["message"]?.string?.contains("/bin/no-bash") == true)
    }

    @Test func aWorkingDirectoryIsMade() async throws {
        #expect(try await output("workdir", "pwd; touch x && ls", container: ["workingDir": "/work/deep"]) == "/work/deep\nx\n")
    }

    @Test func environment() async throws {
        let harness = try harness
        try await harness.client.create(
            .secrets,
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "env", "namespace": "default"], "stringData": ["k": "line one\nline two"]])
        try await harness.client.create(
            .configMaps, ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "env", "namespace": "default"], "data": ["m": "mapped"]])
        let text = try await output(
            "environment", "echo \"$A|$B|$S|$M|$N|$PATH_TEST|$1\"; env | grep -ci proxy; exit 0",
            container: [
                "args": ["zero", "$(A)"],
                "env": [
                    ["name": "A", "value": "a"], ["name": "B", "value": "$(A)$$(A)$(NONE)"],
                    ["name": "S", "valueFrom": ["secretKeyRef": ["name": "env", "key": "k"]]],
                    ["name": "M", "valueFrom": ["configMapKeyRef": ["name": "env", "key": "m"]]],
                    ["name": "N", "valueFrom": ["fieldRef": ["fieldPath": "metadata.name"]]],
                    ["name": "PATH_TEST", "value": "p"],
                ],
            ])
        #expect(text == "a|a$(A)$(NONE)|line one\nline two|mapped|environment|p|a\n0\n")
    }

    @Test func volumes() async throws {
        let harness = try harness
        try FileWriting.write(Array("cached".utf8), to: harness.cache + "/mirror", mode: 0o644)
        try await harness.client.create(
            .secrets,
            ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "files", "namespace": "default"], "stringData": ["a": "AAA", "b": "BBB"]])
        let mounts: JSONValue = [
            ["name": "shared", "mountPath": "/shared"], ["name": "memory", "mountPath": "/memory"],
            ["name": "secret", "mountPath": "/secret", "readOnly": true],
            ["name": "repo-cache", "mountPath": "/assay/cache", "readOnly": true], ["name": "shared", "mountPath": "/ro", "readOnly": true],
            ["name": "shared", "mountPath": "/part", "subPath": "sub/dir"],
        ]
        let volumes: JSONValue = [
            ["name": "shared", "emptyDir": [:]], ["name": "memory", "emptyDir": ["medium": "Memory"]],
            [
                "name": "secret",
                "secret": [
                    "secretName": "files", "defaultMode": 256, "items": [["key": "a", "path": "x/a"], ["key": "b", "path": "b", "mode": 420]],
                ],
            ],
            ["name": "repo-cache", "hostPath": ["path": "/wherever"]],
        ]
        let script = """
            cat /shared/from-init /memory/from-init /secret/x/a /secret/b /assay/cache/mirror; echo
            stat -L -c '%a' /secret/x/a /secret/b /shared
            touch /ro/x 2>/dev/null && echo WROTE; touch /secret/x 2>/dev/null && echo WROTE; touch /assay/cache/x 2>/dev/null && echo WROTE
            touch /part/here; ls /shared/sub/dir; stat -f -c %T /memory
            """
        try await harness.create(
            "volumes",
            podSpec(
                [shell("trial", script, ["volumeMounts": mounts])],
                initContainers: [shell("first", "echo -n init- | tee /shared/from-init > /memory/from-init", ["volumeMounts": mounts])],
                ["volumes": volumes]))
        let pod = try await harness.waitEnded("volumes")
        let text = String(decoding: try await harness.log("volumes", "trial"), as: UTF8.self)
        #expect(text == "init-init-AAABBBcached\n400\n644\n777\nhere\ntmpfs\n", "\(pod["status"]?.text ?? "")")
        // Two processes can communicate over a FIFO in a shared volume, as the trial's gate does.
        let gate: JSONValue = [["name": "gate", "mountPath": "/gate"]]
        try await harness.create(
            "gate",
            podSpec(
                [
                    shell("trial", "exec 3>/gate/phase; echo word >&3", ["volumeMounts": gate]),
                    shell("collector", "cat /gate/phase", ["volumeMounts": gate]),
                ],
                initContainers: [shell("first", "mkfifo -m 666 /gate/phase", ["volumeMounts": gate])],
                ["volumes": [["name": "gate", "emptyDir": [:]]]]))
        _ = try await harness.waitEnded("gate")
        #expect(try await harness.log("gate", "collector") == Array("word\n".utf8))
    }

    @Test func terminationMessages() async throws {
        let harness = try harness
        try await harness.create(
            "messages",
            podSpec([
                shell("long", "head -c 6000 /dev/zero | tr '\\0' a > /dev/termination-log; echo -n END >> /dev/termination-log"),
                shell("logs", "seq 1 200; exit 1", ["terminationMessagePolicy": "FallbackToLogsOnError"]), shell("none", "exit 1"),
            ]))
        let pod = try await harness.waitEnded("messages")
        let long = pod.ended("long")?["message"]?.string ?? ""
        #expect(long.utf8.count == 4096 && long.hasSuffix("aEND"))
        let logs = pod.ended("logs")?["message"]?.string ?? ""
        #expect(logs.hasPrefix("121\n") && logs.hasSuffix("\n200\n"))
        #expect(pod.ended("none")?["message"] == nil)
    }

    @Test func userAndReadOnlyRoot() async throws {
        let text = try await output(
            "security",
            "id -u; id -g; touch /x 2>/dev/null && echo WROTE; grep -i nonewprivs /proc/self/status | tr -s '\\t' ' '; grep CapEff /proc/self/status | cut -f2",
            container: [
                "securityContext": [
                    "runAsUser": 1234, "runAsGroup": 77, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                    "capabilities": ["drop": ["ALL"]],
                ]
            ])
        #expect(text == "1234\n77\nNoNewPrivs: 1\n0000000000000000\n")
    }

    @Test(arguments: ["privileged", "hostNetwork", "hostPath"])
    func refused(_ what: String) async throws {
        let harness = try harness
        let name = "refused-" + what.lowercased()
        switch what {
        case "privileged": try await harness.create(name, podSpec([shell("trial", "true", ["securityContext": ["privileged": true]])]))
        case "hostNetwork": try await harness.create(name, podSpec([shell("trial", "true")], initContainers: [], ["hostNetwork": true]))
        default:
            try await harness.create(
                name,
                podSpec(
                    [shell("trial", "true", ["volumeMounts": [["name": "etc", "mountPath": "/h"]]])], initContainers: [],
                    ["volumes": [["name": "etc", "hostPath": ["path": "/etc"]]]]))
            #expect(try await eventually { try await harness.events(about: name).contains("FailedMount") })
            return
        }
        let pod = try await harness.wait(name) { $0.waiting("trial") == "CreateContainerConfigError" }
        #expect(pod.container("trial")?.at("state", "waiting", "message")?.string?.contains("not supported on this node") == true)
    }

    // MARK: Logs

    @Test("the log of an ended container is complete, even with tens of megabytes")
    func wholeLogs() async throws {
        let harness = try harness
        let script = "for i in $(seq 1 24); do head -c 1000000 /dev/zero | tr '\\0' $((i % 10)) | fold -w 76; echo; done"
        try await harness.create("big-log", podSpec([shell("trial", script)]))
        _ = try await harness.waitEnded("big-log", within: 120)
        let log = try await harness.log("big-log", "trial")
        // 24 MB of digits, a newline after every 76 of them, and the line of echo.
        #expect(log.count == 24 * (1_000_000 + 13_157 + 1))
        var options = LogOptions()
        options.tailLines = 2
        #expect(try await harness.log("big-log", "trial", options: options).count == 77 + 1_000_000 % 76 + 1)
    }

    @Test func followsUntilTheEnd() async throws {
        let harness = try harness
        try await harness.create("follow", podSpec([shell("trial", "echo one; \(NodeHarness.hold); echo two; sleep 1; printf three")]))
        try await harness.wait("follow") { $0.isRunning("trial") }
        async let log = harness.log("follow", "trial", options: LogOptions(follow: true))
        try await harness.release("follow", "trial")
        // The last line arrived, so the stream did not end early; the status follows later.
        #expect(String(decoding: try await log, as: UTF8.self) == "one\ntwo\nthree")
        _ = try await harness.waitEnded("follow")
    }

    @Test func aContainerThatWaitsHasNoLog() async throws {
        let harness = try harness
        try await harness.create("no-log", podSpec([shell("trial", "true")], initContainers: [shell("first", "sleep 300")]))
        try await harness.wait("no-log") { $0.isRunning("first") }
        await #expect(throws: (any Error).self) { try await harness.log("no-log", "trial") }
    }

    // MARK: Policies

    @Test func restartsOnFailure() async throws {
        let harness = try harness
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        try await harness.create(
            "on-failure",
            podSpec(
                [shell("trial", "echo x >> /v/n; [ $(wc -l < /v/n) -ge 2 ]", ["volumeMounts": mounts])], initContainers: [],
                ["restartPolicy": "OnFailure", "volumes": [["name": "v", "emptyDir": [:]]]]))
        let pod = try await harness.waitEnded("on-failure")
        #expect(pod.at("status", "phase") == "Succeeded")
        #expect(pod.container("trial")?["restartCount"] == 1)
        #expect(pod.container("trial")?.at("lastState", "terminated", "exitCode") == 1)
    }

    @Test func sidecar() async throws {
        let harness = try harness
        // The trial ends when the sidecar has set its trap: a first process without one ignores TERM.
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        try await harness.create(
            "sidecar",
            podSpec(
                [shell("trial", "until [ -e /v/ready ]; do sleep 0.05; done", ["volumeMounts": mounts])],
                initContainers: [
                    shell(
                        "collector", "trap 'exit 0' TERM; touch /v/ready; while :; do sleep 0.05; done",
                        ["restartPolicy": "Always", "volumeMounts": mounts])
                ], ["volumes": [["name": "v", "emptyDir": [:]]]]))
        let pod = try await harness.waitEnded("sidecar")
        #expect(pod.at("status", "phase") == "Succeeded")
        #expect(pod.ended("collector")?["exitCode"] == 0)
    }
}
