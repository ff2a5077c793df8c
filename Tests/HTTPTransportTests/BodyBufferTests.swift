import Testing

@testable import HTTPTransport

@Suite struct BodyBufferTests {
    private func offer(_ buffer: inout BodyBuffer<String>, _ count: Int) -> String {
        switch buffer.offer(count, copy: { [UInt8](repeating: 7, count: count) }) {
        case .kept: "kept"
        case .handOver(let reader): "to \(reader)"
        case .pause: "pause"
        case .abort: "abort"
        case .tooLarge: "too large"
        }
    }

    private func read(_ buffer: inout BodyBuffer<String>, as reader: String = "reader") -> String {
        switch buffer.read(reader) {
        case .chunk(let bytes, let resume): "\(bytes.count)\(resume ? " resume" : "")"
        case .end: "end"
        case .failed(let error): "failed: \(error)"
        case .wait: "wait"
        case .busy: "busy"
        }
    }

    @Test func aReaderThatWaitsGetsTheBytesAtOnce() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(read(&buffer) == "wait")
        #expect(read(&buffer, as: "second") == "busy")
        #expect(offer(&buffer, 5) == "to reader")
        #expect(buffer.unread == 0)
    }

    @Test func whatDoesNotFitIsKeptOutUntilHalfIsRead() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(offer(&buffer, 4) == "kept")
        #expect(offer(&buffer, 4) == "kept")
        #expect(offer(&buffer, 4) == "pause")
        #expect(buffer.unread == 8)
        #expect(read(&buffer) == "4 resume")
        #expect(read(&buffer) == "4")
        #expect(offer(&buffer, 4) == "kept")
    }

    @Test func oneChunkLargerThanTheCapacityStillPasses() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(offer(&buffer, 100) == "kept")
        #expect(offer(&buffer, 1) == "pause")
        #expect(read(&buffer) == "100 resume")
    }

    @Test func whereNothingMayWaitTooMuchIsRefused() {
        var buffer = BodyBuffer<String>(capacity: 10, pauses: false)
        #expect(offer(&buffer, 10) == "kept")
        #expect(offer(&buffer, 1) == "too large")
        #expect(read(&buffer) == "10")
        #expect(offer(&buffer, 11) == "too large")
    }

    @Test func whatWasReceivedIsReadBeforeTheEnd() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(offer(&buffer, 4) == "kept")
        #expect(buffer.finish(.failed(.shutDown)) == nil)
        #expect(buffer.finish(.complete) == nil)
        #expect(read(&buffer) == "4")
        #expect(read(&buffer) == "failed: the HTTP transport was shut down")
    }

    @Test func theEndWakesWhoWaits() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(read(&buffer) == "wait")
        #expect(buffer.finish(.complete) == "reader")
        #expect(read(&buffer) == "end")
    }

    @Test func anAbandonedBodyAbortsOnceAndDropsItsBytes() {
        var buffer = BodyBuffer<String>(capacity: 10)
        #expect(offer(&buffer, 4) == "kept")
        #expect(buffer.abandon().abort)
        #expect(!buffer.abandon().abort)
        #expect(buffer.unread == 0)
        #expect(offer(&buffer, 4) == "abort")
        #expect(read(&buffer) == "failed: the request was cancelled")
    }

    @Test func abandoningACompleteBodyAbortsNothing() {
        var buffer = BodyBuffer<String>(capacity: 10)
        _ = buffer.finish(.complete)
        #expect(!buffer.abandon().abort)
    }
}
