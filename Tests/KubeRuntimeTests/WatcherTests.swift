import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Watcher, as a table of events")
struct WatcherTests {
    typealias Script = WatcherScript

    @Test("catalogue 1: 410 as HTTP: one relist, nothing lost")
    func goneAsHTTP() {
        var script = Script.live()
        let call = script.pass(script.fail(.expired("too old resource version")))
        #expect(call == .list(limit: 500, continueToken: nil))
        let next = script.page([Script.item("b", 9), Script.item("c", 30)], version: "31")
        #expect(next?.resumedVersion == "31")
        #expect(script.names == ["b", "c"])
        #expect(script.replacements == 2)
    }

    @Test("catalogue 2: 410 as ERROR event: the same")
    func goneAsEvent() {
        var script = Script.live()
        script.line(.present(Script.item("c", 11)))
        let call = script.pass(script.line(.failure(.expired("too old resource version"))))
        #expect(call?.isList == true)
        script.page([Script.item("c", 11)], version: "31")
        #expect(script.names == ["c"])
        #expect(script.replacements == 2)
    }

    @Test("catalogue 3: 410 on page 3: one full list, the store keeps its state until then")
    func goneOnLaterPage() {
        var script = Script.live()
        script.pass(script.fail(.expired("old")))
        #expect(script.page([Script.item("a", 4)], version: "20", token: "t1") == .list(limit: 500, continueToken: "t1"))
        #expect(script.page([Script.item("c", 12)], version: "20", token: "t2") == .list(limit: 500, continueToken: "t2"))
        #expect(script.names == ["a", "b"])
        #expect(script.fail(.expired("the token is too old")) == .list(limit: nil, continueToken: nil))
        #expect(script.names == ["a", "b"])
        script.page([Script.item("a", 4), Script.item("d", 22)], version: "25")
        #expect(script.names == ["a", "d"])
        #expect(script.version == "25")
    }

    @Test("after a failed full list, pages are requested again")
    func fullListFails() {
        var script = Script.listing()
        script.start()
        script.page([Script.item("a", 4)], version: "20", token: "t1")
        script.fail(.expired("old"))
        let call = script.pass(script.fail(.expired("again")))
        #expect(call == .list(limit: 500, continueToken: nil))
        #expect(!script.writer.store.hasSynced)
    }

    @Test("pages keep the version of the first one")
    func pageVersion() {
        var script = Script.listing()
        script.start()
        script.page([Script.item("a", 4)], version: "20", token: "t1")
        #expect(script.page([Script.item("b", 4)], version: "23", token: "")?.resumedVersion == "20")
    }

    @Test("catalogue 4: deleted during an outage: absent from the next state")
    func deletedDuringOutage() {
        var script = Script.live()
        let seen = Recorded(script.writer.store)
        script.pass(script.fail(.unreachable("connection refused")))
        script.pass(script.fail(.expired("old")))
        script.page([Script.item("b", 9)], version: "40")
        #expect(seen.lines == ["+a@4", "+b@9", "-a@4"])
    }

    @Test("catalogue 5: a cut line resumes at the last version", arguments: ["1", "2", "3"])
    func cutLine(_ name: String) {
        var script = Script.live()
        script.line(.present(Script.item(name, 11)))
        let call = script.pass(script.line(.broken("unexpected end")))
        #expect(call?.resumedVersion == "11")
        #expect(script.replacements == 1)
    }

    @Test("catalogue 5: a version whose stream is always cut leads to a list")
    func brokenForEver() {
        var script = Script.live()
        var calls: [WatcherCall?] = []
        for _ in 0..<5 { calls.append(script.pass(script.line(.broken("garbage")))) }
        #expect(calls.dropLast().allSatisfy { $0?.resumedVersion == "10" })
        #expect(calls.last??.isList == true)
    }

    @Test("catalogue 7: a silent stream is closed 5 s after its timeout")
    func silence() throws {
        var script = Script.listing()
        script.start()
        guard case .watch(_, _, let timeout) = script.page([], version: "10") else {
            Issue.record("no watch")
            return
        }
        #expect((300...600).contains(timeout))
        #expect(script.watcher.silenceDeadline == script.now + Double(timeout) + 5)
        script.now += Double(timeout)
        #expect(script.silent() == nil)
        script.line(.bookmark(version: "12", endsInitialEvents: false))
        script.now += 4.9
        #expect(script.silent() == nil)
        script.now += 0.2
        #expect(script.silent()?.resumedVersion == "12")
    }

