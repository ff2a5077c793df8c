import EvalModel
import Foundation
import SourceSync
import Testing

@testable import TrialRuntime

/// The environment of a trial's container is for its phases: nothing in it changes the runner, and nothing of the runner is in it.
@Suite("The environment of a trial's phases", .serialized, .timeLimit(.minutes(10)))
struct EnvironmentTests {
    /// Prints the environment that the shell was started with. By builtins: the environment may be one in which nothing else works.
    static func dump(_ name: String) -> String {
        #"while IFS= read -r -d '' -t 5 entry; do printf '%s\0' "$entry"; done </proc/$$/environ >"$ASSAY_ROOT/logs/agent/\#(name)""#
    }

    static func entries(_ ended: TrialRig.Ended, _ name: String) -> [String: String] {
        let bytes = ended.files["logs/agent/\(name)"] ?? []
        return bytes.split(separator: 0).reduce(into: [:]) { found, entry in
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { return }
            found[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
    }

    /// Every word of run.sh that could be the name of a variable or a function, and names that programs treat in a special way.
    static let usedNames: Set<String> = {
        let words = ContractTests.script.matches(of: /[A-Za-z_][A-Za-z0-9_]*/).map { String($0.output) }
        let issue = ["name", "limit", "steps", "step", "code", "start", "dir", "logs", "tests", "outcome", "child", "word", "verify"]
        let more = [
            "a.b", "FOO-BAR", "x y", "BASH", "PWD", "OLDPWD", "SHLVL", "REPLY", "OPTIND", "LINENO", "SECONDS", "RANDOM", "UID", "EUID", "PPID",
            "HOSTNAME", "BASH_SOURCE", "BASHPID", "FUNCNAME", "DIRSTACK", "PIPESTATUS", "EPOCHSECONDS", "HISTFILE", "COLUMNS", "LANG", "TMPDIR",
        ]
        // Those with a meaning for the tests' own scripts or for the programs that run them.
        let own: Set<String> = [
            "PATH", "HOME", "BASH_ENV", "ASSAY_PATH", "ASSAY_INSTRUCTION_PATH", "ASSAY_TASK_INSTRUCTION", "ROLLOUT_TASK_INSTRUCTION", "LC_ALL",
            "ASSAY_MCP_CONFIG", "ASSAY_TASK_SKILLS_DIR",
        ]
        let overlays = OverlaySurface.allCases.map { TrialVariables.overlays($0) }
        return Set(words + issue + more).subtracting(own).subtracting(overlays)
    }()

    @Test("variables of every name that the runner uses reach each phase with their values", arguments: TaskSchema.allCases)
    func everyName(_ family: TaskSchema) async throws {
        try #require(Self.usedNames.count > 200 && Self.usedNames.isSuperset(of: ["limit", "steps", "verify_limits", "__assay_environment"]))
        let given = Dictionary(uniqueKeysWithValues: Self.usedNames.map { ($0, "kept \($0)") })
        let rig = try TrialRig(
            install: Self.dump("install"), execute: Self.dump("execute"), test: Self.dump("verify") + "; \(TrialRunTests.reward)",
            variables: given, verifierVariables: ["JUDGE": "dread"], program: { $0.family = family })
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 1, "\(String(describing: ended.report.error))")
        for phase in ["install", "execute", "verify"] {
            let found = Self.entries(ended, phase)
            let lost = given.filter { found[$0.key] != $0.value }
            // bash sets some variables in its own children's environment: with Harbor's rule a bash starts test.sh.
            let expected: Set<String> =
                phase == "verify" && family == .harbor ? ["PWD", "OLDPWD", "SHLVL", "_", "UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS"] : []
            #expect(Set(lost.keys).subtracting(expected) == [], "\(phase)")
            var known = Set(given.keys).union([
                "PATH", "HOME", "ASSAY_ROOT", "ASSAY_INSTRUCTION_PATH", "ASSAY_TASK_INSTRUCTION", "ROLLOUT_TASK_INSTRUCTION",
            ])
            if phase == "verify" { known.insert("JUDGE") }
            #expect(Set(found.keys).subtracting(known) == [], "nothing of the runner's in \(phase)")
        }
    }

    @Test("without a variable of those names, none is there")
    func nothingOfTheRunner() async throws {
        let rig = try TrialRig(execute: Self.dump("execute"), test: TrialRunTests.reward)
        let ended = try await rig.run()
        #expect(
            Set(Self.entries(ended, "execute").keys)
                == ["PATH", "HOME", "ASSAY_ROOT", "ASSAY_INSTRUCTION_PATH", "ASSAY_TASK_INSTRUCTION", "ROLLOUT_TASK_INSTRUCTION"])
    }

