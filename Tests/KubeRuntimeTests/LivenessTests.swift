import AssayTesting
import Base
import Testing

@testable import KubeRuntime

@Suite("Liveness")
struct LivenessTests {
    let time = ManualTime()

    @Test("parts without progress within their bound are stalled, longest first; ended parts are not")
    func parts() {
        var parts = LivenessParts()
        let quick = parts.begin("quick", within: 10, now: 100)
        let slow = parts.begin("slow", within: 60, now: 90)
        #expect(parts.stalled(now: 110).isEmpty)
        #expect(parts.stalled(now: 111).map(\.part) == ["quick"])
        #expect(parts.stalled(now: 151).map(\.part) == ["slow", "quick"])
        parts.beat(quick, now: 151)
        #expect(parts.stalled(now: 151).map(\.description) == ["slow: no progress for 61 s, which is more than 60 s"])
        #expect(parts.age(quick, now: 153) == 2)
        parts.end(slow)
        parts.beat(slow, now: 152)
        #expect(parts.stalled(now: 155).isEmpty && parts.age(slow, now: 155) == nil)
        // Of two parts with one name, the other makes progress.
        _ = parts.begin("quick", within: 10, now: 155)
        parts.end(quick)
        #expect(parts.stalled(now: 166).map(\.part) == ["quick"])
    }

    @Test("a reconcile that does not return is stalled; waiting for keys is not")
    func controller() async {
        let liveness = Liveness(time: time)
        let latch = Latch()
        let hangs = Latch()
        let controller = Controller<String>(name: "job", workers: 2, time: time, liveness: liveness, reconcileBound: 60, log: quiet) { key in
            if key == "hangs" {
                hangs.open()
                try? await latch.wait()
            }
            return .done
        }
        let running = Task { await controller.run() }
        controller.enqueue("fine")
        controller.enqueue("hangs")
        // The key is taken from the queue a moment before its reconcile is noted as begun.
        try? await hangs.wait()
        #expect(await eventually { controller.queue.processingCount == 1 && controller.queue.depth == 0 })
        time.advance(seconds: 61)
        #expect(liveness.stalled.map(\.part) == ["reconcile of job hangs"])
        latch.open()
        #expect(await eventually { liveness.stalled.isEmpty && controller.queue.processingCount == 0 })
        time.advance(seconds: 3600)
        #expect(liveness.stalled.isEmpty)
        controller.stop()
        await running.value
    }
}
