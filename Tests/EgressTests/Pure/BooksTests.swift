import Base
import Testing

@testable import Egress

@Suite("What the proxy remembers")
struct BooksTests {
    static func token(_ run: String, phase: String = "execute") throws -> EgressToken {
        try EgressToken(run: run, phase: phase, grant: .none, expires: Timestamp(seconds: 1000))
    }

    @Test func denialsAreCountedByPhaseHostPortAndReason() throws {
        var book = DenialBook()
        let a = try Destination("a.example:443")
        let address = try #require(IPAddress("10.0.0.1"))
        func add(_ token: EgressToken, _ destination: Destination, _ reason: DenialReason, _ at: Int64) -> Bool {
            book.add(token, destination, reason, message: "m", at: Timestamp(seconds: at))
        }
        #expect(add(try Self.token("r"), a, .notAllowed, 1))
        #expect(!add(try Self.token("r"), a, .notAllowed, 5))
        #expect(add(try Self.token("r"), a, .addressNotPublic(address, .private), 6))
        #expect(add(try Self.token("r", phase: "verify"), a, .notAllowed, 7))
        #expect(add(try Self.token("r"), try Destination("[2001:db8::1]:80"), .notAllowed, 8))
        #expect(add(try Self.token("other"), a, .notAllowed, 9))
        let (denials, omitted) = book.denials(of: "r")
        let report = EgressDenialReport(run: "r", proxyStartTime: Timestamp(seconds: 1), denials: denials, omitted: omitted)
        #expect(report.denials.map(\.count) == [2, 1, 1, 1] && report.omitted == 0)
        #expect(report.denials[0].firstTime.seconds == 1 && report.denials[0].lastTime.seconds == 5)
        #expect(report.denials[1].reason == "address_not_public" && report.denials[3].host == "2001:db8::1")
        #expect(EgressDenialReport(json: report.json) == report)
        #expect(book.denials(of: "unknown").0.isEmpty)
    }

    @Test func denialsAreBounded() throws {
        var book = DenialBook(maximumRuns: 3)
        for index in 0..<(DenialBook.entriesPerRun + 50) {
            _ = book.add(try Self.token("big"), try Destination("h\(index).example:1"), .notAllowed, message: "", at: Timestamp(seconds: 1))
        }
        let big = book.denials(of: "big")
        #expect(big.0.count == DenialBook.entriesPerRun && big.omitted == 50)
        for run in ["b", "c", "d"] { _ = book.add(try Self.token(run), try Destination("a:1"), .notAllowed, message: "", at: Timestamp(seconds: 2)) }
        #expect(book.denials(of: "big").0.isEmpty, "the run that was denied something least recently is forgotten")
        #expect(["b", "c", "d"].allSatisfy { book.denials(of: $0).0.count == 1 })
    }

    @Test func connectionsAreCountedByClientAndToken() throws {
        var limits = EgressLimits()
        (limits.connections, limits.connectionsPerClient, limits.connectionsPerToken) = (5, 3, 2)
        var book = ConnectionBook(limits)
        let (a, b) = (EgressClient.address(try #require(IPAddress("10.0.0.1"))), EgressClient.process(7))
        #expect((0..<3).map { _ in book.admit(a) } == [.admitted, .admitted, .admitted])
        #expect(book.admit(a) == .clientFull)
        #expect(book.admit(b) == .admitted && book.admit(b) == .admitted)
        #expect(book.admit(b) == .full)
        book.leave(a)
        #expect(book.admit(a) == .admitted && book.connections == 5)

        let (now, later) = (Timestamp(seconds: 0), Timestamp(seconds: 100))
        #expect(book.use("t", expires: later, by: a, at: now) == .allowed)
        #expect(book.use("t", expires: later, by: b, at: now) == .otherClient)
        #expect(book.isBound("t", toOtherThan: b) && !book.isBound("t", toOtherThan: a) && !book.isBound("u", toOtherThan: b))
        #expect(book.use("t", expires: later, by: a, at: now) == .allowed)
        #expect(book.use("t", expires: later, by: a, at: now) == .full)
        book.release("t")
        #expect(book.use("t", expires: later, by: .process(8), at: now) == .otherClient, "an address is no process")
        #expect(book.use("u", expires: later, by: b, at: now) == .allowed)
        #expect(book.use("u", expires: later, by: .process(8), at: now) == .otherClient && book.isBound("u", toOtherThan: .process(8)))
    }
}