    /// Variables that change how bash works, one row each.
    static let hostileVariables: [[String: String]] = [
        ["IFS": "0123456789e/"], ["POSIXLY_CORRECT": "1"], ["FUNCNEST": "1"], ["TMOUT": "1"], ["EXECIGNORE": "*"], ["GLOBIGNORE": "*"],
        ["CDPATH": "/usr:/"], ["BASH_COMPAT": "31"], ["SHELLOPTS": "errexit:nounset:noglob:noexec"], ["SHELLOPTS": "posix:errexit:nounset"],
        ["BASHOPTS": "nocasematch:failglob:nullglob:lastpipe"], ["LC_ALL": "tr_TR.UTF-8", "LANG": "C.UTF-8"], ["BASH_XTRACEFD": "2"],
        ["PWD": "/nowhere", "OLDPWD": "/nowhere"], ["HOME": "/proc/none"], ["BASH": "/nowhere/bash", "BASH_SOURCE": "/nowhere", "BASH_ARGV0": "x"],
        ["UID": "5", "EUID": "5", "PPID": "1"], ["SECONDS": "99999999", "RANDOM": "1", "EPOCHREALTIME": "1.5", "LINENO": "x"],
        [
            "BASH_FUNC_kill%%": "() { :; }", "BASH_FUNC_wait%%": "() { :; }", "BASH_FUNC_mkdir%%": "() { exit 9; }",
            "BASH_FUNC_unset%%": "() { exit 9; }",
        ],
        [
            "BASH_FUNC_say%%": "() { exit 9; }", "BASH_FUNC_run%%": "() { exit 9; }", "BASH_FUNC_exec%%": "() { exit 9; }",
            "BASH_FUNC_set%%": "() { exit 9; }",
        ],
        [
            "BASH_FUNC_local%%": "() { exit 9; }", "BASH_FUNC_trap%%": "() { exit 9; }", "BASH_FUNC_env%%": "() { exit 9; }",
            "BASH_FUNC_type%%": "() { exit 9; }",
        ],
        [
            "__assay_bash": "/nowhere", "__assay_place": "/nowhere", "__assay_start": "/nowhere", "__assay_environment": "x=1",
            "__assay_path": "/nowhere",
        ],
        ["PS4": "$(exit 9)", "PROMPT_COMMAND": "exit 9", "POSIX_PEDANTIC": "1", "MAILCHECK": "0", "HISTTIMEFORMAT": "x"],
        ["TIME_STYLE": "x", "BLOCK_SIZE": "x", "TZ": "Nowhere/No", "_POSIX2_VERSION": "199209", "CHILD_MAX": "1"],
    ]

