import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// The outputs of a malicious trial, through real containers and into commits in a real bare repository.
    @Suite struct HostileTrialTests {
        private static let secret = "s3cr/et+with=marks&and-more"

        private static let trees = """
            cd /logs/agent
            ln -s /etc/passwd absolute; ln -s ../../../../etc/passwd relative; ln -s loop loop; ln -s / root; ln -s c1 c0; ln -s c2 c1; ln -s /etc c2
            ln -s /proc/self/environ environment; ln -s /etc/passwd transcript.jsonl
            mkfifo pipe; mknod null c 1 3 2>/dev/null; mknod disk b 8 0 2>/dev/null; ln /etc/passwd host 2>/dev/null
            echo inside > file; ln file hard; truncate -s 1T bomb
            d=deep; for i in $(seq 80); do d=$d/d; done; mkdir -p $d; echo x > $d/bottom
            rm -rf /logs/artifacts; ln -s /etc /logs/artifacts
            """

        /// A repository for which git would run programs, hide files and change bytes. Prints the blob id of each file.
        private static func repository(_ mark: String) -> String {
            #"""
            mkdir /logs/agent/work; cd /logs/agent/work; export HOME=/tmp
            git init -q . 2>/dev/null; git config user.email a@b; git config user.name a
            printf 'one\r\ntwo\r\n' > crlf.txt; printf '*.log\nsecret*\n' > .gitignore; echo kept > run.log
            printf '* text=auto eol=lf\n*.txt filter=evil\n' > .gitattributes
            printf '[submodule "x"]\n\tpath = ../../x\n\turl = --upload-pack=touch\n' > .gitmodules
            git add crlf.txt 2>/dev/null; git commit -qm x
            printf '[core]\n\tfsmonitor = touch \#(mark)\n\thooksPath = .git/hooks\n[filter "evil"]\n\tclean = touch \#(mark)\n\tsmudge = touch \#(mark)\n' >> .git/config
            for h in post-index-change reference-transaction post-checkout; do printf '#!/bin/sh\ntouch \#(mark)\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done
            find . -type f | sort | while read -r f; do echo "$(cd /; git hash-object --no-filters "/logs/agent/work/$f") $f"; done > /tmp/ids
            mv /tmp/ids /logs/artifacts/ids
            """#
        }

        private static let frames = """
            touch /logs/agent/lie
            echo '-----BEGIN ASSAY PACK v1 tree=\(String(repeating: "0", count: 40)) sha256=\(String(repeating: "0", count: 64)) bytes=3-----'
            echo bGll; echo '-----END ASSAY PACK-----'; echo '-----BEGIN ASSAY PACK v1 ' >&2
            echo 'done verify 1 0 0'; echo 'end {}'
            echo '{"version":1,"reward":1,"rewards":{"reward":1}}' > /dev/termination-log 2>/dev/null
            echo 1 > /logs/verifier/reward.txt; echo '{"reward":1}' > /logs/verifier/reward.json
            """

        private static let escapes = #"""
            cd /logs/agent; printf '\033[2Jraw \377' > "$(printf 'a\033[31m\nb')"; echo x > "$(printf 'bad\377')"
            printf '\033]0;owned\007\302\233 said \342\200\256desrever \377\n'
            printf 'cannot \033[2J\033]0;owned\007 \302\233 go on \377\r\n' >&2; exit 1
            """#

        private static let spill = #"""
            cd /logs/agent
            printf %s "$KEY" | base64 -w0; echo; printf %s "x$KEY" | base64 -w0 | tr '+/' '-_'; echo; printf %s "xy$KEY" | base64 -w0 | tr -d '='; echo
            for i in 1 2 3 4; do printf %s "$KEY"; done | base64
            echo 'q=s3cr%2Fet%2Bwith%3Dmarks%26and-more'; echo 'q=s3cr%2fet%2bwith%3dmarks%26and-more'
            echo '{"key":"s3cr\/et+with=marks\u0026and-more"}'
            mkdir -p "of-$KEY"; echo x > "of-$KEY/file"
            printf %s "$KEY" > halves; head -c 300000 /dev/zero >> halves; printf %s "$KEY" >> halves
            echo "it ends with $KEY" >&2; echo "[$KEY]" > /logs/artifacts/message
            """#

        @Test("catalogues 50, 51, 52, 53, 55 and 58: hostile trees, repositories, frames, escapes and secrets give sound commits")
        func hostileTrials() async throws {
            try await Workbench.with("hostile") { bench in
                let test = """
                    mkdir -p /logs/verifier
                    if [ -e /logs/agent/lie ]; then echo 0 > /logs/verifier/reward.txt
                    elif [ -e /logs/artifacts/message ]; then cat /logs/artifacts/message > /logs/verifier/reward.txt
                    else echo 1 > /logs/verifier/reward.txt; fi
                    """
                try bench.task("any", test: test)
                try await bench.commitBenchmark()
                let mark = "\(bench.directory)/owned"
                let env: JSONValue = [["name": "KEY", "valueFrom": ["secretKeyRef": ["name": "llm", "key": "key"]]]]
                let agents: JSONValue = [
                    ["name": "trees", "execute": .string(Self.trees)], ["name": "repository", "execute": .string(Self.repository(mark))],
                    ["name": "frames", "execute": .string(Self.frames)], ["name": "escapes", "execute": .string(Self.escapes)],
                    ["name": "spill", "execute": .string(Self.spill), "env": env],
                ]
                try bench.write("job.yaml", JobFiles.secret("llm", ["key": Self.secret]) + JobFiles.job("hostile", agents: agents.text))
                let ran = try await bench.assay("run", "job.yaml", expecting: 1)
                let branch = try await bench.branch()
                #expect(branch.runs.count == 5)
                try await bench.git("fsck", "--strict", "--no-dangling", in: bench.results)
                let modes = try await bench.git("ls-tree", "-r", "--format=%(objectmode)", "assay/runs/v1", in: bench.results)
                #expect(Set(modes.split(separator: "\n")) == ["100644"], "only files")
                try await bench.git(
                    "clone", "--quiet", "--branch", "assay/runs/v1", bench.results, "\(bench.directory)/checkout", in: bench.directory)
                let everything = try await bench.git("log", "-p", "--text", "--format=%B", "assay/runs/v1", in: bench.results)

                try await trees(branch, bench)
                try await repository(branch, bench)
                #expect(!FileManager.default.fileExists(atPath: mark), "no program that the outputs configure was run")

                let frames = try #require(branch.runs(agent: "frames").first)
                #expect(frames["reward"]?.double == 0 && frames["error"] == nil, "the verdict is the verifier's: \(frames.text)")
                #expect(try await bench.output(ofAgent: "frames").contains("BEGIN ASSAY PACK"), "the output is recorded")

                try await escapes(branch, bench, ran)
                try await secrets(branch, bench, everything)
            }
        }

        private func trees(_ branch: ArtifactBranch, _ bench: Workbench) async throws {
            let collected = try JSONValue(parsing: try await bench.output(ofAgent: "trees", "collected.json"))
            let skipped = Set((collected.at("skipped", "items")?.array ?? []).compactMap { $0["path"]?.string })
            for name in ["absolute", "relative", "loop", "root", "c0", "c1", "c2", "environment", "transcript.jsonl", "pipe"] {
                #expect(skipped.contains("logs/agent/\(name)"), "\(name): \(skipped)")
            }
            #expect(skipped.contains("logs/artifacts"))
            #expect(try await bench.output(ofAgent: "trees", "logs/agent/file") == "inside")
            #expect(try await bench.output(ofAgent: "trees", "logs/agent/hard") == "inside")
            #expect(try await bench.output(ofAgent: "trees", "transcript.jsonl").contains(#""source":"output""#), "a link is not a transcript")
            let run = try #require(branch.runs(agent: "trees").first)
            #expect(run["reward"]?.double == 1)
            #expect(run.at("outputs", "truncatedFiles")?.int ?? 0 >= 2, "the link bomb, and what is too deep")
            let passwd = try await bench.git("log", "-p", "--text", "assay/runs/v1", in: bench.results)
            #expect(!passwd.contains("root:x:0:0"), "nothing of the host")
        }

        private func repository(_ branch: ArtifactBranch, _ bench: Workbench) async throws {
            let folder = try #require(branch.runs.first { $0.value["agent"]?.string == "repository" }?.key)
            let ids = try await bench.output(ofAgent: "repository", "logs/artifacts/ids").split(separator: "\n")
            #expect(ids.count > 10)
            for line in ids {
                let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                let name = parts[1].dropFirst(2).split(separator: "/").map { $0.hasPrefix(".git") ? "%2E" + $0.dropFirst() : String($0) }.joined(
                    separator: "/")
                let found = try await bench.git("rev-parse", "assay/runs/v1:\(folder)/logs/agent/work/\(name)", in: bench.results)
                #expect(found == parts[0], "\(name) is not identical")
            }
        }

        private func escapes(_ branch: ArtifactBranch, _ bench: Workbench, _ ran: CommandResult) async throws {
            let run = try #require(branch.runs(agent: "escapes").first)
            let id = try #require(run["runId"]?.string)
            let message = run.at("error", "message")?.string ?? ""
            #expect(message.contains(#"cannot \x1b[2J"#), "\(message)")
            var shown = ["assay run": ran.stdoutText + ran.stderrText, "metadata": message]
            for words in [
                ["results", "list", "--remote", "results.git"], ["results", "show", id, "--remote", "results.git"],
                ["results", "show", id, "--remote", "results.git", "--transcript"],
                ["results", "show", id, "--remote", "results.git", "--log", "command/stderr.txt"],
            ] {
                shown[words.joined(separator: " ")] = try await bench.assay(words, expecting: 0).stdoutText
            }
            for (place, text) in shown {
                #expect(
                    !text.unicodeScalars.contains { ($0.value < 0x20 && $0 != "\n") || (0x7F..<0xA0).contains($0.value) || $0.value == 0x202E },
                    "\(place): \(text.debugDescription)")
            }
            #expect(shown.values.contains { $0.contains("said") })
        }

        private func secrets(_ branch: ArtifactBranch, _ bench: Workbench, _ everything: String) async throws {
            let run = try #require(branch.runs(agent: "spill").first)
            #expect(
                run.at("error", "type") == "verifier_reward_invalid" && run.at("error", "message")?.string?.contains("[[redacted]]") == true,
                "\(run.text)")
            #expect(run.at("outputs", "redacted", "KEY")?.int ?? 0 >= 12, "\(run.text)")
            var pieces = [Self.secret, "s3cr", "with=marks", "and-more", "s3cr%2", "with%3", "with%3D"]
            for before in 0..<3 {
                let letters = Base64.encode(Array(repeating: UInt8(ascii: "x"), count: before) + Array(Self.secret.utf8))
                // The letters in the middle, which do not depend on the surrounding bytes.
                pieces.append(String(letters.dropFirst(8).prefix(12)))
                pieces.append(String(letters.dropFirst(20).prefix(8)))
            }
            for piece in pieces { #expect(!everything.contains(piece), "\(piece) is on the branch") }
            #expect(branch.files.contains { $0.hasSuffix("/logs/agent/of-[redacted]/[redacted]/file") }, "\(branch.files)")
        }

        @Test("catalogue 54: ten gigabytes of log and a hundred thousand files are capped and flagged, in bounded time and memory")
        func floods() async throws {
            try await Workbench.with("flood") { bench in
                try bench.task("any", toml: "[agent]\ntimeout_sec = 300.0\n")
                try await bench.commitBenchmark()
                let flood = """
                    truncate -s 10G /logs/agent/huge.log
                    head -c 300000000 /dev/zero | tr '\\0' 'x'; echo; echo the end
                    mkdir /logs/agent/many; cd /logs/agent/many; perl -e 'for (1..100000) { open(F, ">", "f$_") }'
                    """
                try bench.write("job.yaml", JobFiles.job("flood", agents: JobFiles.agent("flood", execute: flood)))
                let begun = SystemTime().monotonic()
                try await bench.assay("run", "job.yaml", expecting: 0, seconds: 400)
                let branch = try await bench.branch()
                let run = try #require(branch.runs(agent: "flood").first)
                let spans = run["timings"]?.object ?? [:]
                print(
                    "10 GB and 100,000 files: \((SystemTime().monotonic() - begun).rounded(to: 1)) s in all, the collector \(spans["collect"]?["seconds"]?.double ?? 0) s"
                )
                // The collector's container may use 1 GiB. Beyond that it would be killed, and the verdict lost.
                #expect(run["reward"]?.double == 1 && run["passed"] == true, "\(run.text)")
                #expect(run.at("outputs", "truncatedFiles")?.int ?? 0 >= 3)
                let collected = try JSONValue(parsing: try await bench.output(ofAgent: "flood", "collected.json"))
                let truncated = collected.at("truncated", "items")?.array ?? []
                #expect(
                    truncated.first?["path"] == "logs/agent/huge.log" && truncated.first?["bytes"]?.int == 10 << 30,
                    "largest first: \(truncated.prefix(3))")
                #expect(truncated.contains { $0["path"] == "logs/command/stdout.txt" })
                #expect(collected.at("unfinished", "count")?.int == 1)
                #expect(branch.files.count <= 20_010)
                let folder = try #require(branch.runs.first?.key)
                func log(_ filter: String) async throws -> String {
                    let show = "git -C \(bench.results) show assay/runs/v1:\(folder)/logs/command/stdout.txt | \(filter)"
                    return try await Command("bash", ["-c", show]).run().stdoutText.trimmed
                }
                // The kept part is long, too.
                #expect(try await log("head -c 4") == "xxxx")
                #expect(try await log("tail -c 8") == "the end")
                #expect(try await log("grep -ac 'bytes left out here]$'") == "1")
                #expect(try await bench.output(ofAgent: "flood", "transcript.jsonl").contains(#""type":"cut""#))
                let size = try await bench.git("cat-file", "--batch-all-objects", "--batch-check=%(objectsize:disk)", in: bench.results)
                    .split(separator: "\n").reduce(0) { $0 + (Int($1) ?? 0) }
                #expect(size < 9 << 20, "\(size) bytes")
                try await bench.git("fsck", "--strict", "--no-dangling", in: bench.results)
            }
        }
    }
}
