import Base
import Foundation
import Git
import SourceSync
import Subprocess
import Testing

@testable import TrialRuntime

/// What an agent finds of overlays: the runner in real bash, with the content of the overlays in place.
@Suite("Overlays in a trial")
struct OverlayRunTests {
    static let commit = String(repeating: "b", count: 40)

    static func overlay(_ name: String, _ texts: [OverlaySurface: String]) throws -> TrialProgram.Delivery.Overlay {
        .init(name: name, repo: "https://git.example/\(name)", commit: commit, paths: try OverlayPaths(parsing: texts))
    }

    /// A trial whose workspace is its root.
    private func rig(
        _ overlays: [TrialProgram.Delivery.Overlay], execute: String, variables: [String: String] = [:], workspace: String? = nil,
        taskSkills: ((_ root: String) -> String)? = nil
    ) throws -> TrialRig {
        try TrialRig(execute: execute, variables: variables, workspace: workspace) { program in
            program.delivery.overlays = overlays
            // The root is two folders above the instruction.
            program.environment.skillsDir = taskSkills?(Path.parent(of: Path.parent(of: program.instructionPath)))
            program.verifier.enabled = false
        }
    }

    private func skill(_ rig: TrialRig, _ overlay: String, _ name: String, _ files: [String: String]) throws {
        for (file, text) in files { try put(text, "\(rig.paths.overlay(overlay, .skills))/\(name)/\(file)") }
    }

    private func put(_ text: String, _ path: String) throws {
        try Directory.make(Path.parent(of: path))
        try FileWriting.replace(path, with: Array(text.utf8))
    }

    private func output(_ ended: TrialRig.Ended) -> String { ended.text("logs/command/stdout.txt") ?? "\(ended.report)" }

    private func git(_ words: String..., in folder: String) async throws -> String {
        let result = try await Command(
            "git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "safe.directory=*"] + words
        ).run()
        try #require(result.succeeded, "git \(words): \(result.stderrText)")
        return result.stdoutText
    }

