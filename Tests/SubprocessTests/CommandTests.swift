import Base
import Glibc
import Subprocess
import Testing

@Suite struct CommandTests {
    @Test func outputAndExitStatus() async throws {
        let result = try await Command("sh", ["-c", "echo out; echo err >&2; exit 3"]).run()
        #expect(result.exit == .code(3))
        #expect(result.stdoutText == "out\n")
        #expect(result.stderrText == "err\n")
    }

    @Test func largeInputAndOutputDoNotBlock() async throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let result = try await Command("cat", standardInput: .bytes(bytes)).run()
        #expect(result.stdout == bytes)
    }

    @Test func aChildThatDoesNotReadItsInputIsNoError() async throws {
        let result = try await Command("true", standardInput: .bytes([UInt8](repeating: 0x61, count: 1_000_000))).run()
        #expect(result.succeeded)
    }

    @Test func theDeadlineKillsTheWholeGroup() async throws {
        let result = try await Command("sh", ["-c", "sleep 300 & echo $!; wait"], deadlineSeconds: 0.3).run()
        #expect(result.timedOut)
        #expect(result.exit == .signal(SIGKILL))
        let grandchild = try #require(Int32(result.stdoutText.trimmed))
        #expect(await gone(grandchild))
    }

    @Test func cancellationKillsTheWholeGroup() async throws {
        let pid = Locked<Int32?>(nil)
        let task = Task {
            try await Command("sh", ["-c", "sleep 300 & echo $! > /dev/null; wait"]).run()
        }
        let running = try RunningCommand.start(
            Command("sh", ["-c", "sleep 300 & echo $!; wait"]),
            onStdout: { chunk in
                pid.withLock { $0 = Int32(String(decoding: chunk, as: UTF8.self).trimmed) }
            })
        while pid.withLock({ $0 }) == nil { try await Task.sleep(for: .milliseconds(5)) }
        running.signal(SIGKILL)
        #expect(await running.wait() == .signal(SIGKILL))
        let grandchild = try #require(pid.withLock { $0 })
        #expect(await gone(grandchild))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aGrandchildThatKeepsTheOutputOpenDelaysTheEndOnlyBriefly() async throws {
        let start = SystemTime().monotonic()
        let result = try await Command("sh", ["-c", "sleep 60 & echo done"]).run()
        #expect(result.stdoutText == "done\n")
        #expect(SystemTime().monotonic() - start < 20)
    }

    @Test func signalsAreAtTheirDefaultAndNoDescriptorLeaks() async throws {
        let result = try await Command("sh", ["-c", "grep SigIgn /proc/self/status; ls /proc/self/fd"]).run()
        let ignored = try #require(result.stdoutText.split(separator: "\n").first?.split(separator: "\t").last)
        // Signals 32 and 33 belong to the C library, which does not let anyone change them.
        #expect(try #require(UInt64(ignored, radix: 16)) & ~(0b11 << 31) == 0)
        let fds = result.stdoutText.split(separator: "\n").dropFirst().compactMap { Int($0) }
        #expect(fds.allSatisfy { $0 <= 3 })  // ls itself opens the directory
    }

    @Test func theGroupIsThereAndNoSignalIsBlockedWhenStartReturns() async throws {
        let text = Locked("")
        let running = try RunningCommand.start(
            Command("sh", ["-c", "grep SigBlk /proc/self/status; exec sleep 300"]),
            onStdout: { chunk in text.withLock { $0 += String(decoding: chunk, as: UTF8.self) } })
        #expect(getpgid(running.pid) == running.pid)
        while !text.withLock({ $0.hasSuffix("\n") }) { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try #require(UInt64(text.withLock { $0 }.trimmed.split(separator: "\t").last ?? "", radix: 16)) == 0)
        running.signal(SIGTERM)
        #expect(await running.wait() == .signal(SIGTERM))
    }

    @Test func aChildThatCannotStartLeavesTheCallerAsItWas() async throws {
        func surroundings() -> [UInt8] {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            return withUnsafeBytes(of: mask) { Array($0.prefix(8)) } + currentDirectory()
        }
        let directory = "/tmp/assay-spawn-\(getpid())"
        mkdir(directory, 0o755)
        defer { _ = [unlink("\(directory)/data"), rmdir(directory)] }
        let file = open("\(directory)/data", O_WRONLY | O_CREAT | O_CLOEXEC, 0o755)
        write(file, "\u{7F}no program", 10)
        close(file)
        let before = surroundings()
        for number in 0..<50 {
            // The child changes its directory, its signal mask and its descriptors, and fails after that.
            #expect(throws: SubprocessError.spawnFailed("\(directory)/data", errno: ENOEXEC), "\(number)") {
                try RunningCommand.start(Command("\(directory)/data", workingDirectory: "/usr"))
            }
        }
        #expect(surroundings() == before)
    }

    @Test("a failure is reported even if SIGCHLD was inherited as ignored")
    func ignoredChildren() async throws {
        signal(SIGCHLD, SIG_IGN)
        defer { signal(SIGCHLD, SIG_DFL) }
        #expect(try await Command("sh", ["-c", "exit 3"]).run().exit == .code(3))
    }

    @Test func environmentAndDirectory() async throws {
        let exact = try await Command("/usr/bin/env", environment: .exact(["A": "1"])).run()
        #expect(exact.stdoutText == "A=1\n")
        let changed = try await Command("sh", ["-c", "echo $B; pwd"], environment: .inheriting(adding: ["B": "2"]), workingDirectory: "/usr").run()
        #expect(changed.stdoutText == "2\n/usr\n")
    }

    @Test func theErrorForAProgramThatCannotStartHasTheReason() async {
        await #expect(throws: SubprocessError.notFound("no-such-program")) { try await Command("no-such-program").run() }
        await #expect(throws: SubprocessError.spawnFailed("true", errno: ENOENT)) {
            try await Command("true", workingDirectory: "/no/such/directory").run()
        }
    }

    @Test func outputIsCapped() async throws {
        let result = try await Command("head", ["-c", "100000", "/dev/zero"], outputLimit: 1000).run()
        #expect(result.truncated && result.stdout.count == 1000 && result.exit.isSuccess)
    }

    @Test func manyAtOnce() async throws {
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for i in 0..<100 { group.addTask { Int(try await Command("echo", ["\(i)"]).run().stdoutText.trimmed) ?? -1 } }
            return try await group.reduce(0, +)
        }
        #expect(sum == 4950)
    }

    @Test func inputCanBeWrittenAsItGoes() async throws {
        let out = Locked("")
        let running = try RunningCommand.start(
            Command("cat"), keepInputOpen: true,
            onStdout: { chunk in
                out.withLock { $0 += String(decoding: chunk, as: UTF8.self) }
            })
        running.write(Array("one ".utf8))
        running.write(Array("two".utf8))
        running.closeInput()
        #expect(await running.wait() == .code(0))
        #expect(out.withLock { $0 } == "one two")
    }

    private func currentDirectory() -> [UInt8] {
        guard let path = getcwd(nil, 0) else { return [] }
        defer { free(path) }
        return Array(String(cString: path).utf8)
    }

    private func gone(_ pid: Int32) async -> Bool {
        for _ in 0..<400 {
            if kill(pid, 0) != 0 { return true }
            // A zombie that its parent has not reaped yet counts as gone.
            if let text = try? await Command("cat", ["/proc/\(pid)/stat"]).run().stdoutText, text.contains(") Z ") { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

extension String {
    var trimmed: String { String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()) }
}