    @Test("variables that change how bash works change nothing of the runner, and reach the agent", arguments: hostileVariables)
    func hostile(_ variables: [String: String]) async throws {
        let rig = try TrialRig(
            install: "exit 0", execute: Self.dump("execute"), test: #"printf '1\n' >"$ASSAY_ROOT/logs/verifier/reward.txt""#, variables: variables)
        let ended = try await rig.run()
        // Some of them keep the agent's own bash from working, which is theirs to do: the runner reports it as it is.
        #expect(ended.runnerExit == .code(0) && !ended.report.trialDied)
        #expect(Set(ended.report.phases.keys).isSuperset(of: ["setup", "install", "collect"]))
        for timing in ended.report.phases.values { #expect((timing.end ?? 0) - timing.start < 20_000 && timing.start > 1_600_000_000_000) }
        let ownBashWorks = Set(variables.keys).isDisjoint(with: ["SHELLOPTS", "EXECIGNORE", "BASH_FUNC_exec%%", "FUNCNEST"])
        if ownBashWorks {
            #expect(ended.report.error == nil && ended.report.reward == 1, "\(String(describing: ended.report.error))")
            let found = Self.entries(ended, "execute")
            for (name, value) in variables where name != "HOME" { #expect(found[name] == value, "\(name)") }
        }
    }

    @Test("BASH_ENV and PS4 work in the agent's scripts and in nothing of the runner")
    func startupFiles() async throws {
        let rig = try TrialRig(
            install: "true", execute: "true", test: TrialRunTests.reward,
            variables: ["PS4": #"$(printf '%s\n' "$0" >>"$ASSAY_ROOT/traced")"#, "SHELLOPTS": "xtrace"])
        let file = rig.paths.root + "/startup"
        try rig.write(#"printf '%s\n' "$0" >>"$ASSAY_ROOT/started""#, file)
        rig.add(["BASH_ENV": file, "ENV": file])
        let ended = try await rig.run()
        #expect(ended.report.reward == 1, "\(String(describing: ended.report.error))")
        let started = try String(contentsOfFile: rig.paths.root + "/started", encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(started == [rig.paths.install, rig.paths.execute, rig.paths.tests + "/test.sh"])
        // Of the environment of root, bash takes no PS4.
        let traced = (try? String(contentsOfFile: rig.paths.root + "/traced", encoding: .utf8)) ?? ""
        #expect(!traced.contains("run.sh"))
    }

    @Test(
        "a PATH without the system's programs affects only the phases, and the error names it as the cause of a missing program",
        arguments: TaskSchema.allCases)
    func path(_ family: TaskSchema) async throws {
        let rig = try TrialRig(
            install: "printf '%s' \"$PATH\" > $ASSAY_ROOT/logs/agent/path.txt", execute: "cat /etc/hostname", test: TrialRunTests.reward,
            variables: ["ASSAY_PATH": "/opt/tool/bin"], program: { ($0.family, $0.pathSetter) = (family, .task) })
        let ended = try await rig.run()
        #expect(ended.text("logs/agent/path.txt") == "/opt/tool/bin")
        #expect(ended.report.exitCodes["execute"] == 127)
        let error = try #require(ended.report.error)
        #expect(error.type == .agentExecutionFailed && error.message.contains("PATH is set by the task's environment"), "\(error)")
        #expect(error.message.contains("cat: command not found"))
        #expect((ended.report.reward == nil) == (family == .rollout) || ended.report.exitCodes["verify"] == 127)
    }

    @Test("an agent's PATH, and an empty one, and none at all")
    func otherPaths() async throws {
        for (variables, path) in [
            (["ASSAY_PATH": "/opt/x:/usr/bin:/bin"], "/opt/x:/usr/bin:/bin"), (["ASSAY_PATH": "/usr/bin", "PATH": "/usr/bin:/bin"], "/usr/bin"),
            (["PATH": "/bin:/usr/bin"], "/bin:/usr/bin"),
        ] {
            let rig = try TrialRig(
                execute: "printf '%s' \"$PATH\" > $ASSAY_ROOT/logs/agent/path.txt", test: TrialRunTests.reward, variables: variables)
            let ended = try await rig.run()
            #expect(ended.text("logs/agent/path.txt") == path && ended.report.reward == 1)
        }
    }

    @Test("no process of a phase shows the environment among its arguments")
    func arguments() async throws {
        let rig = try TrialRig(
            execute: #"for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done >"$ASSAY_ROOT/logs/agent/ps.txt" 2>/dev/null"#,
            test: TrialRunTests.reward,
            variables: ["MODEL_KEY": "seen-by-nobody-4711"])
        let ended = try await rig.run()
        #expect(ended.report.reward == 1)
        let list = try #require(ended.text("logs/agent/ps.txt"))
        #expect(list.contains("execute.sh") && !list.contains("seen-by-nobody-4711"))
    }
}