    @Test("each surface's directories in the order of the overlays; what the image or a task sets under these names is not seen")
    func variables() async throws {
        let overlays = [
            try Self.overlay("base", [.tools: "tools", .skills: ".agents/skills", .prompt: "p.md"]), try Self.overlay("only-skills", [.skills: "s"]),
            try Self.overlay("team", [.tools: "t", .prompt: "x/y.md", .personas: "people"]),
        ]
        let rig = try rig(
            overlays, execute: "env | grep -E '^ASSAY_(TOOL|WORKFLOW|SKILL|PERSONA|PROMPT)' | sort",
            variables: ["ASSAY_TOOL_DIRS": "/mine", "ASSAY_WORKFLOW_DIRS": "/mine"])
        let root = rig.paths.overlays
        let ended = try await rig.run()
        #expect(
            output(ended) == """
                ASSAY_PERSONA_DIRS=\(root)/team/personas
                ASSAY_PROMPT_FILES=\(root)/base/prompt.md:\(root)/team/prompt.md
                ASSAY_SKILL_DIRS=\(root)/base/skills:\(root)/only-skills/skills
                ASSAY_TOOL_DIRS=\(root)/base/tools:\(root)/team/tools

                """)
    }

    @Test("a skill of a later source replaces the whole folder of an earlier one: no stale file stays, the image's own included")
    func merge() async throws {
        let overlays = try ["base", "team"].map { try Self.overlay($0, [.skills: "s"]) }
        let rig = try rig(
            overlays,
            execute: "echo \"${ASSAY_SKILL_DIRS//$ASSAY_ROOT/}\"; cd .agents/skills; find . -mindepth 1 -type f | LC_ALL=C sort "
                + "| while read -r f; do echo \"$f $(cat \"$f\")\"; done", taskSkills: { "\($0)/image-skills" })
        try put("task", "\(rig.paths.root)/image-skills/plan/SKILL.md")
        try skill(rig, "team", "plan", ["SKILL.md": "team", "stale.md": "team"])
        try put("image", "\(rig.paths.root)/.agents/skills/review/SKILL.md")
        try put("stale", "\(rig.paths.root)/.agents/skills/review/old.md")
        try put("image", "\(rig.paths.root)/.agents/skills/own/SKILL.md")
        try skill(rig, "base", "review", ["SKILL.md": "base", "only-base.md": "stale"])
        try skill(rig, "base", "two words", ["SKILL.md": "base"])
        try skill(rig, "base", "-rf", ["SKILL.md": "base"])
        try put("no skill", "\(rig.paths.overlay("base", .skills))/README.md")
        try skill(rig, "team", "review", ["SKILL.md": "team"])
        let ended = try await rig.run()
        #expect(
            output(ended) == """
                /assay/overlays/base/skills:/assay/overlays/team/skills:/image-skills
                ./-rf/SKILL.md base
                ./own/SKILL.md image
                ./plan/SKILL.md task
                ./review/SKILL.md team
                ./two words/SKILL.md base

                """)
    }

    @Test("the overlays stay out of git's view of the workspace, tracked skills included", arguments: ["root", "folder", "worktree"])
    func git(kind: String) async throws {
        let overlays = [try Self.overlay("base", [.skills: "s"])]
        let rig = try rig(
            overlays, execute: "cat .agents/skills/review/SKILL.md '.agents/skills/a [b]*/SKILL.md'; echo changed > file",
            workspace: kind == "folder" ? "sub/work space" : nil)
        let (root, work) = (rig.paths.root, rig.workspace)
        let (main, tree) = ("\(root)-main", "\(root)-tree")
        defer { for folder in [main, tree] { Directory.removeTree(folder) } }
        if kind == "worktree" {
            _ = try await git("init", "-q", "-b", "main", main, in: "/")
            _ = try await git("commit", "-q", "--allow-empty", "-m", "first", in: main)
            _ = try await git("worktree", "add", "-q", "--detach", tree, in: main)
            // The rig's folder becomes the worktree.
            try FileManager.default.moveItem(atPath: "\(tree)/.git", toPath: "\(root)/.git")
            _ = try await git("worktree", "repair", root, in: main)
        } else {
            _ = try await git("init", "-q", "-b", "main", root, in: "/")
        }
        for file in ["review/SKILL.md", "review/old.md"] { try put("tracked", "\(work)/.agents/skills/\(file)") }
        try put("x", "\(work)/file")
        _ = try await git("add", "file", ".agents", in: work)
        _ = try await git("commit", "-q", "-m", "task", in: work)
        try skill(rig, "base", "review", ["SKILL.md": "overlay "])
        try skill(rig, "base", "a [b]*", ["SKILL.md": "special"])
        let ended = try await rig.run()
        #expect(output(ended) == "overlay special")
        let status = try await git("status", "--porcelain", "--", "file", ".agents", in: work)
        #expect(status.hasPrefix(" M ") && status.split(separator: "\n").count == 1, "\(status)")
        #expect(try await git("diff", "--stat", "--", ".agents", in: work) == "")
    }

    @Test("the script in docs/overlays.md finds the tool of the last overlay that has it")
    func documented() async throws {
        let root = Path.parent(of: Path.parent(of: Path.parent(of: #filePath)))
        let page = try String(contentsOfFile: "\(root)/docs/overlays.md", encoding: .utf8)
        let script = try #require(page.components(separatedBy: "```bash\n").dropFirst().first?.components(separatedBy: "\n```").first)
        let rig = try rig(try ["base", "team", "last"].map { try Self.overlay($0, [.tools: "tools"]) }, execute: script + "\necho \"$tool\"\n")
        for name in ["base", "team"] { try put("x", "\(rig.paths.overlay(name, .tools))/search") }
        try put("x", "\(rig.paths.overlay("last", .tools))/other")
        let ended = try await rig.run()
        #expect(output(ended) == rig.paths.overlay("team", .tools) + "/search\n")
    }

    @Test("a skill that cannot be copied ends the trial with the reason")
    func unwritable() async throws {
        let rig = try rig([try Self.overlay("base", [.skills: "s"])], execute: "true")
        try put("a file", "\(rig.paths.root)/.agents")
        try skill(rig, "base", "review", ["SKILL.md": "x"])
        let ended = try await rig.run()
        #expect(ended.report.error?.message.contains("the skill review cannot be copied to \(rig.paths.root)/.agents/skills: mkdir: ") == true)
    }
}
