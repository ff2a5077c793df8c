import Base
import Foundation
import Testing

extension EndToEnd {
    /// What an agent can access while it runs: it tries everything and prints the results.
    @Suite struct IsolationTests {
        /// Lines `PROBE name=result`; an empty result is expected.
        private static func probes(_ directory: String) -> String {
            """
            set +e
            say() { echo "PROBE $1=$2"; }
            one() { head -n 3 | tr '\\n' ' '; }
            # Everything that can be seen but for the kernel's file systems, the host's programs and what this trial wrote.
            everywhere() { find / \\( -path /proc -o -path /sys -o -path /dev -o -path /usr -o -path /logs \\) -prune -o "$@" -print 2>/dev/null | one; }
            grepped() { grep -rlI --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev --exclude-dir=usr --exclude-dir=logs --exclude=execute.sh -e "$1" / 2>/dev/null | one; }
            say tests "$(ls -A /tests 2>/dev/null | one)"
            say solution "$(ls -Ad /solution /oracle 2>/dev/null | one)"
            say test-text "$(grepped the-test''-text)"
            say solution-text "$(grepped the-solution''-text)"
            say other-trials "$(grepped the-other''-task)$(everywhere -name 'other*')"
            say secret-of-another "$(grepped the-secret-of''-another)$(env | grep -c 'the-secret-of''-another' | grep -v '^0')"
            say git "$(everywhere -name .git)$(everywhere -name '*.pack')$(everywhere -name packed-refs)"
            say token "$(ls -A /var/run/secrets /run/secrets 2>/dev/null | one)"
            say credentials "$(ls -Ad /assay/credentials /assay/cache /assay/staged /root/.git-credentials /root/.netrc /root/.config /root/.docker /root/.kube 2>/dev/null | one)"
            say shadow "$(ls /etc/shadow /etc/gshadow /etc/shadow- /etc/sudoers /etc/machine-id 2>/dev/null | one)"
            say keys "$(ls -d /etc/ssh/ssh_host_* /etc/ssl/private /root/.ssh /root/.gnupg 2>/dev/null | one)$(everywhere -name 'id_*' -o -name '*.key')"
            say assay "$(everywhere -name .assay)$(everywhere -name kubeconfig)"
            say checkout "$(ls -Ad \(directory) \(Workbench.root) 2>/dev/null | one)$(everywhere -name beside.txt)"
            say homes "$(ls -A /root /home /srv /var/lib /mnt /media /opt 2>/dev/null | grep -v ':$' | grep . | one)"
            say environment "$(env | grep -iE 'token|kubeconfig|credential|kubernetes' | one)"
            say mounts "$(cut -d' ' -f2 /proc/mounts | grep -vE '^/($|proc|sys|dev|usr|bin|sbin|lib|lib32|lib64|libx32|tests|logs|assay/scripts|assay/gate|etc/hosts|etc/hostname|etc/resolv.conf|run/.containerenv)' | one)"
            say processes "$(for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <"$p"; echo; done 2>/dev/null | grep -E '[c]onmon|[p]odman|[a]piserver|[a]ssay run' | one)"
            say scripts "$(echo x 2>/dev/null >> /assay/scripts/run.sh && echo changed)$(touch /assay/scripts/new 2>/dev/null && echo added)"
            say binary "$(echo x 2>/dev/null >> /usr/local/bin/assay && echo changed)"
            # The API server listens somewhere on the host's loopback. A connection to oneself by chance does not come twice.
            scan() {
              local p
              for ((p = 1; p < 65536; p++)); do
                { exec 7<>"/dev/tcp/$1/$p"; } 2>/dev/null && exec 7>&- && { exec 7<>"/dev/tcp/$1/$p"; } 2>/dev/null && exec 7>&- && echo "$1:$p"
              done
              echo "scanned $1" >&2
            }
            export -f scan
            say ports "$(timeout 150 bash -c 'scan 127.0.0.1' | one)"
            gateway=$(while read -r _ to via _; do [ "$to" = 00000000 ] && printf '%d.%d.%d.%d' "0x${via:6:2}" "0x${via:4:2}" "0x${via:2:2}" "0x${via:0:2}"; done < /proc/net/route)
            say gateway-ports "$([ -z "$gateway" ] || timeout 150 bash -c "scan $gateway" | one)"
            [ -n "$gateway" ] || echo "scanned no gateway: there is none" >&2
            """
        }

