import AssayTesting
import Base
import Testing

@testable import KubeRuntime

@Suite("Controller")
struct ControllerTests {
    struct Trouble: Error {}
    let time = ManualTime()

    @Test("a failed key is retried after its backoff, and a key with a requested time at that time")
    func outcomes() async {
        let runs = Locked<[String: Int]>([:])
        let metrics = MetricsRegistry()
        let controller = Controller<String>(name: "test", workers: 2, time: time, metrics: metrics, log: quiet) { key in
            let run = runs.withLock { runs -> Int in
                runs[key, default: 0] += 1
                return runs[key] ?? 0
            }
            switch key {
            case "fails twice": return run <= 2 ? .retry(Trouble()) : .done
            case "again": return run == 1 ? .requeue(afterSeconds: 30) : .done
            default: return .done
            }
        }
        for key in ["fails twice", "again", "done"] { controller.enqueue(key) }
        let running = Task { await controller.run() }
        #expect(await eventually { runs.withLock { $0 } == ["fails twice": 1, "again": 1, "done": 1] })
        #expect(await eventually { (time.secondsToNextSleeper ?? 1000) <= 0.005 && controller.queue.delayedCount == 2 })
        time.advance(seconds: 0.006)
        #expect(await eventually { runs.withLock { $0["fails twice"] } == 2 })
        #expect(await eventually { (time.secondsToNextSleeper ?? 1000) <= 0.01 })
        time.advance(seconds: 0.02)
        #expect(await eventually { runs.withLock { $0["fails twice"] } == 3 })
        #expect(await eventually { (time.secondsToNextSleeper ?? 0) > 29 && controller.queue.processingCount == 0 })
        #expect(controller.queue.failures(of: "fails twice") == 0)
        time.advance(seconds: 30)
        #expect(await eventually { runs.withLock { $0["again"] } == 2 })
        controller.stop()
        await running.value
        let text = metrics.prometheusText()
        #expect(text.contains("assay_reconcile_errors_total{controller=\"test\"} 2"))
        #expect(text.contains("assay_reconcile_total{controller=\"test\",result=\"done\"} 3"))
        #expect(text.contains("assay_reconcile_seconds_count{controller=\"test\"} 6"))
    }

    @Test("a key is reconciled by one worker at a time, and again if it changed in the meantime")
    func oneWorkerPerKey() async {
        struct State {
            var active = 0
            var most = 0
            var runs = 0
        }
        let state = Locked(State())
        let gate = Latch()
        let controller = Controller<String>(name: "test", workers: 4, log: quiet) { _ in
            state.withLock { state in
                state.active += 1
                state.runs += 1
                state.most = max(state.most, state.active)
            }
            try? await gate.wait()
            state.withLock { $0.active -= 1 }
            return .done
        }
        let running = Task { await controller.run() }
        controller.enqueue("key")
        #expect(await eventually { state.withLock { $0.active } == 1 })
        for _ in 0..<100 { controller.enqueue("key") }
        gate.open()
        await controller.queue.waitUntilIdle()
        #expect(state.withLock { $0.most } == 1)
        #expect(state.withLock { $0.runs } == 2)
        controller.stop()
        await running.value
    }

    @Test("a stop starts no further reconcile and waits for running ones without cancelling them")
    func gracefulStop() async {
        let gate = Latch()
        let log = Locked<[String]>([])
        let controller = Controller<String>(name: "test", workers: 1, log: quiet) { key in
            log.withLock { $0.append("begin \(key)") }
            try? await gate.wait()
            log.withLock { $0.append("end \(key) \(Task.isCancelled)") }
            return .retry(Trouble())
        }
        controller.enqueue("a")
        controller.enqueue("b")
        let running = Task {
            await controller.run()
            log.withLock { $0.append("stopped") }
        }
        #expect(await eventually { log.withLock { $0 } == ["begin a"] })
        controller.stop()
        #expect(log.withLock { $0 } == ["begin a"])
        gate.open()
        await running.value
        #expect(log.withLock { $0 } == ["begin a", "end a false", "stopped"])
    }

    @Test("a cancelled run cancels running reconciles and waits for them")
    func cancelledRun() async {
        let log = Locked<[String]>([])
        let controller = Controller<String>(name: "test", workers: 2, log: quiet) { key in
            log.withLock { $0.append("begin") }
            try? await SystemTime().sleep(seconds: 3600)
            log.withLock { $0.append("end") }
            return .done
        }
        controller.enqueue("a")
        let running = Task { await controller.run() }
        #expect(await eventually { log.withLock { $0 } == ["begin"] })
        running.cancel()
        await running.value
        #expect(log.withLock { $0 } == ["begin", "end"])
    }
}