    @Test("catalogue 8: without bookmarks an idle stream resumes at the version of the list")
    func noBookmarks() {
        var script = Script.live()
        script.now += 400
        #expect(script.end()?.resumedVersion == "10")
        script.line(.present(Script.item("c", 12)))
        script.now += 400
        #expect(script.end()?.resumedVersion == "12")
        script.now += 400
        let call = script.pass(script.fail(.expired("compacted while nothing was said")))
        #expect(call?.isList == true)
        script.page([Script.item("a", 4), Script.item("c", 12)], version: "90")
        #expect(script.names == ["a", "c"])
    }

    @Test("catalogue 9: WatchList cut before its end: the buffer is discarded")
    func initialStreamCut() {
        var script = Script()
        #expect(script.start()?.isInitialStream == true)
        script.line(.present(Script.item("a", 4)))
        script.line(.bookmark(version: "9", endsInitialEvents: false))
        let call = script.pass(script.end())
        #expect(!script.writer.store.hasSynced)
        #expect(call?.isInitialStream == true)
        script.line(.present(Script.item("b", 5)))
        script.line(.present(Script.item("c", 3)))
        script.line(.deleted(Script.item("b", 6)))
        #expect(script.line(.bookmark(version: "12", endsInitialEvents: true)) == nil)
        #expect(script.names == ["c"])
        #expect(script.version == "12")
        script.line(.present(Script.item("d", 13)))
        #expect(script.names == ["c", "d"])
    }

    @Test("catalogue 9: initial streams that are cut again and again: LIST")
    func initialStreamAlwaysCut() {
        var script = Script()
        var call = script.start()
        for _ in 0..<3 {
            #expect(call?.isInitialStream == true)
            script.line(.present(Script.item("a", 4)))
            call = script.pass(script.fail(.unreachable("cut")))
        }
        #expect(call == .list(limit: 500, continueToken: nil))
    }

    @Test("catalogue 10: WatchList refused: LIST, and LIST from then on", arguments: [400, 422])
    func initialStreamRefused(_ code: Int) {
        var script = Script()
        script.start()
        #expect(script.fail(.rejected(code: code, "sendInitialEvents is forbidden")) == .list(limit: 500, continueToken: nil))
        script.page([Script.item("a", 4)], version: "10")
        #expect(script.pass(script.fail(.expired("old")))?.isList == true)
    }

    @Test("catalogue 10: the server's storage cannot stream the initial state: LIST at once, and LIST from then on", arguments: [500, 501])
    func initialStreamFails(_ code: Int) {
        var script = Script()
        script.start()
        let text = "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled"
        #expect(script.fail(.serverError(code: code, retryAfterSeconds: nil, text)) == .list(limit: 500, continueToken: nil))
        script.page([Script.item("a", 4)], version: "10")
        #expect(script.pass(script.fail(.expired("old")))?.isList == true)
    }

    @Test("an initial stream that a server refuses while it starts or is busy is asked for again", arguments: [503, 504])
    func initialStreamUnavailable(_ code: Int) {
        var script = Script()
        script.start()
        let call = script.fail(.serverError(code: code, retryAfterSeconds: nil, "the server is starting"))
        #expect(script.pass(call)?.isInitialStream == true)
    }

    @Test("catalogue 10: an initial stream that never ends its initial events: LIST")
    func initialStreamNeverEnds() {
        var script = Script()
        script.start()
        script.line(.present(Script.item("a", 4)))
        script.now += 30
        #expect(script.silent() == .list(limit: 500, continueToken: nil))
    }

    @Test("catalogue 11: 429 with Retry-After waits that long and resumes without a list")
    func throttled() {
        var script = Script.live()
        let call = script.fail(.throttled(retryAfterSeconds: 17, "slow down"))
        #expect(call == .wait(seconds: 17))
        #expect(script.pass(call)?.resumedVersion == "10")
        #expect(script.pass(script.line(.failure(.throttled(retryAfterSeconds: nil, "slow down"))))?.resumedVersion == "10")
        #expect(script.replacements == 1)
    }

    @Test("catalogue 12: a 500 storm of 10 minutes: jittered, at most one request in 30 s", arguments: 0..<20)
    func storm(_ seed: UInt64) {
        var script = Script.listing(seed: seed)
        var times = [script.now]
        var call = script.start()
        while script.now < 1600 {
            call = script.pass(script.fail(.serverError(code: 500, retryAfterSeconds: nil, "storm")))
            #expect(call?.isList == true)
            times.append(script.now)
        }
        let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(gaps[0] >= 0.8 && gaps[0] <= 1.2)
        #expect(gaps.dropFirst(6).allSatisfy { $0 >= 30 && $0 <= 45 })
        #expect(Set(gaps.dropFirst(6)).count > 1)
        #expect(times.count < 28)
    }

