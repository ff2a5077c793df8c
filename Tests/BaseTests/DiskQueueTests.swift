import Base
import Dispatch
import Glibc
import Testing

@Suite struct DiskQueueTests {
    @Test("work that blocks leaves the threads of Swift's tasks free: more of it than there are threads, released by a task")
    func blockingWork() async {
        let released = DispatchSemaphore(value: 0)
        let count = 2 * Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) + 8
        let begun = Locked(0)
        let ended = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<count {
                group.addTask {
                    await DiskQueue("assay.test.\(number)").run {
                        begun.withLock { $0 += 1 }
                        return released.wait(timeout: .now() + 600) == .success
                    }
                }
            }
            // On a thread of Swift's tasks: it runs only when the work above has not taken all of them.
            group.addTask {
                while begun.withLock({ $0 }) < count { try? await SystemTime().sleep(seconds: 0.002) }
                for _ in 0..<count { released.signal() }
                return true
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(ended.count == count + 1 && ended.allSatisfy { $0 })
    }

    @Test func workRunsOneAtATime() async {
        let queue = DiskQueue("assay.test")
        let running = Locked((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await queue.run {
                        running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                        for _ in 0..<100 { sched_yield() }
                        running.withLock { $0.now -= 1 }
                    }
                }
            }
        }
        #expect(running.withLock { $0.now == 0 && $0.most == 1 })
    }
}
