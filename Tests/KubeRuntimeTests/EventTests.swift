import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Events")
struct EventTests {
    let now = Timestamp(seconds: 1_800_000_000)
    let job = EventSubject(
        apiVersion: "assay.dev/v1alpha1", kind: "EvalJob", key: ObjectKey(namespace: "team", name: "job"), uid: "u1")

    func note(_ message: String, _ reason: String = "Started") -> EventNote {
        EventNote(job, .normal, reason: reason, message: message)
    }

    @Test("a repeated note increases the count of the first event")
    func dedupe() {
        var aggregator = EventAggregator()
        guard case .create(let first) = aggregator.record(note("hello"), now: now) else {
            Issue.record("not created")
            return
        }
        let later = now.adding(seconds: 5)
        guard case .count(let second) = aggregator.record(note("hello"), now: later) else {
            Issue.record("not counted")
            return
        }
        #expect(second.name == first.name)
        #expect(second.count == 2)
        #expect(second.first == now && second.last == later)
        guard case .create(let other) = aggregator.record(note("bye"), now: later) else {
            Issue.record("not created")
            return
        }
        #expect(other.name != first.name)
    }

    @Test("more than ten messages with one reason become one event, until ten minutes without one")
    func similar() {
        var settings = EventAggregator.Settings()
        settings.burst = 100
        var aggregator = EventAggregator(settings: settings)
        var created: [String] = []
        for number in 0..<20 {
            if case .create(let occurrence) = aggregator.record(note("pod \(number)"), now: now) {
                created.append(occurrence.note.message)
            }
        }
        #expect(created.count == 11)
        #expect(created.last == "(combined from similar events)")
        guard case .create(let fresh) = aggregator.record(note("pod 99"), now: now.adding(seconds: 601)) else {
            Issue.record("not created")
            return
        }
        #expect(fresh.note.message == "pod 99")
    }

    @Test("an object with too many events is limited, others are not")
    func rate() {
        var aggregator = EventAggregator()
        let actions = (0..<40).map { _ in aggregator.record(note("again"), now: now) }
        #expect(actions.count { $0 != .drop } == 25)
        let other = EventNote(
            EventSubject(.pods, ObjectKey(namespace: "team", name: "pod"), uid: "u2"), .warning, reason: "R", message: "m")
        #expect(aggregator.record(other, now: now) != .drop)
        #expect(aggregator.record(note("again"), now: now.adding(seconds: 299)) == .drop)
        #expect(aggregator.record(note("again"), now: now.adding(seconds: 301)) != .drop)
    }

    @Test("memory is bounded")
    func bounded() {
        var settings = EventAggregator.Settings()
        settings.capacity = 100
        settings.similarLimit = 1_000_000
        var aggregator = EventAggregator(settings: settings)
        for number in 0..<1000 {
            let subject = EventSubject(.pods, ObjectKey(namespace: "team", name: "p\(number)"), uid: "u\(number)")
            let action = aggregator.record(EventNote(subject, .normal, reason: "R", message: "m"), now: now)
            #expect(action != .drop)
        }
        #expect(aggregator.rememberedCount <= 100)
    }

    @Test("on the API server: created, counted, created again after it expired; finish writes the rest")
    func overHTTP() async throws {
        let api = try FakeAPI()
        let client = KubeClient(config: .direct(server: api.url), log: quiet)
        let recorder = EventRecorder(client: client, component: "assay-operator", instance: "pod-1", log: quiet)
        let running = Task { await recorder.run() }
        for _ in 0..<3 { recorder.record(.warning, reason: "SourceFailed", message: "no such ref", on: job) }
        #expect(await eventually { api.all(.events).first?["count"] == 3 })
        let event = try #require(api.all(.events).first)
        #expect(event.at("metadata", "namespace") == "team")
        #expect(event.at("involvedObject", "kind") == "EvalJob")
        #expect(event.at("involvedObject", "uid") == "u1")
        #expect(event["type"] == "Warning")
        #expect(event["reason"] == "SourceFailed")
        #expect(event.at("source", "component") == "assay-operator")
        try api.delete(.events, try #require(ObjectKey(of: event)))
        recorder.record(.warning, reason: "SourceFailed", message: "no such ref", on: job)
        recorder.finish()
        await running.value
        #expect(api.all(.events).map { $0["count"] } == [1])
    }

    @Test("recording never blocks or fails, whatever the server does")
    func neverBlocks() async throws {
        let api = try FakeAPI()
        api.inject(FakeFault(.answer(.silence), on: .init(plural: "events"), times: 1000))
        let metrics = MetricsRegistry()
        let client = KubeClient(config: .direct(server: api.url), log: quiet)
        let recorder = EventRecorder(
            client: client, component: "c", instance: "i", capacity: 10, metrics: metrics, log: quiet)
        let running = Task { await recorder.run() }
        for number in 0..<1000 { recorder.record(.normal, reason: "R", message: "m\(number)", on: job) }
        #expect(metrics.prometheusText().contains("assay_events_dropped_total 9"))
        running.cancel()
        await running.value
    }

    @Test("a namespace that refuses events costs one attempt each; a failing server three")
    func refusals() async throws {
        let time = ManualTime()
        let api = try FakeAPI()
        let client = KubeClient(config: .direct(server: api.url), log: quiet)
        let recorder = EventRecorder(client: client, component: "c", instance: "i", time: time, log: quiet)
        let running = Task { await recorder.run() }
        api.inject(FakeFault(.answer(.failure(403, reason: "Forbidden")), on: .init(plural: "events")))
        recorder.record(.normal, reason: "R", message: "refused", on: job)
        #expect(await api.server.waitForRequests(1))
        api.inject(FakeFault(.answer(.failure(500, reason: "InternalError")), on: .init(plural: "events"), times: 3))
        recorder.record(.normal, reason: "R", message: "fails", on: job)
        await time.advanceToNextSleeper()
        await time.advanceToNextSleeper()
        #expect(await api.server.waitForRequests(4))
        recorder.record(.normal, reason: "R", message: "works", on: job)
        #expect(await eventually { api.all(.events).map { $0["message"] } == ["works"] })
        #expect(api.server.requests.count == 5)
        recorder.finish()
        await running.value
    }
}
