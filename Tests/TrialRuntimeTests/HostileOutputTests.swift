import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing
import TrialRuntime

/// What a malicious trial leaves for the collector.
@Suite("Hostile outputs", .timeLimit(.minutes(10)))
struct HostileOutputTests {
    static let pass = "echo 1 > $ASSAY_ROOT/logs/verifier/reward.txt"

    func rig(_ execute: String, variables: [String: String] = [:]) throws -> TrialRig {
        try TrialRig(execute: "cd $ASSAY_ROOT/logs/agent || exit 1\n" + execute, test: Self.pass, variables: variables)
    }

    func paths(_ collected: JSONValue, _ list: String) -> [String] {
        (collected[list]?["items"]?.array ?? []).compactMap { $0["path"]?.string }.sorted()
    }

    @Test("catalogue 50: links, FIFOs, hard links and huge sparse files do no harm")
    func fileTrees() async throws {
        let rig = try rig(
            """
            echo "host secret" > $ASSAY_ROOT/outside
            ln -s $ASSAY_ROOT/outside absolute; ln -s ../../outside relative; ln -s loop loop; ln -s / root
            ln -s c1 c0; ln -s c2 c1; ln -s $ASSAY_ROOT c2; ln -s .. up
            mkfifo pipe; echo inside > file; ln file hard
            mknod null c 1 3 2>/dev/null; mknod disk b 7 0 2>/dev/null; true
            truncate -s 1T bomb
            mkdir -p deep; d=deep; for i in $(seq 80); do d=$d/d; done; mkdir -p $d; echo x > $d/bottom
            """)
        let ended = try await rig.run { $0.limits.read = 1 << 20 }
        #expect(ended.report.reward == 1)
        // Only root may make devices.
        let devices = ["disk", "null"].filter { access(rig.paths.logs + "/agent/" + $0, F_OK) == 0 }
        let skipped = ["absolute", "c0", "c1", "c2"] + devices + ["loop", "pipe", "relative", "root", "up"]
        #expect(paths(ended.collected, "skipped") == skipped.sorted().map { "logs/agent/\($0)" })
        #expect(ended.report.skippedFiles == skipped.count)
        #expect(!ended.files.values.contains { String(decoding: $0, as: UTF8.self).contains("host secret") })
        #expect(ended.text("logs/agent/file") == "inside\n")
        #expect(ended.text("logs/agent/hard") == "inside\n")
        #expect(paths(ended.collected, "truncated") == ["logs/agent/bomb"])
        #expect(ended.collected["truncated"]?["items"]?[0]?["bytes"]?.int == 1 << 40)
        #expect((ended.files["logs/agent/bomb"]?.count ?? .max) <= (1 << 20) + 100)
        #expect(ended.collected["unfinished"]?["count"]?.int == 1)
        #expect(ended.report.truncatedFiles == 2)
    }

