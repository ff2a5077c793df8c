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

    @Test("a part that needs the server is stalled only after its bound of time in which other requests succeeded")
    func needsServer() {
        var parts = LivenessParts(serverSeconds: 120)
        let watch = parts.begin("watch", within: 600, needsServer: true, now: 0)
        // Nothing is known of the server.
        #expect(parts.stalled(now: 10_000).isEmpty)
        parts.beat(watch, now: 10_000)
        // Every other request succeeds.
        for now in stride(from: 10_000.0, through: 10_600, by: 2) {
            parts.serverAnswered(now: now)
            #expect(parts.stalled(now: now).isEmpty)
        }
        parts.serverAnswered(now: 10_602)
        #expect(parts.stalled(now: 10_602).map(\.part) == ["watch"])
        // The server goes away, which a restart does not help.
        #expect(parts.stalled(now: 10_723).isEmpty)
        parts.beat(watch, now: 10_723)
        // It answers something 540 s after the watch, and goes away: the time without it does not count.
        parts.serverAnswered(now: 11_263)
        #expect(parts.stalled(now: 11_380).isEmpty)
        // It is back after a long time: the watch has its bound to come back, too.
        parts.serverAnswered(now: 20_000)
        #expect(parts.stalled(now: 20_001).isEmpty)
        for now in stride(from: 20_002.0, through: 20_700, by: 100) { parts.serverAnswered(now: now) }
        #expect(parts.stalled(now: 20_650).map(\.part) == ["watch"])
        parts.beat(watch, now: 20_660)
        #expect(parts.stalled(now: 20_700).isEmpty)
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
