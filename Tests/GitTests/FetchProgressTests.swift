import Base
import Testing

@testable import Git

@Suite struct FetchProgressTests {
    @Test(
        "a transfer is stalled when its mean over the window is below the limit, and not before",
        arguments: [
            // Bytes per second, and when the transfer is stopped; nil: not within five minutes.
            (0, 60), (1, 60), (500, 60), (1024, nil), (50_000, nil),
        ] as [(Int, Int?)])
    func floor(rate: Int, end: Int?) {
        var progress = FetchProgress(window: 60, floor: 1024, at: 0)
        var stalled: Int?
        for second in 1...300 where stalled == nil {
            progress.came(rate * second, at: Double(second))
            if progress.isStalled(at: Double(second)) { stalled = second }
        }
        // The first byte begins the transfer, so it is stopped one second later than a transfer without any byte.
        #expect(stalled.map { $0 - (rate > 0 ? 1 : 0) } == end)
    }

    @Test("a burst makes up for a pause that is shorter than the window")
    func bursts() {
        var progress = FetchProgress(window: 60, floor: 1024, at: 0)
        for minute in 0..<10 {
            progress.came(100_000 * (minute + 1), at: Double(minute * 59))
            #expect(!progress.isStalled(at: Double(minute * 59 + 58)))
        }
        #expect(progress.isStalled(at: 9 * 59 + 60))
    }

    @Test("while the remote prepares, messages count as progress, for ten minutes; while it sends they do not")
    func words() {
        var progress = FetchProgress(window: 60, floor: 1024, at: 0)
        var now = 0.0
        while now < 599 {
            progress.receive("remote: Counting objects: \(Int(now))% (1/100)", at: now)
            #expect(!progress.isStalled(at: now + 30))
            now += 30
        }
        for _ in 0..<3 {
            progress.receive("remote: Counting objects", at: now)
            now += 30
        }
        #expect(progress.isStalled(at: now))
        progress = FetchProgress(window: 60, floor: 1024, at: 0)
        progress.receive("Receiving objects:   1% (1/273), 512 bytes | 1.00 KiB/s", at: 1)
        for second in 2...61 { progress.receive("remote: still there", at: Double(second)) }
        #expect(progress.isStalled(at: 61))
    }

    @Test(
        "git's work on this machine afterwards never counts as stalled, and a remote cannot imitate its messages",
        arguments: [
            ("Receiving objects: 100% (273/273), 1.23 MiB | 456.00 KiB/s, done.", false), ("Resolving deltas:  10% (1/10)", false),
            ("remote: Resolving deltas:  10% (1/10)", true),
        ])
    func resolving(line: String, isStalled: Bool) {
        var progress = FetchProgress(window: 60, floor: 1024, at: 0)
        progress.receive("Receiving objects:  99% (272/273), 1.23 MiB | 456.00 KiB/s", at: 1)
        progress.receive(line, at: 2)
        #expect(progress.isStalled(at: 1000) == isStalled)
    }

    @Test func amounts() {
        #expect(FetchProgress.bytes(in: "Receiving objects:  45% (123/273), 1.50 MiB | 456.00 KiB/s") == 1_572_864)
        #expect(FetchProgress.bytes(in: "Receiving objects:  45% (123/273)") == nil)
        #expect(FetchProgress.bytes(in: "Receiving objects:  45% (123/273), 9e99 GiB | x") == nil)
        #expect(FetchProgress.bytes(in: "Receiving objects:  45% (123/273), -1 bytes") == nil)
    }

    @Test("a failure is classified by git's errors, not by progress messages or names of refs")
    func errors() {
        var words = FetchWords()
        words.feed(Array("From https://h/r\n * [new branch]  timed out -> timed out\nremote: Counting objects: 100% (3/3), done.\n".utf8))
        words.feed(Array("Receiving objects:   1% (1/273)\rReceiving objects:   2% (2/273)\rfatal: early".utf8))
        words.feed(Array(" EOF".utf8))
        words.finish()
        #expect(words.errors == "fatal: early EOF\n")
        #expect(words.take().suffix(2) == ["Receiving objects:   1% (1/273)", "Receiving objects:   2% (2/273)"])
    }

    @Test("one host cannot use all places, and does not delay the others")
    func places() async throws {
        let budget = CloneBudget(total: 4, perHost: 2)
        let slow = try GitURL(parsing: "https://slow.example/r")
        var held = [try await budget.enter(slow), try await budget.enter(slow)]
        let third = Task { try await budget.enter(slow) }
        while budget.waiting < 1 { await Task.yield() }
        for host in ["a", "b"] { held.append(try await budget.enter(try GitURL(parsing: "https://\(host).example/r"))) }
        let fifth = Task { try await budget.enter(try GitURL(parsing: "https://c.example/r")) }
        while budget.waiting < 2 { await Task.yield() }
        // When another host's place becomes free, the next other host starts, not the third request of the slow one.
        held[2].release()
        let place = try await fifth.value
        #expect(budget.waiting == 1)
        held[0].release()
        _ = try await third.value
        #expect(budget.waiting == 0)
        place.release()
    }
}