    @Test("catalogue 12: the backoff is reset after two minutes without a failure")
    func backoffReset() {
        var script = Script.live()
        for _ in 0..<8 { script.pass(script.fail(.unreachable("refused"))) }
        script.line(.present(Script.item("c", 11)))
        script.now += 121
        guard case .wait(let seconds) = script.fail(.throttled(retryAfterSeconds: nil, "slow")) else {
            Issue.record("no wait")
            return
        }
        #expect(seconds <= 1.2)
    }

    @Test("catalogue 13: a list from a lagging replica is not used")
    func laggingList() {
        var script = Script.live()
        script.line(.present(Script.item("c", 50)))
        script.pass(script.fail(.expired("old")))
        let call = script.page([Script.item("a", 4)], version: "20")
        #expect(call?.isWait == true)
        #expect(script.names == ["a", "b", "c"])
        #expect(script.version == "50")
        #expect(script.pass(call)?.isList == true)
        script.page([Script.item("c", 50)], version: "50")
        #expect(script.names == ["c"])
    }

    @Test("catalogue 13: events that were already seen are ignored")
    func laggingEvents() {
        var script = Script.live()
        script.line(.present(Script.item("a", 30)))
        script.line(.present(Script.item("a", 20)))
        script.line(.deleted(Script.item("b", 29)))
        script.line(.bookmark(version: "25", endsInitialEvents: false))
        #expect(script.writer.store.get(ObjectKey(namespace: "n", name: "a")) == "a@30")
        #expect(script.names == ["a", "b"])
        #expect(script.version == "30")
        #expect(script.pass(script.end())?.resumedVersion == "30")
    }

    @Test("catalogue 13: a history that stays behind is accepted after ten answers")
    func restoredBackup() {
        var script = Script.live()
        var call = script.pass(script.fail(.versionTooLarge("Too large resource version: 10, current: 5")))
        for _ in 0..<10 {
            #expect(call?.isList == true)
            call = script.pass(script.page([Script.item("z", 3)], version: "5"))
        }
        #expect(script.names == ["a", "b"])
        #expect(script.page([Script.item("z", 3)], version: "5")?.resumedVersion == "5")
        #expect(script.names == ["z"])
    }

    @Test("catalogue 17: 404 and 403 while watching: reported and retried; after a 404 a list follows", arguments: [403, 404])
    func rejected(_ code: Int) {
        var script = Script.live()
        let call = script.pass(script.fail(.rejected(code: code, "no")))
        #expect(script.troubles.count == 1)
        #expect(call?.isList == (code == 404))
        #expect(script.names == ["a", "b"])
    }

    @Test("catalogue 18: versions of 25 digits are ordered as numbers")
    func longVersions() {
        var script = Script.listing()
        script.start()
        script.page([Script.item("a", "9999999999999999999999999")], version: "9999999999999999999999999")
        script.line(.present(Script.item("a", "10000000000000000000000000")))
        #expect(script.version == "10000000000000000000000000")
        script.line(.present(Script.item("a", "9999999999999999999999998")))
        #expect(script.version == "10000000000000000000000000")
    }

    @Test("'too large resource version' leads to a list without a version")
    func versionTooLarge() {
        var script = Script.live()
        #expect(script.pass(script.fail(.versionTooLarge("Too large resource version")))?.isList == true)
    }

    @Test("a list without a version or with version 0 is not used", arguments: ["", "0"])
    func noVersion(_ version: String) {
        var script = Script.listing()
        script.start()
        #expect(script.page([Script.item("a", 4)], version: version)?.isWait == true)
        #expect(!script.writer.store.hasSynced)
    }

    @Test("an event without a version is skipped, and the version stays", arguments: ["", "0"])
    func eventWithoutVersion(_ version: String) {
        var script = Script.live()
        script.line(.present(Script.item("c", version)))
        script.line(.bookmark(version: version, endsInitialEvents: false))
        #expect(script.version == "10")
        #expect(script.pass(script.end())?.resumedVersion == "10")
    }

    @Test("a server that closes every stream at once is not called in a tight loop")
    func tightLoop() {
        var script = Script.live()
        let begin = script.now
        for _ in 0..<10 { #expect(script.pass(script.end())?.resumedVersion == "10") }
        #expect(script.now - begin > 60)
    }

    @Test("an event that does not fit the state has no effect")
    func strayEvents() {
        var script = Script()
        #expect(script.line(.present(Script.item("a", 1))) == nil)
        #expect(script.page([Script.item("a", 1)], version: "3") == nil)
        #expect(script.end() == nil)
        #expect(script.silent() == nil)
        #expect(script.fail(.unreachable("x")) == nil)
        #expect(!script.writer.store.hasSynced)
    }
}
