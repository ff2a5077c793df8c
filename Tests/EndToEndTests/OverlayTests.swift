import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess
import Testing

extension EndToEnd {
    /// Overlays from git repositories to the trial's container, with real pods.
    @Suite struct OverlayTests {
        /// Makes or extends a repository of an overlay. Returns the commit.
        @discardableResult
        private func commit(_ bench: Workbench, _ name: String, _ files: [String: String]) async throws -> String {
            let path = "\(bench.directory)/\(name)"
            if !FileManager.default.fileExists(atPath: path) { try await bench.git("init", "--quiet", path, in: bench.directory) }
            for (file, text) in files { try bench.write("\(name)/\(file)", text, executable: text.hasPrefix("#!")) }
            try await bench.git("add", "--all", in: path)
            try await bench.git("commit", "--quiet", "--message", "more", in: path)
            return try await bench.git("rev-parse", "HEAD", in: path)
        }

        private static func overlay(_ name: String, _ spec: JSONValue) -> JSONValue {
            ["apiVersion": "assay.dev/v1alpha1", "kind": "OverlaySource", "metadata": ["name": .string(name)], "spec": spec]
        }

        /// What the agent of the only trial printed, and the record.
        private func run(_ bench: Workbench, _ repository: String) async throws -> (output: String, record: JSONValue) {
            let branch = "assay/runs/v1"
            let repository = "\(bench.directory)/\(repository)"
            let paths = try await bench.git("ls-tree", "-r", "--name-only", branch, in: repository).split(separator: "\n").map(String.init)
            for path in paths where path.hasSuffix("/metadata.json") {
                let record = try JSONValue(parsing: try await bench.git("show", "\(branch):\(path)", in: repository))
                guard record["kind"] == "run" else { continue }
                let log = path.replacing("metadata.json", with: "logs/command/stdout.txt")
                return (try await bench.git("show", "\(branch):\(log)", in: repository), record)
            }
            Issue.record("there is no run")
            return ("", .null)
        }

