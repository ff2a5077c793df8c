import Base
import Foundation
import Testing

extension EndToEnd {
    /// What an agent can reach while it runs: a task that tries each, and says what it got.
    @Suite struct IsolationTests {
        @Test func theAgentReachesNeitherTestsNorSolutionNorCredentialsNorTheHost() async throws {
            let bench = try Workbench("isolation")
            try bench.task("probe", solution: "echo the-solution-text", test: "# the-test-text\nmkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt")
            try await bench.commitBenchmark()
            try bench.write("beside.txt", "a file beside the job")
            // Each line of the agent's output is a probe: a name, and what it found.
            let probes = """
                set +e
                say() { echo \\"PROBE $1=$2\\"; }
                say tests \\"$(ls -A /tests 2>/dev/null | head -c 200)\\"
                say solution \\"$(ls -A /solution /oracle 2>/dev/null | head -c 200)\\"
                say testtext \\"$(grep -rl the-test-text / --include=* --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr 2>/dev/null | grep -v '^/logs' | head -n 3 | tr '\\\\n' ' ')\\"
                say solutiontext \\"$(grep -rl the-solution-text / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr 2>/dev/null | grep -v '^/logs' | head -n 3 | tr '\\\\n' ' ')\\"
                say git \\"$(find / -name .git -not -path '/proc/*' -not -path '/usr/*' 2>/dev/null | head -n 3 | tr '\\\\n' ' ')\\"
                say objects \\"$(find / -name '*.pack' -not -path '/proc/*' -not -path '/usr/*' 2>/dev/null | head -n 3 | tr '\\\\n' ' ')\\"
                say token \\"$(ls /var/run/secrets/kubernetes.io /run/secrets/kubernetes.io 2>/dev/null)\\"
                say shadow \\"$(ls /etc/shadow /etc/gshadow /etc/sudoers 2>/dev/null)\\"
                say keys \\"$(ls -d /etc/ssh/ssh_host_* /etc/ssl/private /root/.ssh /root/.git-credentials 2>/dev/null)\\"
                say assay \\"$(find / -name '.assay' -not -path '/proc/*' 2>/dev/null | head -n 1)\\"
                say beside \\"$(find / -name beside.txt -not -path '/proc/*' 2>/dev/null | head -n 1)\\"
                say home \\"$(ls -A /root /home /srv /var/lib /mnt /opt /work 2>/dev/null | grep -v ':$' | head -n 5 | tr '\\\\n' ' ')\\"
                say env \\"$(env | grep -iE 'token|kubeconfig|credential' | head -n 1)\\"
                say mounts \\"$(cut -d' ' -f2 /proc/mounts | grep -E '\(bench.directory)|/work|/root/|\\\\.assay' | head -n 1)\\"
                say write \\"$(touch /assay/scripts/x 2>&1 | grep -c -i read-only)\\"
                say binary \\"$(echo x >> /usr/local/bin/assay && echo written)\\"
                """
            try bench.write(
                "job.yaml",
                JobFiles.job("probe", agents: "[{name: prober, execute: \"\(probes.replacingOccurrences(of: "\n", with: "\\n"))\"}]"))
            try await bench.assay("run", "job.yaml", expecting: 0)

            let found = try await bench.output(ofAgent: "prober")
            let values = Dictionary(
                found.split(separator: "\n").compactMap { line -> (String, String)? in
                    guard let range = line.range(of: "PROBE ") else { return nil }
                    let pair = line[range.upperBound...].split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    return pair.count == 2 ? (String(pair[0]), String(pair[1]).trimmed) : nil
                }, uniquingKeysWith: { first, _ in first })
            #expect(values.count == 16, "every probe answered: \(found)")
            for (name, value) in values where name != "write" { #expect(value == "", "\(name): the agent found \(value)") }
            #expect(values["write"] == "1", "the scripts are mounted read-only")
            await bench.remove()
        }
    }
}

extension Workbench {
    /// The standard output of an agent's execute script, from the only run of that agent on the artifact branch.
    func output(ofAgent agent: String) async throws -> String {
        let files = try await git("ls-tree", "-r", "--name-only", "assay/runs/v1", in: results).split(separator: "\n").map(String.init)
        for file in files where file.hasSuffix("metadata.json") {
            let text = try await git("show", "assay/runs/v1:\(file)", in: results)
            guard let record = try? JSONValue(parsing: text), record["agent"]?.string == agent || record.at("agent", "name")?.string == agent else { continue }
            let folder = file.dropLast("metadata.json".count)
            let log = try #require(files.first { $0.hasPrefix(folder) && $0.hasSuffix("command/stdout.txt") })
            return try await git("show", "assay/runs/v1:\(log)", in: results)
        }
        Issue.record("no run of \(agent)")
        return ""
    }
}