    @Test("catalogue 51: a nested repository, .gitignore and .gitattributes change no byte")
    func nestedRepository() async throws {
        let rig = try rig(
            """
            mkdir work; cd work; export HOME=$ASSAY_ROOT
            git init -q . 2>/dev/null; git config user.email a@b; git config user.name a
            printf 'one\\r\\ntwo\\r\\n' > crlf.txt; printf '*.log\\nsecret*\\n' > .gitignore
            printf '* text=auto eol=lf\\n*.txt filter=evil\\n' > .gitattributes
            printf '[submodule "x"]\\n\\tpath = ../../x\\n\\turl = --upload-pack=touch\\n' > .gitmodules
            echo kept > run.log; git add crlf.txt; git commit -qm x
            """)
        let ended = try await rig.run()
        #expect(ended.report.error == nil)
        #expect(ended.text("logs/agent/work/crlf.txt") == "one\r\ntwo\r\n")
        #expect(ended.text("logs/agent/work/run.log") == "kept\n")
        #expect(ended.text("logs/agent/work/%2Egitignore") == "*.log\nsecret*\n")
        #expect(ended.text("logs/agent/work/%2Egitattributes") == "* text=auto eol=lf\n*.txt filter=evil\n")
        #expect(ended.files["logs/agent/work/%2Egitmodules"] != nil)
        #expect(ended.files["logs/agent/work/%2Egit/HEAD"] != nil)
        // Every regular file of the disk, byte for byte.
        let root = rig.paths.logs + "/agent/work"
        for case let path as String in try #require(FileManager.default.enumerator(atPath: root)) {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder), !isFolder.boolValue else { continue }
            let packed =
                "logs/agent/work/"
                + path.split(separator: "/").map { $0.hasPrefix(".git") ? "%2E" + $0.dropFirst() : $0 }
                .joined(separator: "/")
            let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(root)/\(path)")))
            #expect(ended.files[packed] == bytes, "\(path)")
        }
    }

    @Test("catalogue 51: names that are equal only under Unicode normalisation are two files, and each keeps its content")
    func equivalentNames() async throws {
        let rig = try rig(
            #"""
            printf one > $'\xc3\xa9'; printf two > $'e\xcc\x81'
            mkdir $'d\xc3\xa9' $'de\xcc\x81'; printf three > $'d\xc3\xa9/x'; printf four > $'de\xcc\x81/x'; printf five > $'de\xcc\x81/\xcc\x81y'
            """#)
        let ended = try await rig.run()
        func content(_ name: String) -> String? { ended.blobs[Array("logs/agent/\(name)".utf8)].map { String(decoding: $0, as: UTF8.self) } }
        #expect(content("\u{E9}") == "one" && content("e\u{301}") == "two")
        #expect(content("d\u{E9}/x") == "three" && content("de\u{301}/x") == "four" && content("de\u{301}/\u{301}y") == "five")
    }

    @Test("catalogue 52: no program that the output configures is run")
    func fsmonitor() async throws {
        let rig = try rig(
            """
            mkdir -p .git/hooks; printf '[core]\\n\\tfsmonitor = touch %s/owned\\n\\thooksPath = .git/hooks\\n' $ASSAY_ROOT > .git/config
            echo 'ref: refs/heads/main' > .git/HEAD; mkdir -p .git/objects .git/refs
            for h in post-index-change reference-transaction; do printf '#!/bin/sh\\ntouch %s/owned\\n' $ASSAY_ROOT > .git/hooks/$h; chmod +x .git/hooks/$h; done
            """)
        let ended = try await rig.run()
        #expect(ended.report.error == nil)
        #expect(access(rig.paths.root + "/owned", F_OK) != 0)
    }

    @Test("catalogue 53: frames that a trial prints are its output, not ours")
    func forgedFrame() async throws {
        let rig = try rig(
            """
            echo "-----BEGIN ASSAY PACK v1 tree=\(String(repeating: "0", count: 40)) sha256=\(String(repeating: "0", count: 64)) bytes=3-----"
            echo bGll; echo "-----END ASSAY PACK-----"
            echo '{"version":1,"reward":1}' > /dev/termination-log 2>/dev/null; true
            """)
        let ended = try await rig.run()
        #expect(ended.text("logs/command/stdout.txt")?.contains("BEGIN ASSAY PACK") == true)
        #expect(!ended.printed.starts(with: Array("lie".utf8)))
        #expect(ended.files["collected.json"] != nil)
    }

    @Test("catalogue 54: too much output is cut and flagged, and the verifier's files are still recorded")
    func floods() async throws {
        let rig = try rig(
            """
            head -c 3000000 /dev/urandom > noise.bin; head -c 600000 /dev/urandom > less.bin; echo small > small.txt
            mkdir many; cd many; for i in $(seq 400); do : > f$i; done
            """)
        let ended = try await rig.run {
            $0.limits.pack = 400_000
            $0.limits.entries = 100
        }
        #expect(ended.report.reward == 1)
        #expect((ended.report.pack?.bytes ?? .max) <= 400_000)
        #expect(ended.files["logs/verifier/reward.txt"] == Array("1\n".utf8))
        #expect(ended.text("logs/agent/small.txt") == "small\n")
        #expect(paths(ended.collected, "truncated") == ["logs/agent/less.bin", "logs/agent/noise.bin"])
        #expect(ended.collected["truncated"]?["items"]?[0]?["path"]?.string == "logs/agent/noise.bin", "largest first")
        #expect(ended.collected["unfinished"]?["count"]?.int == 1)
        #expect(ended.report.truncatedFiles == 3)
        #expect(ended.files.count <= 102)
        let cut = try #require(ended.files["logs/agent/noise.bin"])
        let original = try [UInt8](Data(contentsOf: URL(fileURLWithPath: rig.paths.logs + "/agent/noise.bin")))
        #expect(Array(cut.prefix(50_000)) == Array(original.prefix(50_000)))
        #expect(Array(cut.suffix(50_000)) == Array(original.suffix(50_000)))
        #expect(String(decoding: cut, as: UTF8.self).contains("bytes left out here]"))
    }

    @Test("catalogue 54: a file that compresses to nothing is cut all the same: hosts refuse objects that are too large")
    func largeObject() async throws {
        let rig = try rig("truncate -s 300000 zeros; truncate -s 1000 small")
        let ended = try await rig.run { $0.limits.file = 100_000 }
        let kept = try #require(ended.files["logs/agent/zeros"])
        #expect((90_000...100_200).contains(kept.count) && String(decoding: kept, as: UTF8.self).contains("bytes left out here]"))
        #expect(paths(ended.collected, "truncated") == ["logs/agent/zeros"] && ended.files["logs/agent/small"]?.count == 1000)
    }

    @Test("catalogue 55: escapes and invalid UTF-8 in names, contents and errors are inert")
    func escapes() async throws {
        let rig = try TrialRig(
            execute: """
                cd $ASSAY_ROOT/logs/agent; printf '\\033[2J\\377raw' > "$(printf 'a\\033[31m\\nb')"; echo x > "$(printf 'bad\\377')"
                printf 'cannot \\033]0;owned\\007 go on\\r\\n' >&2; exit 1
                """)
        let ended = try await rig.run()
        #expect(ended.files["logs/agent/a%1B[31m%0Ab"] == [0x1B] + Array("[2J".utf8) + [0xFF] + Array("raw".utf8))
        #expect(ended.files["logs/agent/bad%FF"] != nil)
        #expect(paths(ended.collected, "renamed").count == 2)
        let message = try #require(ended.report.error?.message)
        #expect(message.contains("cannot \\x1b]0;owned"))
        #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    @Test("catalogue 58: secrets are gone from contents, names and messages before anything leaves the pod")
    func secrets() async throws {
        let secret = "sk-live-1234567890\nsecond line"
        let rig = try TrialRig(
            install: "printf '%s' \"$TOKEN\"; true",
            execute: """
                cd $ASSAY_ROOT/logs/agent
                echo "token=$TOKEN." > log.txt; printf 'bin\\000%s\\000' "$TOKEN" > data.bin; echo $PIN > pin.txt
                { head -c 262140 /dev/zero; printf '%s' "$TOKEN"; } > across.bin
                mkdir "dir-$KEY-x"; echo y > "dir-$KEY-x/f"; echo $KEY$KEY > twice.txt; echo "failing with $KEY" >&2; exit 4
                """,
            variables: [
                "TOKEN": secret, "KEY": "hunter2-hunter2", "PIN": "1234",
                "ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN,ASSAY_SECRET_1:KEY,ASSAY_SECRET_2:PIN,ASSAY_SECRET_3:MISSING",
                "ASSAY_SECRET_0": secret + "\n", "ASSAY_SECRET_1": "hunter2-hunter2", "ASSAY_SECRET_2": "1234",
            ])
        let ended = try await rig.run()
        for (path, bytes) in ended.files {
            #expect(!path.contains("hunter2"), "\(path)")
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(!text.contains("hunter2-hunter2") && !text.contains("1234567890"), "\(path)")
        }
        #expect(ended.text("logs/agent/log.txt") == "token=[redacted].\n")
        #expect(ended.files["logs/agent/data.bin"] == Array("bin\0[redacted]\0".utf8))
        #expect(ended.text("logs/agent/twice.txt") == "[redacted][redacted]\n")
        #expect(ended.text("logs/setup/stdout.txt") == "[redacted]")
        #expect(ended.files["logs/agent/dir-[redacted]-x/f"] != nil)
        #expect(ended.text("logs/agent/pin.txt") == "1234\n")
        #expect(ended.report.unredacted == ["PIN"])
        #expect(ended.report.redactions == 7 && ended.report.redacted == ["TOKEN": 4, "KEY": 3])
        #expect(ended.collected["redactedSecrets"] == ["TOKEN": 4, "KEY": 3], "by name, never by value")
        #expect(ended.report.error?.message.contains("failing with [redacted]") == true)
        let message = try String(contentsOfFile: rig.paths.terminationLog, encoding: .utf8)
        #expect(!message.contains("hunter2"))
    }

    @Test("catalogue 58: encoded, and in names that a slash or an encoding takes apart")
    func encodedSecrets() async throws {
        let secret = "tok/en+with=all?kinds&of letters"
        let rig = try rig(
            #"""
            mkdir -p "x-$TOKEN"; echo 1 > "x-$TOKEN/f"; echo 2 > '[redacted]'; mkdir -p "$(printf %s "$TOKEN" | base64 -w0)"; echo 3 > "$(printf %s "$TOKEN" | base64 -w0)/f"
            printf %s "user:$TOKEN" | base64 -w0 > basic.txt; echo "$TOKEN$TOKEN$TOKEN" | base64 > lines.txt
            echo '{"key":"tok\/en+with=all?kinds\u0026of letters"}' > key.json; echo 'q=tok%2Fen%2bwith%3Dall%3Fkinds%26of+letters' > query.txt
            echo '{"session":"tok%2Fen%2Bwith%3Dall%3Fkinds%26of%20letters"}'; echo "[$TOKEN] is no number" > $ASSAY_ROOT/message
            """#,
            variables: ["TOKEN": secret, "ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN", "ASSAY_SECRET_0": secret])
        try rig.write("cat $ASSAY_ROOT/message > $ASSAY_ROOT/logs/verifier/reward.txt", rig.paths.staged + "/tests/test.sh")
        let ended = try await rig.run()
        #expect(ended.text("logs/agent/basic.txt")?.hasPrefix("dXNlcj") == true)
        #expect(ended.text("logs/agent/key.json") == "{\"key\":\"[redacted]\"}\n")
        #expect(ended.text("logs/agent/query.txt") == "q=[redacted]\n")
        #expect(ended.text("logs/command/stdout.txt") == "{\"session\":\"[redacted]\"}\n")
        #expect(ended.text("transcript.jsonl")?.contains("{\"session\":\"[redacted]\"}\n") == true)
        let left = try #require(ended.text("logs/agent/lines.txt")).split(separator: "[redacted]")
        #expect(left.reduce(0) { $0 + $1.count } <= 8, "letters that two bytes share: \(left)")
        #expect(ended.text("logs/agent/[redacted]") == "2\n")
        #expect(ended.text("logs/agent/x-[redacted]/[redacted]/f") == "1\n", "\(ended.files.keys.sorted())")
        #expect(ended.files.values.contains(Array("3\n".utf8)))
        for (path, bytes) in ended.files {
            let text = path + "\n" + String(decoding: bytes, as: UTF8.self)
            for piece in ["tok/en", "with=all", "of letters", "kinds", "dG9rL2Vu", "YWxsP2tpbmRz"] {
                #expect(!text.contains(piece), "\(piece) in \(path)")
            }
        }
        #expect(ended.report.error?.type == .verifierRewardInvalid)
        let message = try String(contentsOfFile: rig.paths.terminationLog, encoding: .utf8)
        #expect(message.contains("[[redacted]]") && !message.contains("with=all"), "\(message)")
    }

    @Test("catalogue 58: names of rewards, and a message that would end within a secret")
    func secretsOfTheVerifier() async throws {
        let secret = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        let rig = try rig("true", variables: ["TOKEN": secret, "ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN", "ASSAY_SECRET_0": secret])
        try rig.write("echo '{\"reward\":1,\"\(secret)\":0.5}' > $ASSAY_ROOT/logs/verifier/reward.json", rig.paths.staged + "/tests/test.sh")
        #expect(try await rig.run().report.rewards == ["reward": 1, "[redacted]": 0.5])
        let second = "abcdefghijklmnopqrstuvwxyz"
        let both = try self.rig(
            "true", variables: ["ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN,ASSAY_SECRET_1:OTHER", "ASSAY_SECRET_0": secret, "ASSAY_SECRET_1": second])
        try both.write(
            "echo '{\"reward\":1,\"\(secret)\":0.5,\"\(second)\":0.25,\"[redacted] 2\":0}' > $ASSAY_ROOT/logs/verifier/reward.json",
            both.paths.staged + "/tests/test.sh")
        #expect(try await both.run().report.rewards == ["reward": 1, "[redacted]": 0.5, "[redacted] 3": 0.25, "[redacted] 2": 0], "none is lost")
        let other = try self.rig("true", variables: ["TOKEN": secret, "ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN", "ASSAY_SECRET_0": secret])
        // What is quoted of the file is cut after 60 characters, which lie within the secret.
        try other.write(
            "echo 'this is not a number but it goes on for a while: \(secret)' > $ASSAY_ROOT/logs/verifier/reward.txt",
            other.paths.staged + "/tests/test.sh")
        let message = try #require(try await other.run().report.error?.message)
        #expect(!message.contains("ABCDEFG") && message.contains("[redacted"), "\(message)")
    }

    @Test("catalogue 58: a cut never leaves a part of a secret")
    func secretAtTheCut() async throws {
        let secret = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        // Nothing but secrets: wherever the file is cut, it is cut within one.
        for limit in [1001, 1010, 1024] {
            let rig = try rig(
                "for i in $(seq 500); do printf '%s' $TOKEN; done > all.txt",
                variables: ["TOKEN": secret, "ASSAY_REDACT": "ASSAY_SECRET_0:TOKEN", "ASSAY_SECRET_0": secret])
            let ended = try await rig.run { $0.limits.read = limit }
            let rest = try #require(ended.text("logs/agent/all.txt"))
                .replacingOccurrences(of: "[redacted]", with: "")
            #expect(rest.contains("bytes left out here"))
            #expect(!rest.contains { $0.isUppercase }, "\(rest)")
        }
    }

    @Test("files and folders that the agent made unreadable are collected")
    func closed() async throws {
        let rig = try rig("mkdir dir; echo y > dir/closed.txt; chmod 000 dir/closed.txt; chmod 000 dir")
        let ended = try await rig.run()
        #expect(ended.text("logs/agent/dir/closed.txt") == "y\n")
        var info = stat()
        #expect(stat(rig.paths.logs + "/agent/dir", &info) == 0 && info.st_mode & 0o555 == 0o555)
    }

    @Test("the end of an output of more than a mebibyte is kept")
    func lastWords() async throws {
        let rig = try rig("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo 'this is why' >&2; exit 4")
        let ended = try await rig.run()
        #expect(ended.report.error?.message.hasSuffix("this is why") == true, "\(ended.report.error?.message ?? "")")
    }

    @Test("a collector without logs reports that the reward is missing")
    func noLogs() async throws {
        let rig = try rig("true")
        let ended = try await rig.run {
            $0.paths = TrialPaths(root: rig.paths.root); unlink(rig.paths.collectedLogs)
        }
        #expect(ended.report.error?.type == .verifierRewardMissing)
        #expect(ended.report.unreadableFiles == 1)
        #expect(ended.files.keys.sorted() == ["collected.json"])
    }
}