        @Test func theAgentReachesNeitherTestsNorSolutionNorCredentialsNorTheHost() async throws {
            try await Workbench.with("isolation") { bench in
                try bench.task(
                    "probe", toml: "[agent]\ntimeout_sec = 400.0\n", solution: "echo the-solution-text",
                    test: "# the-test-text\nmkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt")
                // At the same time another agent runs that has a secret.
                try bench.task("other", instruction: "the-other-task", solution: "sleep 3")
                try await bench.commitBenchmark()
                try bench.write("beside.txt", "a file beside the job")
                let agents: JSONValue = [
                    ["name": "prober", "execute": .string(Self.probes(bench.directory))],
                    [
                        "name": "keeper", "execute": "sleep 2; test -n \"$KEY\"",
                        "env": [["name": "KEY", "valueFrom": ["secretKeyRef": ["name": "llm", "key": "key"]]]],
                    ],
                ]
                try bench.write("job.yaml", JobFiles.secret("llm", ["key": "the-secret-of-another"]) + JobFiles.job("probe", agents: agents.text))
                try await bench.assay("run", "job.yaml", expecting: 0)

                let kubeconfig = try bench.read(".assay/apiserver/kubeconfig")
                let port = try #require(kubeconfig.firstMatch(of: /@127\.0\.0\.1:([0-9]+)/)?.output.1, "\(kubeconfig)")
                let branch = try await bench.branch()
                for (folder, run) in branch.runs where run["agent"]?.string == "prober" && run["task"]?.string == "probe" {
                    let text = try await bench.git("show", "assay/runs/v1:\(folder)/logs/command/stdout.txt", in: bench.results)
                    let errors = try await bench.git("show", "assay/runs/v1:\(folder)/logs/command/stderr.txt", in: bench.results)
                    var answers: [String: String] = [:]
                    for line in text.split(separator: "\n") where line.hasPrefix("PROBE ") {
                        let pair = line.dropFirst(6).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                        if pair.count == 2 { answers[pair[0]] = pair[1].trimmed }
                    }
                    #expect(answers.count == 21, "every probe answered: \(text)\n\(errors)")
                    // The gateway is this machine. Ports that it opens for everybody can be reached; the API server's must not be.
                    let open = answers.removeValue(forKey: "gateway-ports") ?? ""
                    #expect(
                        !open.split(separator: " ").contains { $0.hasSuffix(":\(port)") }, "the API server's port \(port) can be reached: \(open)")
                    for (name, found) in answers { #expect(found == "", "\(name): the agent found \(found)") }
                    #expect(errors.contains("scanned 127.0.0.1"), "all ports were tried: \(errors)")
                    #expect(errors.components(separatedBy: "scanned").count == 3, "and those of the gateway: \(errors)")
                }
                #expect(branch.runs.values.count { $0["reward"]?.double == 1 } == 4)
            }
        }

        /// The verifier sees the tests, and only it: the agent found the same paths empty.
        @Test func testsComeWithTheVerifierAndTheSolutionWithTheOracle() async throws {
            try await Workbench.with("released") { bench in
                try bench.task(
                    "look", solution: "ls /solution/solve.sh /oracle/solve.sh && touch /oracle/x 2>/dev/null && echo writable; ls -A /tests | wc -l",
                    test: "ls /tests/test.sh && ls /assay/staged 2>/dev/null; mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("look"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(try await bench.output(ofAgent: "oracle") == "/oracle/solve.sh\n/solution/solve.sh\n0")
                #expect(try await bench.output(ofAgent: "oracle", "logs/verifier/stdout.txt") == "/tests/test.sh")
            }
        }
    }
}
