import AssayTesting
import Base
import Glibc
import KubeClient
import KubeCore
import Testing

@testable import KubeRuntime

/// A lease in memory that can be stolen, fail and hang.
final class MemoryLease: LeaseLock {
    struct Failure: Error {}

    struct State {
        var record: LeaseRecord?
        var version = 0
        var fails = false
        var hangs = false
        var writes = 0
    }

    let state = Locked(State())

    func read() async throws -> (record: LeaseRecord, version: String)? {
        try await pause()
        return state.withLock { state in state.record.map { ($0, String(state.version)) } }
    }

    func create(_ record: LeaseRecord) async throws {
        try await pause()
        try state.withLock { state throws in
            guard state.record == nil else { throw Failure() }
            state.set(record)
        }
    }

    func write(_ record: LeaseRecord, over version: String) async throws {
        try await pause()
        try state.withLock { state throws in
            guard String(state.version) == version else { throw Failure() }
            state.set(record)
        }
    }

    func steal(by holder: String) { state.withLock { $0.set(LeaseRecord(holder: holder, durationSeconds: 15)) } }

    var holder: String? { state.withLock { $0.record?.holder } }

    private func pause() async throws {
        let (fails, hangs) = state.withLock { ($0.fails, $0.hangs) }
        if hangs { try await SystemTime().sleep(seconds: 3600) }
        if fails { throw Failure() }
    }
}

extension MemoryLease.State {
    fileprivate mutating func set(_ record: LeaseRecord) {
        self.record = record
        version += 1
        writes += 1
    }
}

@Suite("Leader election")
struct LeaderElectionTests {
    let time = ManualTime()
    let lease = MemoryLease()

    func election(_ identity: String) -> LeaderElection {
        LeaderElection(lock: lease, identity: identity, time: time, log: quiet)
    }

    /// Advances in small steps until a condition holds; false when it does not hold after `seconds`.
    ///
    /// - Parameters:
    ///   - elections: how many take part. Each waits for its next attempt again before the clock goes on, however slow the machine is; without
    ///     this the clock would pass the deadline of a leader that has had no chance to run.
    ///   - wait: the longest wait of an election, with its jitter.
    func pass(upTo seconds: Double, elections: Int = 1, wait: Double = 2.5, until condition: @Sendable () -> Bool) async -> Bool {
        var passed = 0.0
        while passed < seconds {
            if condition() { return true }
            _ = await eventually(within: 5) { condition() || time.sleeperCount(within: wait) >= elections }
            time.advance(seconds: 0.25)
            passed += 0.25
        }
        return await eventually { condition() }
    }

    func pass(_ seconds: Double, elections: Int = 1) async {
        for _ in 0..<Int(seconds * 4) {
            #expect(await eventually { time.sleeperCount(within: 2.5) >= elections })
            time.advance(seconds: 0.25)
        }
    }

    @Test("one process leads at a time; after a normal end the next one gets the lease at once")
    func handOver() async {
        struct State {
            var active: [String] = []
            var most = 0
            var led: [String] = []
        }
        let state = Locked(State())
        let done = [Latch(), Latch()]
        let names = ["one", "two"]
        let endings = names.indices.map { number in
            Task {
                await election(names[number]).run {
                    state.withLock { state in
                        state.active.append(names[number])
                        state.most = max(state.most, state.active.count)
                        state.led.append(names[number])
                    }
                    try? await done[number].wait()
                    state.withLock { state in state.active.removeAll { $0 == names[number] } }
                }
            }
        }
        #expect(await eventually { state.withLock { $0.active.count } == 1 })
        // For a long time the leader renews and the other waits.
        await pass(40, elections: 2)
        #expect(state.withLock { $0.led.count } == 1)
        #expect(lease.state.withLock { $0.writes } > 15)
        let first = state.withLock { names.firstIndex(of: $0.led[0]) } ?? 0
        done[first].open()
        #expect(await endings[first].value == .finished)
        #expect(await pass(upTo: 3) { state.withLock { $0.led.count } == 2 })
        done[1 - first].open()
        #expect(await endings[1 - first].value == .finished)
        #expect(state.withLock { $0.most } == 1)
        #expect(lease.holder == "")
    }

    @Test("catalogue 38: a stolen lease cancels the guarded work, and the loser does not release it")
    func stolen() async {
        let log = Locked<[String]>([])
        let ending = Task {
            await election("me").run {
                log.withLock { $0.append("leads") }
                try? await SystemTime().sleep(seconds: 3600)
                log.withLock { $0.append("stopped") }
            }
        }
        #expect(await eventually { log.withLock { $0 } == ["leads"] })
        lease.steal(by: "thief")
        #expect(await pass(upTo: 3) { log.withLock { $0.count } == 2 })
        #expect(await ending.value == .lost)
        #expect(lease.holder == "thief")
    }

    @Test("work that does not stop after a loss counts as stalled")
    func workThatDoesNotStop() async {
        let liveness = Liveness(time: time)
        let begun = Locked(false)
        let latch = Latch()
        let election = LeaderElection(lock: lease, identity: "me", time: time, liveness: liveness, log: quiet)
        let ending = Task {
            await election.run {
                begun.withLock { $0 = true }
                // Ignores its cancellation.
                await Task.detached { try? await latch.wait() }.value
            }
        }
        #expect(await eventually { begun.withLock { $0 } })
        // It makes progress while it leads and while it waits.
        for _ in 0..<4 {
            await pass(100)
            #expect(liveness.stalled.isEmpty)
        }
        lease.steal(by: "thief")
        #expect(await pass(upTo: 3) { time.sleeperCount == 0 })
        #expect(await pass(upTo: 320, elections: 0) { liveness.stalled.map(\.part) == ["leader election"] })
        latch.open()
        #expect(await ending.value == .lost)
        #expect(liveness.stalled.isEmpty)
    }