        /// A later directory has precedence, as docs/overlays.md shows.
        private static let agent = #"""
            tool() { local found= d; IFS=: read -ra list <<<"$ASSAY_TOOL_DIRS"; for d in "${list[@]}"; do [ -e "$d/$1" ] && found=$d/$1; done; "$found"; }
            echo "tools $ASSAY_TOOL_DIRS"
            echo "workflows ${ASSAY_WORKFLOW_DIRS-none}"
            echo "skills $ASSAY_SKILL_DIRS"
            echo "personas ${ASSAY_PERSONA_DIRS-none}"
            IFS=: read -ra prompts <<<"$ASSAY_PROMPT_FILES"
            for prompt in "${prompts[@]}"; do echo "prompt $prompt $(cat "$prompt")"; done
            echo "search $(tool search)"; echo "lint $(tool lint)"
            cd /.agents/skills && find . -type f | LC_ALL=C sort | while read -r f; do echo "skill $f $(cat "$f")"; done
            echo mine > /.agents/skills/review/mine && echo "the workspace's copies belong to $(id -un)"
            touch /assay/overlays/base/tools/x 2>/dev/null || echo "overlays are read-only"
            """#

        @Test(
            "three sources with shadowed tools and skills, and names that differ in case or Unicode form: a skills-only one, a disabled surface, a missing folder"
        )
        func laptop() async throws {
            try await Workbench.with("overlays") { bench in
                try bench.task("hello", toml: "[agent]\nuser = \"nobody\"\n")
                try await bench.commitBenchmark()
                let base = try await commit(
                    bench, "base",
                    [
                        "tools/search": "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\n", "tools/lib.sh": "echo base\n",
                        "tools/lint": "#!/bin/sh\necho base\n",
                        "workflows/nightly.yaml": "x", ".agents/skills/review/SKILL.md": "base", ".agents/skills/review/stale.md": "base",
                        ".agents/skills/plan/SKILL.md": "base", ".agents/skills/caf\u{E9}/SKILL.md": "one character",
                    ])
                let team = try await commit(
                    bench, "team",
                    [
                        "tools/search": "#!/bin/sh\necho team\n", "workflows/w.yaml": "x", "prompts/system.txt": "Be brief.", "people/a.md": "a",
                        ".agents/skills/Review/SKILL.md": "other case", ".agents/skills/cafe\u{301}/SKILL.md": "two characters",
                    ])
                let skills = try await commit(bench, "skills", ["review/SKILL.md": "skills"])
                let overlays = [
                    Self.overlay(
                        "team", ["repo": "team", "order": 2, "workflowsSubdir": "", "promptPath": "prompts/system.txt", "personasSubdir": "people"]),
                    Self.overlay("skills", ["repo": "skills", "order": 3, "skillsSubdir": "."]), Self.overlay("base", ["repo": "base", "order": 1]),
                ]
                let file = (overlays.map(\.text) + [JobFiles.job("overlays", agents: JobFiles.agent("a", execute: Self.agent))]).joined(
                    separator: "\n---\n")
                try bench.write("job.yaml", file)

                let plan = try await bench.assay("plan", "job.yaml", expecting: 0).stdoutText
                #expect(plan.contains("shadows tool/search of base"), "\(plan)")
                #expect(plan.contains(#"skipped: there is no folder "tools""#), "\(plan)")

                try await bench.assay("run", "job.yaml", expecting: 0)
                let (output, record) = try await run(bench, "results.git")
                let root = "/assay/overlays"
                #expect(
                    output == """
                        tools \(root)/base/tools:\(root)/team/tools
                        workflows \(root)/base/workflows
                        skills \(root)/base/skills:\(root)/team/skills:\(root)/skills/skills
                        personas \(root)/team/personas
                        prompt \(root)/team/prompt.md Be brief.
                        search team
                        lint base
                        skill ./Review/SKILL.md other case
                        skill ./cafe\u{301}/SKILL.md two characters
                        skill ./caf\u{E9}/SKILL.md one character
                        skill ./plan/SKILL.md base
                        skill ./review/SKILL.md skills
                        the workspace's copies belong to nobody
                        overlays are read-only
                        """, "\(output)")
                #expect(record["overlays"]?.array?.map { $0["revision"]?.string } == [base, team, skills])
                #expect(record["overlays"]?.array?.last?["shadows"] == ["skill/review of base"])

                // The next job of the same overlays has what was pushed, with nothing restarted by hand.
                let pushed = try await commit(bench, "team", ["tools/lint": "#!/bin/sh\necho team, pushed\n"])
                try bench.write("next.yaml", file.replacing("name: overlays", with: "name: next").replacing("results.git", with: "next.git"))
                try await bench.git("init", "--quiet", "--bare", "\(bench.directory)/next.git", in: bench.directory)
                try await bench.assay("run", "next.yaml", expecting: 0)
                let next = try await run(bench, "next.git")
                #expect(next.output.contains("\nlint team, pushed\n"), "\(next.output)")
                #expect(next.record["overlays"]?.array?.map { $0["revision"]?.string } == [base, pushed, skills])
            }
        }

        private static let password = "s3cret-of-the-overlay-5512"

        @Test(
            "a private source whose ref moves during a job and that then goes away: one fetch, no credential in a pod, the last good revision stays")
        func cluster() async throws {
            try await Workbench.with("overlays-cluster") { bench in
                try bench.task("hello")
                try await bench.commitBenchmark()
                let first = try await commit(bench, "tools", ["tools/search": "#!/bin/sh\necho first\n", "tools/more": "x"])
                let served = "\(bench.directory)/www/tools.git"
                try await bench.git("clone", "--quiet", "--bare", "\(bench.directory)/tools", served, in: bench.directory)
                let web = try await GitWebServer(
                    directory: "\(bench.directory)/web", root: "\(bench.directory)/www", users: ["x-access-token": Self.password])
                let cluster = try await ClusterProcesses.start(in: bench)
                let secret: JSONValue = [
                    "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "overlay-secret"],
                    "stringData": ["token": .string(Self.password), "caFile": .string(String(decoding: web.authority, as: UTF8.self))],
                ]
                try await cluster.client.create(.secrets, secret, namespace: "default")
                let spec: JSONValue = [
                    "repo": .string(web.url("tools.git")), "ref": "main", "secretRef": ["name": "overlay-secret"], "interval": "1h",
                ]
                try await cluster.client.create(.overlaySources, Self.overlay("private", spec), namespace: "default")
                let worker = try await cluster.startOperator()

                func create(_ name: String, _ script: String, attempts: Int = 1, parallelism: Int = 4) async throws {
                    try await cluster.create("job.yaml", name: name, results: "\(name).git") { job in
                        job.set(["spec", "source", "ref"], to: "main")
                        job.set(["spec", "datasets"], to: [["path": "tasks"]])
                        job.set(["spec", "agents"], to: [["name": "a", "execute": .string(script)]])
                        job.set(["spec", "attempts"], to: JSONValue(attempts))
                        job.set(["spec", "parallelism"], to: JSONValue(parallelism))
                        job.set(["spec", "environment"], to: ["image": "rootfs:/", "preserveEnv": "Always"])
                        job.set(["spec", "overlays"], to: .null)
                    }
                }
                func verdicts(_ name: String) async throws -> [String] { try await RecordedJob(bench, "\(name).git").verdicts.values.sorted() }
                func revision(_ name: String) async throws -> String? {
                    try await cluster.job(name).at("status", "overlays")?.array?.first?["revision"]?.string
                }

                // Trials of the first job start before and after the push; all see the revision that the job was pinned to.
                let isFirst = #"[ "$("$ASSAY_TOOL_DIRS/search")" = first ] && [ -e "$ASSAY_TOOL_DIRS/more" ]"#
                try await create("first", isFirst, attempts: 6, parallelism: 2)
                try await eventually("the first trials have pods", seconds: 120) { try await !cluster.pods().isEmpty }
                let second = try await commit(bench, "tools", ["tools/search": "#!/bin/sh\necho second\n"])
                try await bench.git("push", "--quiet", served, "HEAD:main", in: "\(bench.directory)/tools")
                try await create("second", #"[ "$("$ASSAY_TOOL_DIRS/search")" = second ]"#)
                for name in ["first", "second"] { try await cluster.waitForCompletion(of: name, seconds: 300) }
                #expect(try await verdicts("first") == Array(repeating: "reward 1.0", count: 6))
                #expect(try await verdicts("second") == ["reward 1.0"])
                #expect(try await revision("first") == first)
                #expect(try await revision("second") == second)
                for pod in try await cluster.pods() {
                    #expect(!pod.text.contains("overlay-secret") && !pod.text.contains(Self.password))
                }
                // Three looks, at the start and for each job, ask for the refs, and two of them fetch a revision, which asks for them again. No
                // trial asks for anything.
                let fetches = web.requests().filter { $0.contains("POST /tools.git/git-upload-pack") }
                #expect(fetches.count <= 7, "\(fetches)")

                // It goes away.
                try web.setUsers(["x-access-token": "another"])
                try await create("third", #"[ "$("$ASSAY_TOOL_DIRS/search")" = second ]"#)
                try await cluster.waitForCompletion(of: "third", seconds: 300)
                #expect(try await verdicts("third") == ["reward 1.0"])
                let overlay = try await cluster.client.get(.overlaySources, ObjectKey(namespace: "default", name: "private"))
                let ready = overlay.at("status", "conditions")?.array?.first { $0["type"] == "Ready" }
                #expect(
                    ready?["status"] == "False" && ready?["message"]?.string?.contains("last good revision \(second.prefix(12))") == true,
                    "\(overlay.text)")
                #expect(overlay.at("status", "revision")?.string == second)

                worker.signal(SIGTERM)
                _ = await worker.wait()
                for pod in try await cluster.pods() { _ = try? await cluster.client.delete(.pods, ObjectMeta(of: pod).key) }
                try await eventually("the pods are gone") { try await cluster.pods().isEmpty }
                await cluster.stop()
            }
        }
    }
}