    @Test("catalogue 60: the renewal is on time although all threads of the pool block")
    func blockedPool() async {
        let timing = LeaseTiming(leaseDuration: 30, renewDeadline: 20, retryPeriod: 0.1)
        let election = LeaderElection(lock: lease, identity: "me", timing: timing, time: LeaseTime(), log: quiet)
        let done = Latch()
        let leads = Latch()
        let ending = Task {
            await election.run {
                leads.open()
                try? await done.wait()
            }
        }
        try? await leads.wait()
        // More tasks than the pool can have threads, so nothing else runs on the pool meanwhile.
        let before = lease.state.withLock { $0.writes }
        let during = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    usleep(2_000_000 / 64 * UInt32(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
                    return lease.state.withLock { $0.writes }
                }
            }
            return await group.reduce(0) { max($0, $1) }
        }
        // About twenty are due in two seconds. One may have been under way when the pool was blocked.
        #expect(during > before + 2)
        done.open()
        #expect(await ending.value == .finished)
    }

    @Test("without an answer the work stops at the renew deadline, before others may take the lease", arguments: [true, false])
    func unreachable(_ hangs: Bool) async {
        let stoppedAt = Locked(0.0)
        let begin = Locked(0.0)
        let ending = Task {
            await election("me").run {
                begin.withLock { $0 = time.monotonic() }
                try? await SystemTime().sleep(seconds: 3600)
                stoppedAt.withLock { $0 = time.monotonic() }
            }
        }
        #expect(await eventually { begin.withLock { $0 } > 0 })
        lease.state.withLock { state in
            state.fails = !hangs
            state.hangs = hangs
        }
        // An attempt that hangs is given up after five seconds.
        #expect(await pass(upTo: 15, wait: 5.5) { stoppedAt.withLock { $0 } > 0 })
        let led = stoppedAt.withLock { $0 } - begin.withLock { $0 }
        #expect(led >= 9 && led < 12)
        #expect(await ending.value == .lost)
    }

    @Test("a short outage is survived")
    func shortOutage() async {
        let stopped = Locked(false)
        let ending = Task {
            await election("me").run {
                while !Task.isCancelled, self.time.now() < Timestamp(seconds: 1_800_000_060) {
                    try? await SystemTime().sleep(seconds: 0.001)
                }
                stopped.withLock { $0 = true }
            }
        }
        #expect(await eventually { lease.holder == "me" })
        lease.state.withLock { $0.fails = true }
        await pass(6)
        lease.state.withLock { $0.fails = false }
        #expect(await pass(upTo: 80) { stopped.withLock { $0 } })
        #expect(await ending.value == .finished)
    }

    @Test(
        "catalogue 39: a wall clock that jumps an hour forwards or backwards neither loses the lease nor gives it to two", arguments: [-3600.0, 3600])
    func clockJump(_ jump: Double) async {
        struct State {
            var active = 0
            var most = 0
            var begun = 0
        }
        let state = Locked(State())
        let tasks = ["one", "two"].map { name in
            Task {
                await election(name).run {
                    state.withLock { state in
                        state.active += 1
                        state.begun += 1
                        state.most = max(state.most, state.active)
                    }
                    try? await SystemTime().sleep(seconds: 3600)
                    state.withLock { $0.active -= 1 }
                }
            }
        }
        #expect(await eventually { state.withLock { $0.active } == 1 })
        time.jumpWallClock(seconds: jump)
        await pass(40, elections: 2)
        time.jumpWallClock(seconds: -2 * jump)
        await pass(40, elections: 2)
        #expect(state.withLock { $0.begun } == 1)
        #expect(state.withLock { $0.most } == 1)
        for task in tasks { task.cancel() }
        // The waiting process sleeps on the manual clock; a cancellation interrupts the sleep.
        for task in tasks { #expect(await task.value == .cancelled) }
    }

    @Test("a cancelled leader renews until its work has stopped, and only then releases the lease")
    func releaseOrder() async {
        let gate = Latch()
        let leads = Latch()
        let ending = Task {
            await election("me").run {
                leads.open()
                // Work that ignores its cancellation for a while.
                await Task { try? await gate.wait() }.value
            }
        }
        try? await leads.wait()
        ending.cancel()
        let before = lease.state.withLock { $0.writes }
        await pass(20)
        #expect(lease.holder == "me")
        #expect(lease.state.withLock { $0.writes } >= before + 5)
        gate.open()
        #expect(await ending.value == .cancelled)
        #expect(lease.holder == "")
    }

    @Test("on the API server: a Lease is created, held and released")
    func overHTTP() async throws {
        let api = try FakeAPI()
        let client = KubeClient(config: .direct(server: api.url), log: quiet)
        let key = ObjectKey(namespace: "assay-system", name: "operator")
        let timing = LeaseTiming(leaseDuration: 15, renewDeadline: 10, retryPeriod: 0.02)
        let seen = Locked<JSONValue?>(nil)
        let ending = await LeaderElection(
            client: client, namespace: key.namespace, name: key.name, identity: "pod-1", timing: timing, log: quiet
        ).run {
            _ = await eventually { api.get(.leases, key)?.at("spec", "leaseTransitions") == 0 && api.server.requests.count > 6 }
            seen.withLock { $0 = api.get(.leases, key) }
        }
        #expect(ending == .finished)
        let held = try #require(seen.withLock { $0 })
        #expect(held.at("spec", "holderIdentity") == "pod-1")
        #expect(held.at("spec", "leaseDurationSeconds") == 15)
        #expect(held.at("spec", "renewTime")?.string?.hasSuffix("Z") == true)
        #expect(api.get(.leases, key)?.at("spec", "holderIdentity") == "")
    }
}
